"""An incident whose ticket rides in a batch is decided on once before it and once when all is done."""

from __future__ import annotations

import pytest
from rig import Rig, mapping

from engine.cast import nothing_more_is_written
from engine.test_bulk import storm
from syncd.domain.operation.rendered import RenderedNote
from syncd.engine import reconcile
from syncd.engine.act.kind import Outcome
from syncd.engine.act.kinds.post_text import LinkNoteKind
from syncd.engine.bulk.create import BulkCreates
from syncd.engine.context import EngineContext
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.change_queue import notice_changes
from syncd.policy.case import Case, Decision, Rulebook


def decisions_and_notes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What syncd does from now on with each incident, in order: a decision, or a note that it sends."""
    told: dict[str, list[str]] = {}
    decided, sent = reconcile.decide, LinkNoteKind.send

    def decide(case: Case, book: Rulebook) -> Decision:
        told.setdefault(case.incident.id, []).append("decision")
        return decided(case, book)

    def send(
        kind: LinkNoteKind, context: EngineContext, operation: OperationRecord, rendered: RenderedNote
    ) -> Outcome:
        told.setdefault(operation.incident_id, []).append("note")
        return sent(kind, context, operation, rendered)

    monkeypatch.setattr(reconcile, "decide", decide)
    monkeypatch.setattr(LinkNoteKind, "send", send)
    return told


def test_a_storm_is_decided_on_once_before_its_batch_and_once_after_its_note(
    house: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    incidents = storm(house, 20, priority="P3")
    told = decisions_and_notes(house, monkeypatch)
    house.cycle()
    assert told == {incident: ["decision", "note", "decision"] for incident in incidents}
    nothing_more_is_written(house)


def test_what_changed_while_a_batch_was_under_way_is_decided_before_anything_leaves(
    house: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed, *others = storm(house, 20, priority="P3")
    told, end = decisions_and_notes(house, monkeypatch), BulkCreates.end

    def ended(bulk: BulkCreates) -> None:
        notice_changes(house.ledger, [changed], house.clock.now(), 0, "it changed")
        end(bulk)

    monkeypatch.setattr(BulkCreates, "end", ended)
    house.cycle()
    assert told[changed][:3] == ["decision", "decision", "note"]
    assert all(told[other] == ["decision", "note", "decision"] for other in others)


def test_what_other_rules_recorded_is_decided_again_before_it_leaves(
    house: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    incidents = storm(house, 20, priority="P3")
    told, end = decisions_and_notes(house, monkeypatch), BulkCreates.end

    def ended(bulk: BulkCreates) -> None:
        house.swap_rules(mapping(version="other"))
        end(bulk)

    monkeypatch.setattr(BulkCreates, "end", ended)
    house.cycle()
    assert all(told[incident][:3] == ["decision", "decision", "note"] for incident in incidents)
