"""A key that may only read, or an author whom PagerDuty does not know: all notes wait, none is parked."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from engine.cast import nothing_more_is_written
from syncd.sandbox import dump, faults
from syncd.sandbox.cast import PAGERDUTY_KEY

ME = "Amara Osei"


def notes(rig: Rig) -> dict[str, list[str]]:
    incidents = dump.whole(rig.world)["pagerduty"]["incidents"]
    return {incident["id"]: [note["content"] for note in incident["notes"]] for incident in incidents}


def link_notes(rig: Rig, state: str) -> list[Any]:
    return [operation for operation in rig.operations(state) if operation.kind == "link_note"]


def note_requests(rig: Rig) -> int:
    return sum(path.endswith("/notes") for _, path in _writes(rig))


def _writes(rig: Rig) -> list[tuple[str, str]]:
    return [(entry.method, entry.path) for entry in rig.world.journal.writes()]


def trigger(rig: Rig, number: int) -> list[str]:
    return [
        rig.world.pagerduty.trigger("Alipay Integration", f"Latency {index}", priority="P3").id
        for index in range(number)
    ]


@pytest.mark.parametrize(
    ("data_center", "cause"),
    [(False, "read-only key"), (True, "unknown author")],
    ids=["cloud", "data center"],
)
def test_all_notes_wait_for_one_cause_and_leave_together(
    make_rig: Any, data_center: bool, cause: str
) -> None:
    author = {"sender": "nobody@qrpay.example"} if cause == "unknown author" else {}
    rig: Rig = make_rig(data_center_edition=data_center, mail=True, **author)
    account = rig.world.pagerduty.account
    if cause == "read-only key":
        account.read_only_tokens.add(PAGERDUTY_KEY)
    rig.cycle()
    ids = trigger(rig, 4)
    rig.settle(4)
    # every incident has its ticket, and no note is parked
    assert len(dump.whole(rig.world)["jira"]["issues"]) == 4
    assert rig.operations("parked") == []
    assert len(link_notes(rig, "pending")) == 4
    (general,) = [refusal for refusal in rig.context.refusals.all() if refusal.tell]
    assert general.what == "all notes in PagerDuty"
    # they are asked for ever less often, one mail tells the operator
    asked = note_requests(rig)
    rig.settle(20, 60)
    assert note_requests(rig) - asked < 12
    mails = [operation for operation in rig.operations() if operation.kind == "send_mail"]
    (told,) = [str(mail.meaning) for mail in mails if "waiting/PagerDuty notes" in str(mail.meaning)]
    assert "SYNCD_PAGERDUTY_TOKEN must be a key that may write" in told
    if cause == "read-only key":
        account.read_only_tokens.clear()
    else:
        rig.sender = "amara.osei@qrpay.example"
        rig.restart()
    rig.settle(30, 120)
    assert [len(notes(rig)[ident]) for ident in ids] == [1, 1, 1, 1]
    assert rig.operations("parked") == []
    assert not [
        refusal for refusal in rig.context.refusals.all() if refusal.subject.startswith("PagerDuty notes")
    ]
    nothing_more_is_written(rig)


def test_a_refusal_of_one_incidents_notes_holds_no_other(make_rig: Any) -> None:
    rig: Rig = make_rig()
    rig.cycle()
    (hidden,) = trigger(rig, 1)
    rig.world.faults.add(
        faults.error(403), service="pagerduty", method="POST", path=f"/incidents/{hidden}/notes$", times=None
    )
    rig.settle(2)
    assert len(link_notes(rig, "pending")) == 1
    others = trigger(rig, 3)
    rig.settle(4, 60)
    assert [len(notes(rig)[ident]) for ident in others] == [1, 1, 1]
    # the others were taken, so this one is its own trouble
    rig.settle(8, 120)
    (parked,) = rig.operations("parked")
    assert (parked.kind, parked.incident_id) == ("link_note", hidden)
    nothing_more_is_written(rig)
