"""A page of a proxy in place of an answer to a write is an outage: nothing is parked for it at once."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from engine.cast import incident_of, nothing_more_is_written
from engine.mail_rig import MakeRig
from syncd.sandbox import faults

CREATE: dict[str, Any] = {"service": "jira", "method": "POST", "path": r"/issue$"}
EDIT: dict[str, Any] = {"service": "jira", "method": "PUT", "path": r"/issue/\d+$"}
NOTE: dict[str, Any] = {"service": "pagerduty", "method": "POST", "path": r"/notes$"}


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("where", [CREATE, EDIT, NOTE], ids=["create", "edit", "note"])
def test_a_write_that_met_a_proxys_page_leaves_again_by_itself(
    house: Rig, where: dict[str, Any], status: int
) -> None:
    incident = house.world.pagerduty.trigger("Alipay Integration", "Slow", priority="P3").id
    if where is EDIT:
        house.settle(3)
        house.world.pagerduty.set_priority(incident, "P2", "Amara Osei")
    house.world.faults.add(faults.html(status), times=3, **where)
    house.settle(12, 60)
    assert house.operations("parked", "pending", "unknown") == []
    assert len(house.world.jira.site.issues) == 1
    nothing_more_is_written(house)


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("where", [CREATE, NOTE], ids=["create", "note"])
def test_a_write_whose_answer_a_proxy_hid_is_found_and_not_sent_again(
    house: Rig, where: dict[str, Any], status: int
) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Slow", priority="P3")
    house.world.faults.add(faults.html(status, after=True), times=3, **where)
    house.settle(12, 60)
    assert house.operations("parked", "pending", "unknown") == []
    assert len(house.world.jira.site.issues) == 1
    assert len(incident_of(house, made)["notes"]) == 1
    nothing_more_is_written(house)


@pytest.mark.parametrize("status", [403, 404])
def test_a_write_that_meets_only_pages_waits_for_a_person_in_the_end(house: Rig, status: int) -> None:
    house.world.faults.add(faults.html(status), times=None, **CREATE)
    house.world.pagerduty.trigger("Alipay Integration", "Slow", priority="P3")
    house.settle(12)
    (parked,) = house.operations("parked")
    assert (parked.kind, parked.attempts) == ("create_ticket", 5)
    assert house.world.jira.site.issues == {}


@pytest.mark.parametrize("service", ["jira", "pagerduty"])
def test_a_proxys_403_refuses_no_login_at_the_start(make_rig: MakeRig, service: str) -> None:
    rig = make_rig()
    rule = rig.world.faults.add(faults.html(403), service=service, times=None)
    rig.loop.make_first_contact()
    assert service not in rig.loop.contacted
    assert rig.transport.login(service).refusal is None
    rig.world.faults.remove(rule.id)
    rig.settle(2)
    assert rig.loop.contacted == {"jira", "pagerduty"}
