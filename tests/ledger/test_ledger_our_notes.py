"""Our own notes: stored once, and no news when PagerDuty shows them."""

from __future__ import annotations

import pytest
from ledger_cast import NOW, incident, later, mirror, put, record, save_incident
from sqlmodel import col, select

from syncd.domain.incident import IncidentStatus
from syncd.domain.operation import OperationState
from syncd.ledger.open import Ledger
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import outbox
from syncd.ledger.store.confirmation import Confirmation, NewPair
from syncd.ledger.store.confirming import store
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.made import store_made
from syncd.ledger.store.tables import MirrorLinkRow

NOTED = later(30)


@pytest.fixture
def noted(ledger: Ledger) -> Ledger:
    """Store an incident that was updated at NOW, and our note of half a minute later."""
    with ledger.write() as session:
        save_incident(session, incident(updated_at=NOW), 10, NOW, "QRPay")
    with ledger.write() as session:
        operation = record_of(OperationRecord, record(session, mirror())[0])
        store(session, operation, "N7", Confirmation(noted_at=NOTED), NOTED)
    return ledger


@pytest.mark.parametrize("updated_at", [NOW, NOTED], ids=["before", "with"])
def test_an_answer_that_shows_only_our_note_is_no_news(noted: Ledger, updated_at: object) -> None:
    with noted.write() as session:
        assert save_incident(session, incident(updated_at=updated_at), 11, NOTED, "QRPay") is None


@pytest.mark.parametrize(
    ("status", "updated_at"),
    [
        (IncidentStatus.TRIGGERED, later(31)),
        (IncidentStatus.ACKNOWLEDGED, NOTED),
        (IncidentStatus.ACKNOWLEDGED, NOW),
        (IncidentStatus.TRIGGERED, None),
    ],
    ids=["a later update", "an acknowledgement", "one from before our note", "an answer without the time"],
)
def test_an_answer_that_shows_more_than_our_note_is_news(
    noted: Ledger, status: IncidentStatus, updated_at: object
) -> None:
    with noted.write() as session:
        assert save_incident(session, incident(status, updated_at=updated_at), 11, NOTED, "QRPay") is not None


def test_a_note_from_before_the_last_read_moves_no_time_back(noted: Ledger) -> None:
    with noted.write() as session:
        operation = record_of(OperationRecord, record(session, mirror("N2"))[0])
        store(session, operation, "N8", Confirmation(noted_at=NOW), NOTED)
        assert save_incident(session, incident(updated_at=NOTED), 11, NOTED, "QRPay") is None


@pytest.mark.parametrize("state", OperationState)
def test_only_a_confirmed_operation_of_the_incident_is_done(ledger: Ledger, state: OperationState) -> None:
    with ledger.write() as session:
        op = put(session, mirror(), state).op
    with ledger.read() as session:
        assert outbox.is_done(session, "P1", op) is (state is OperationState.DONE)
        assert not outbox.is_done(session, "P2", op)


@pytest.mark.parametrize(
    "again",
    [
        NewPair("syncd", "N1", None, "other", None),
        NewPair("note", None, "C1", None, "other"),
        NewPair("note", "N1", "C1", "other", "other"),
    ],
)
def test_a_note_or_comment_that_is_found_again_stays_as_it_was_stored(ledger: Ledger, again: NewPair) -> None:
    stored = NewPair("note", "N1", "C1", "n", "c")
    with ledger.write() as session:
        save_incident(session, incident(), 10, NOW, "QRPay")
        store_made(session, "P1", stored, NOW)
        store_made(session, "P1", again, NOW)
        store_made(session, "P1", NewPair("syncd", "N2", None, "m", None), NOW)
        store_made(session, "P1", NewPair("syncd", None, "C2", None, "d"), NOW)
    with ledger.read() as session:
        rows = session.exec(select(MirrorLinkRow).order_by(col(MirrorLinkRow.id))).all()
        pairs = [(row.origin, row.note_id, row.comment_id, row.note_hash) for row in rows]
    assert pairs == [("note", "N1", "C1", "n"), ("syncd", "N2", None, "m"), ("syncd", None, "C2", None)]
