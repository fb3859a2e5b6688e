"""A refusal of one of the start's reads: syncd waits, asks again, and goes on where it was stopped."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig, mapping

from engine.cast import logged, standing
from engine.mail_rig import MakeRig
from engine.test_stopped_teams import EDITIONS, tickets
from syncd.sandbox import dump, faults

READS = {
    "serverInfo": "/serverInfo",
    "myself": "/myself",
    "project": "/project/OPS$",
    "statuses": "/project/OPS/statuses",
    "priorities": "/priority$",
    "link types": "/issueLinkType",
    "create screen": "/createmeta/OPS/",
    "security levels": "/project/OPS/securitylevel",
    "resolutions": "/resolution",
}
PASSING = (
    faults.html(404),
    faults.html(403),
    faults.error(404),
    faults.error(500),
    faults.html(200),
    faults.jira_429(1),
    faults.reset_before(),
)


def first(make_rig: MakeRig, *, data_center: bool, **options: Any) -> Rig:
    rig: Rig = make_rig(data_center_edition=data_center, **options)
    rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P3")
    return rig


def settled(rig: Rig) -> None:
    assert tickets(rig) == ["OPS-1"]
    assert standing(rig)["services"] == standing(rig)["refused"] == []
    (issue,) = dump.whole(rig.world)["jira"]["issues"]
    assert issue["fields"]["priority"]["name"] == "Medium"
    before = rig.writes()
    rig.settle(3)
    assert rig.writes() == before


@pytest.mark.parametrize("path", READS.values(), ids=READS.keys())
@EDITIONS
def test_a_passing_failure_of_a_read_at_the_start_only_delays_it(
    make_rig: MakeRig, data_center: bool, path: str
) -> None:
    rig = first(make_rig, data_center=data_center)
    for strike in PASSING:
        rig.world.faults.add(strike, service="jira", path=path, times=1)
    with logged() as lines:
        rig.loop.make_first_contact()
        rig.settle(9, 300)
        rig.settle(3)
    assert sum("jira is down" in line for line in lines) == 1
    struck = [rule.struck for rule in rig.world.faults.rules]
    # a refused security level is an answer: a site may have none
    assert struck == [1] * len(PASSING) or path == READS["security levels"]
    settled(rig)


@EDITIONS
def test_a_chain_of_reads_goes_on_where_it_was_stopped(make_rig: MakeRig, data_center: bool) -> None:
    rig = first(make_rig, data_center=data_center)
    for path in READS.values():
        rig.world.faults.add(faults.jira_429(1), service="jira", path=path, times=1)
    rig.loop.make_first_contact()
    rig.settle(len(READS) + 2, 300)
    asked = {
        pattern: count
        for (service, _, pattern), count in rig.world.journal.counts().items()
        if service == "jira" and any(pattern.endswith(name) for name in ("/project/{project}", "/priority"))
    }
    assert set(asked.values()) == {2}
    settled(rig)


def test_a_start_under_a_limit_of_a_few_requests_ends(make_rig: MakeRig) -> None:
    rig = first(make_rig, data_center=True)
    for number in range(1, 9):
        rig.world.faults.add(faults.jira_429(1), service="jira", skip=4 * number, times=1)
    rig.loop.make_first_contact()
    # one of the eight refusals in each cycle
    rig.settle(10, 60)
    assert tickets(rig) == ["OPS-1"]
    rig.settle(8, 60)
    settled(rig)


@EDITIONS
@pytest.mark.parametrize("name", ["priorities", "create screen", "resolutions"])
def test_a_list_of_the_site_that_jira_refuses_for_long_is_done_without_and_named(
    make_rig: MakeRig, data_center: bool, name: str
) -> None:
    rig = first(make_rig, data_center=data_center, mappings=(mapping(),))
    words = {"errorMessages": ["This resource was removed."]}
    rule = rig.world.faults.add(
        faults.error(404, body=words), service="jira", path=READS[name], method="GET", times=None
    )
    with logged() as lines:
        rig.loop.make_first_contact()
        rig.settle(4)
        assert tickets(rig) == []
        (refusal,) = standing(rig)["refused"]
        assert "This resource was removed." in refusal["why"] and refusal["teams"] == []
        rig.settle(12)
        assert tickets(rig) == ["OPS-1"]
        assert sum("Jira's list" in line for line in lines) == 1
        rig.world.faults.remove(rule.id)
        rig.settle(3, 3700)
        assert standing(rig)["refused"] == []
        assert sum("answered again" in line for line in lines) == 1
    settled(rig)
