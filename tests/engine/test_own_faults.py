"""syncd itself fails on one operation: it is parked with the error, and all else goes on."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from rig import Rig

from engine.cast import incident_of, issues, nothing_more_is_written
from engine.mail_rig import MakeRig
from engine.restored_rig import doubled, keys, seen_by_people
from engine.test_bulk import each_has_one_ticket
from syncd.domain.operation import Kind
from syncd.engine.act.kinds import KINDS
from syncd.engine.act.kinds.create_ticket import CreateTicketKind
from syncd.ledger.requests.answers import answer_of, ask
from syncd.policy.marks import mark_in

TOKEN = "Authorization: Bearer abcdef0123456789abcdef"


def blow_up(
    patch: pytest.MonkeyPatch, kind: type[Any], step: str, incidents: list[str], of: str = ""
) -> None:
    """Let one step of an operation fail, as a defect would, for these incidents."""
    genuine = getattr(kind, step)

    def fail(self: Any, context: Any, operation: Any, *more: Any) -> Any:
        result = genuine(self, context, operation, *more)
        if operation.incident_id in incidents and operation.kind.startswith(of):
            raise RuntimeError(f"customfield {TOKEN}\nsecond line")
        return result

    patch.setattr(kind, step, fail)


@pytest.mark.parametrize(
    ("edition", "step"), [("cloud", "render"), ("data center", "send"), ("cloud", "confirmation")]
)
def test_an_operation_on_which_syncd_fails_is_parked_once_and_a_retry_frees_it(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch, errors: list[str], edition: str, step: str
) -> None:
    house = make_rig(data_center_edition=edition == "data center")
    house.cycle()
    with monkeypatch.context() as patch:
        cursed = house.world.pagerduty.trigger("Alipay Integration", "Cursed", priority="P4")
        blow_up(patch, type(KINDS[Kind.LINK_NOTE]), step, [cursed.id], "link_note")
        other = house.world.pagerduty.trigger("Alipay Integration", "Other", priority="P4")
        house.world.pagerduty.note(cursed.id, "on it", "Amara Osei")
        house.settle(4)
        house.world.pagerduty.acknowledge(cursed.id, "Amara Osei")
        house.settle(30, 60)
        (parked,) = house.operations("parked")
        assert parked.kind == "link_note"
        assert parked.error is not None
        assert "a fault in syncd, RuntimeError" in parked.error
        assert "[token]" in parked.error
        assert "second line" not in parked.error
        assert not house.operations("pending", "in_flight", "unknown")
        (line,) = [text for text in errors if "a fault in syncd" in text]
        assert f"syncd outbox retry {parked.id}" in line
        assert "abcdef0123" not in line
    statuses = {issue["key"]: issue["fields"]["status"]["name"] for issue in issues(house)}
    assert statuses[keys(house)[cursed.id]] == "In Progress"
    number = ask(house.ledger, "outbox.retry", {"ids": [parked.id]}, "operator")
    house.settle(16, 60)
    assert not answer_of(house.ledger, number)["failed"]
    assert not house.operations("parked", "pending", "unknown")
    for incident in (cursed, other):
        notes = [note["content"] for note in incident_of(house, incident)["notes"]]
        assert sum(mark_in(text) is not None for text in notes) == 1
    assert doubled(seen_by_people(house)) == []
    nothing_more_is_written(house)


@pytest.mark.parametrize("step", ["render_for", "confirmation"])
def test_one_create_on_which_syncd_fails_holds_up_no_other_of_its_batch(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch, errors: list[str], step: str
) -> None:
    house = make_rig()
    house.cycle()
    with monkeypatch.context() as patch:
        made = [
            house.world.pagerduty.trigger("Alipay Integration", title, priority="P4")
            for title in ("Cursed", *(f"Fine {number}" for number in range(14)))
        ]
        blow_up(patch, CreateTicketKind, step, [made[0].id])
        house.settle(3)
        assert [row.kind for row in house.operations("parked")] == ["create_ticket"]
        assert keys(house).keys() >= {incident.id for incident in made[1:]}
        assert not any("older copy" in text for text in errors)
    ask(house.ledger, "outbox.retry", {"ids": []}, "operator")
    house.settle(16, 60)
    assert keys(house).keys() == {incident.id for incident in made}
    each_has_one_ticket(house, [incident.id for incident in made])
    nothing_more_is_written(house)


def test_a_broken_constraint_parks_the_operation_and_the_ledger_is_as_before(
    house: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_more: Any) -> None:
        raise sqlite3.IntegrityError("UNIQUE constraint failed: ticket.issue_id")

    with monkeypatch.context() as patch:
        patch.setattr("syncd.engine.act.executor.confirm", broken)
        made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
        house.settle(3)
    (parked,) = [row for row in house.operations("parked") if row.kind == "create_ticket"]
    assert "UNIQUE constraint failed: ticket.issue_id" in (parked.error or "")
    number = ask(house.ledger, "outbox.drop", {"ids": [parked.id], "reason": "by hand"}, "ana")
    house.settle(3)
    lines = answer_of(house.ledger, number)["lines"]
    assert any("it may be done already" in line for line in lines)
    # what it made shows in the next reads, and is taken
    house.world.jira.comment("OPS-1", "is this it?", by="Ines Carvalho")
    house.settle(3)
    assert list(keys(house)) == [made.id]
    assert doubled(seen_by_people(house)) == []
