"""The texts of a restricted incident stay where they are: on tickets, in the ledger, in outputs."""

from __future__ import annotations

from typing import Any

from sqlmodel import col, select

from engine.cast import incident_of, issue_of, nothing_more_is_written
from engine.restricted_cast import CANARY, hidden, secured
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.store.tables import WaiverRow
from syncd.ledger.views.show import show_data
from syncd.ledger.views.status import status_data
from syncd.sandbox import faults


def test_notes_and_comments_of_a_restricted_incident_travel_nowhere(careful: Any) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}")
    rig.world.pagerduty.note(made.id, f"note {CANARY}", "Amara Osei")
    rig.settle(3)
    rig.world.jira.comment("OPS-1", f"comment {CANARY}", "Priya Raman")
    rig.settle(4)
    rig.loop.slow()
    rig.settle(2)
    assert [note["content"].partition(" ")[0] for note in incident_of(rig, made)["notes"]] == [
        "note",
        "Ticket",
    ]
    assert len(issue_of(rig)["comments"]) == 1
    hidden(rig)


def test_a_text_that_had_not_left_when_it_was_restricted_is_dropped(careful: Any) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Odd")
    rig.settle(3)
    rig.world.faults.add(
        faults.error(400, body={"errorMessages": [f"no {CANARY}"]}), service="jira", path="/comment", times=1
    )
    rig.world.pagerduty.note(made.id, f"note {CANARY}", "Amara Osei")
    rig.settle(3)
    assert [row.kind for row in rig.operations("parked")] == ["mirror_note"]
    rig.world.jira.add_label("OPS-1", "restricted", "Priya Raman")
    rig.settle(4)
    assert [row.kind for row in rig.operations("dropped")] == ["mirror_note"]
    assert issue_of(rig)["comments"] == []
    nothing_more_is_written(rig)
    rig.stop()
    hidden(rig)
    rig.start()


def test_why_a_label_waived_is_forgotten_when_it_becomes_restricted(careful: Any) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Odd")
    rig.settle(3)
    now = rig.clock.now()
    known: dict[str, Any] = {"incident_id": made.id, "until": now, "at": now, "by": "Pia"}
    with rig.ledger.write() as session:
        session.add(WaiverRow(source="jira", reason=f"comment {CANARY}", **known))
        session.add(WaiverRow(source="command", reason="holidays", **known))
    rig.world.jira.add_label("OPS-1", "restricted", "Priya Raman")
    rig.settle(4)
    with rig.ledger.read() as session:
        rows = session.exec(select(WaiverRow).order_by(col(WaiverRow.id))).all()
    assert [row.reason for row in rows] == ["see the comment", "holidays"]
    rig.stop()
    hidden(rig)
    rig.start()


def test_a_create_under_way_when_it_is_restricted_is_found_and_put_under_the_level(careful: Any) -> None:
    rig = careful()
    rig.world.faults.add(faults.reset_before(), service="jira", method="POST", path=r"/issue$", times=1)
    made = rig.world.pagerduty.trigger("Alipay Integration", f"Odd {CANARY}", priority="P3")
    rig.cycle()
    assert [row.kind for row in rig.operations("unknown")] == ["create_ticket"]
    rig.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    rig.settle(26)
    assert len(rig.world.jira.site.issues) == 1
    assert secured(rig) == "Security incident"
    assert issue_of(rig)["fields"]["summary"] == f"Odd {CANARY}"
    nothing_more_is_written(rig)
    rig.stop()
    hidden(rig)
    rig.start()


def test_the_lost_answer_to_a_restricted_create_is_looked_up_and_no_text_is_kept(careful: Any) -> None:
    rig = careful()
    rig.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=r"/issue$", times=1)
    rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}")
    rig.settle(3)
    assert len(rig.world.jira.site.issues) == 1
    assert secured(rig) == "Security incident"
    hidden(rig)
    nothing_more_is_written(rig)


def test_what_commands_read_shows_the_stub_s_title(careful: Any) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger("Alipay Integration", f"[SEV1] PII {CANARY}")
    rig.settle(3)
    (row,) = status_data(rig.ledger)["incidents"]
    incident = incident_named(rig.ledger, made.id)
    assert incident is not None
    shown = show_data(rig.ledger, incident, rig.clock.now())
    assert (row["title"], row["restricted"]) == (f"Security incident #{made.number}", True)
    assert row["severity"] == "SEV1"
    assert CANARY not in str(shown)


def test_an_error_of_jira_about_a_restricted_ticket_is_shown_without_its_words(careful: Any) -> None:
    rig = careful()
    refusal = {"errorMessages": [f"bad {CANARY}"], "errors": {"description": f"never {CANARY}"}}
    rig.world.faults.add(
        faults.error(400, body=refusal), service="jira", method="POST", path=r"/issue$", times=9
    )
    rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}")
    rig.settle(2)
    (parked,) = rig.operations("parked")
    assert "description" in str(parked.error)
    hidden(rig)
