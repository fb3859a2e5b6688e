"""Jira refuses its search alone, while it knows our account: tickets are made, and it is said once."""

from __future__ import annotations

import pytest
from rig import Rig

from engine.cast import nothing_more_is_written, standing, status
from engine.mail_rig import OPERATOR, MakeRig, mailing, subjects
from syncd.sandbox import faults

WORDS = {"errorMessages": ["You do not have permission to search."], "errors": {}}


@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize("data_center", [False, True], ids=["cloud", "datacenter"])
def test_a_refused_search_stops_no_ticket_and_what_people_did_is_seen_afterwards(
    make_rig: MakeRig, data_center: bool, code: int
) -> None:
    rig: Rig = make_rig(mappings=(mailing(),), mail=True, data_center_edition=data_center)
    rig.world.pagerduty.trigger("Alipay Integration", "An earlier one", priority="P4")
    rig.settle(2)
    refused = rig.world.faults.add(
        faults.error(code, body=WORDS), service="jira", path=r"/search(/jql)?$", times=None
    )
    rig.settle(2)
    made = rig.world.pagerduty.trigger("Alipay Integration", "Login fails", priority="P1")
    rig.settle(4)
    assert len(rig.world.jira.site.issues) == 2
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    rig.settle(40)
    assert status(rig, 2) == "In Progress"
    assert refused.struck < 12
    (refusal,) = standing(rig)["refused"]
    assert refusal["teams"] == []
    assert "permission to search" in refusal["why"]
    assert len([subject for subject in subjects(rig, OPERATOR) if "search" in subject.lower()]) <= 1
    rig.world.faults.remove(refused.id)
    rig.settle(22, 180)
    assert standing(rig)["refused"] == []
    nothing_more_is_written(rig)
