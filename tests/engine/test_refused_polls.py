"""A service refuses one of a poll's reads: the others go on; it is said once, and asked ever less often."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from engine.cast import logged, nothing_more_is_written, ours, standing, status
from engine.mail_rig import MakeRig
from syncd.sandbox import faults

ME = "Amara Osei"
PAGERDUTY = {"error": {"message": "Access Denied", "code": 2010}}
JIRA = {"errorMessages": ["No, not now."], "errors": {}}
CODES = pytest.mark.parametrize("code", [400, 403, 404])


def ways(code: int, words: Any) -> list[faults.Strike]:
    """Return the refusal in the service's words, and without them."""
    return [faults.error(code, body=words), faults.error(code), faults.error(code, body=b"null")]


def shown(rig: Rig) -> list[str]:
    return [refusal["what"] for refusal in standing(rig)["refused"]]


@CODES
@pytest.mark.parametrize("way", [0, 1, 2], ids=["words", "bare", "null"])
def test_a_refused_log_of_pagerduty_hides_no_incident_and_no_resolve(
    make_rig: MakeRig, code: int, way: int
) -> None:
    rig = make_rig()
    people = rig.world.pagerduty
    first = people.trigger("Alipay Integration", "Latency", priority="P2")
    rig.settle(2)
    where = {"service": "pagerduty", "path": r"^/log_entries$"}
    rule = rig.world.faults.add(ways(code, PAGERDUTY)[way], times=None, **where)
    with logged() as lines:
        people.trigger("BluBank Integration", "Other", priority="P2")
        rig.settle(2)
        assert len(ours(rig)) == 2
        people.resolve(first.id, ME)
        rig.settle(2)
        assert status(rig) == "In Review"
        rig.settle(60)
        assert shown(rig) == ["syncd cannot read PagerDuty's log entries"]
    assert sum("cannot read PagerDuty's log entries" in line for line in lines) == 1
    assert rule.struck <= 14
    rig.world.faults.clear()
    rig.settle(12)
    assert shown(rig) == []
    assert len(ours(rig)) == 2
    nothing_more_is_written(rig)


@CODES
def test_a_refused_list_of_open_incidents_leaves_the_log_which_shows_them(
    make_rig: MakeRig, code: int
) -> None:
    rig = make_rig()
    people = rig.world.pagerduty
    rig.settle(2)
    where = {"service": "pagerduty", "path": r"/incidents$", "method": "GET"}
    rig.world.faults.add(ways(code, PAGERDUTY)[0], times=None, **where)
    with logged() as lines:
        made = people.trigger("BluBank Integration", "Other", priority="P2")
        rig.settle(2)
        assert len(ours(rig)) == 1
        people.resolve(made.id, ME)
        rig.settle(2)
        assert status(rig) == "In Review"
        rig.settle(20)
    assert shown(rig) == ["syncd cannot read PagerDuty's open incidents"]
    assert sum("cannot read PagerDuty's open incidents" in line for line in lines) == 1
    rig.world.faults.clear()
    rig.settle(12)
    assert shown(rig) == []
    nothing_more_is_written(rig)


@pytest.mark.parametrize("data_center", [False, True], ids=["cloud", "datacenter"])
@pytest.mark.parametrize("code", [403, 404])
def test_a_refusal_of_jiras_search_without_words_is_said_and_caught_up(
    make_rig: MakeRig, code: int, data_center: bool
) -> None:
    rig = make_rig(data_center_edition=data_center)
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    rig.settle(2)
    where = {"service": "jira", "path": r"/search(/jql)?$"}
    rule = rig.world.faults.add(ways(code, JIRA)[1], times=None, **where)
    with logged() as lines:
        rig.world.jira.comment("OPS-1", "called the bank", by="Ines Carvalho")
        rig.world.pagerduty.acknowledge(made.id, ME)
        rig.settle(40)
        assert status(rig) == "In Progress"
        (what,) = shown(rig)
    words = "search for changed issues" if code == 403 else "cannot read Jira's changed issues"
    assert words in what
    # a missing right is told to the operator, too, by an alarm with a line of its own
    assert sum(words in line for line in lines) == (2 if code == 403 else 1)
    assert rule.struck <= 14
    rig.world.faults.clear()
    rig.settle(12, 120)
    assert shown(rig) == []
    assert any("called the bank" in note.content for note in rig.world.pagerduty.find(made.id).notes)
    nothing_more_is_written(rig)
