"""How an operation leaves the outbox: claimed once, confirmed, put back, parked, looked up, retried."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from ledger_cast import (
    CHANGES,
    FINISHED,
    GAVE_UP,
    NOW,
    RUN,
    claim,
    create,
    later,
    mirror,
    move,
    put,
    record,
    states,
)
from sqlmodel import Session, col, select

from syncd.domain.operation import OPEN_STATES, OperationState, ticket_key
from syncd.ledger.database.connection import Database
from syncd.ledger.errors import OperationMoved
from syncd.ledger.open import Ledger
from syncd.ledger.store import operation_states
from syncd.ledger.store.lookups import open_operations_in
from syncd.ledger.store.tables import AuditEventRow, OperationRow


def events(session: Session, row: OperationRow) -> list[str]:
    query = select(AuditEventRow.kind).where(AuditEventRow.operation_id == row.id)
    return [kind.removeprefix("operation.") for kind in session.exec(query.order_by(col(AuditEventRow.seq)))]


def test_an_operation_is_claimed_once(ledger: Ledger) -> None:
    with ledger.write() as session:
        (row,) = record(session, create())
        claimed = claim(session, row, probe=41)
        assert claimed is not None
        assert (
            claimed.state,
            claimed.attempts,
            claimed.instance,
            claimed.probe_from,
            claimed.claimed_at,
        ) == (
            "in_flight",
            1,
            RUN,
            41,
            NOW,
        )
        assert claim(session, row) is None
        assert events(session, row) == ["decided", "leaves"]


def test_of_two_who_claim_at_once_one_wins(ledger: Ledger, url: str) -> None:
    with ledger.write() as session:
        rows = record(session, *(mirror(f"N{number}") for number in range(20)))
    start = Barrier(2)

    def take(run: str) -> set[int]:
        database = Database(url)
        won = set()
        start.wait(5)
        for row in rows:
            with database.write() as session:
                won |= {row.id or 0} if claim(session, row, run) else set()
        database.close()
        return won

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(take, ["abcd/1", "abcd/2"])
    assert first.isdisjoint(second)
    assert first | second == {row.id for row in rows}
    with ledger.read() as session:
        for row in session.exec(select(OperationRow)).all():
            assert row.attempts == 1
            assert row.instance == ("abcd/1" if row.id in first else "abcd/2")
            assert events(session, row) == ["decided", "leaves"]


@pytest.mark.parametrize("state", [state for state in OperationState if state is not OperationState.PENDING])
def test_only_a_pending_operation_can_be_claimed(ledger: Ledger, state: OperationState) -> None:
    with ledger.write() as session:
        row = put(session, create(), state)
        before = row.model_dump()
        assert claim(session, row, "abcd/9") is None
        session.refresh(row)
        assert row.model_dump() == before


def test_an_unknown_id_cannot_be_claimed(ledger: Ledger) -> None:
    with ledger.write() as session:
        assert operation_states.claim_in(session, 4711, RUN, NOW, {}, None) is None


def test_a_request_keeps_its_bytes_over_a_second_claim(ledger: Ledger) -> None:
    with ledger.write() as session:
        (row,) = record(session, create())
        assert claim(session, row, body="as first rendered")
        operation_states.put_back_in(session, row, later(1), "connection refused")
        again = claim(session, row, body="as rendered now")
        assert again is not None
        assert (again.rendered, again.attempts, again.error) == ({"body": "as first rendered"}, 2, None)


def test_a_retry_is_rendered_anew(ledger: Ledger) -> None:
    with ledger.write() as session:
        (row,) = record(session, create())
        assert claim(session, row, body="as first rendered")
        operation_states.park_in(session, row, later(1), "400: too long")
        assert operation_states.retry(session, row, later(2), GAVE_UP, "ana") == ""
        assert (row.state, row.error) == ("pending", None)
        again = claim(session, row, body="shorter")
        assert again is not None
        assert again.rendered == {"body": "shorter"}
        assert events(session, row) == ["decided", "leaves", "parked", "retried", "leaves"]


AFTER_A_RETRY = {
    OperationState.PENDING: (OperationState.PENDING, "is tried at once"),
    OperationState.HELD: (OperationState.PENDING, "is released"),
    OperationState.PARKED: (OperationState.PENDING, ""),
    OperationState.IN_FLIGHT: (OperationState.UNKNOWN, "looks it up first"),
    OperationState.UNKNOWN: (OperationState.UNKNOWN, "looks it up first"),
}


@pytest.mark.parametrize("state", OPEN_STATES)
def test_every_open_operation_is_retried_and_what_may_be_done_is_looked_up_first(
    ledger: Ledger, state: OperationState
) -> None:
    after, meaning = AFTER_A_RETRY[state]
    with ledger.write() as session:
        row = put(session, create(), state)
        assert meaning in operation_states.retry(session, row, NOW, GAVE_UP, "ana")
        assert states(session) == [(ticket_key("P1"), after)]


@pytest.mark.parametrize("state", OPEN_STATES)
def test_every_open_operation_is_dropped_and_said_where_it_may_be_done(
    ledger: Ledger, state: OperationState
) -> None:
    with ledger.write() as session:
        row = put(session, create(), state)
        meaning = operation_states.drop(session, row, NOW, "ana", "made by hand")
        unsure = state in (OperationState.IN_FLIGHT, OperationState.UNKNOWN)
        assert ("may be done already" in meaning) is unsure
        assert states(session) == [(ticket_key("P1"), OperationState.DROPPED)]


def test_what_was_parked_in_flight_is_looked_up_before_it_leaves_again(ledger: Ledger) -> None:
    with ledger.write() as session:
        row = put(session, create(), OperationState.IN_FLIGHT)
    assert operation_states.park_faulty(ledger, row.id or 0, NOW, GAVE_UP, "a fault in syncd, KeyError: 'x'")
    assert not operation_states.park_faulty(ledger, row.id or 0, NOW, GAVE_UP, "again")
    with ledger.write() as session:
        stored = session.get_one(OperationRow, row.id)
        assert stored.state == OperationState.PARKED
        assert operation_states.outcome_unknown(stored)
        operation_states.retry(session, stored, NOW, GAVE_UP, "ana")
        assert stored.state == OperationState.UNKNOWN


# How it ends


def test_a_done_operation_keeps_the_id_from_the_service(ledger: Ledger) -> None:
    with ledger.write() as session:
        row = put(session, create(), OperationState.UNKNOWN)
        operation_states.finish(session, row, OperationState.DONE, later(5), remote_id="10005")
    with ledger.read() as session:
        row = session.exec(select(OperationRow)).one()
        assert (row.state, row.remote_id, row.finished_at, row.error) == ("done", "10005", later(5), None)
        assert (row.gave_up_boot_id, row.gave_up_boottime) == (None, None)
        assert events(session, row) == ["decided", "leaves", "unknown", "done"]


def test_an_unknown_outcome_keeps_when_we_gave_up(ledger: Ledger) -> None:
    with ledger.write() as session:
        row = put(session, create(), OperationState.UNKNOWN)
    with ledger.read() as session:
        row = session.exec(select(OperationRow)).one()
        assert (row.gave_up_boot_id, row.gave_up_boottime) == (GAVE_UP.boot_id, GAVE_UP.boottime)
        assert row.error == "timed out"


def test_the_operation_keeps_a_services_words_and_the_trail_only_their_hash(ledger: Ledger) -> None:
    with ledger.write() as session:
        (row,) = record(session, create())
        operation_states.park_in(session, row, NOW, "Field 'Ana Maria' cannot be set")
        assert row.error == "Field 'Ana Maria' cannot be set"
        texts = [event.text for event in session.exec(select(AuditEventRow)).all()]
    assert not any("Ana Maria" in text for text in texts)


@pytest.mark.parametrize("state", FINISHED)
def test_what_is_finished_stays_finished(ledger: Ledger, state: OperationState) -> None:
    with ledger.write() as session:
        row = put(session, create(), state)
        events_before = events(session, row)
        for change in CHANGES.values():
            with pytest.raises(OperationMoved):
                change(session, row)
        assert states(session) == [(ticket_key("P1"), state)]
        assert events(session, row) == events_before


def test_who_read_an_operation_before_it_left_cannot_park_it(ledger: Ledger) -> None:
    with ledger.write() as session:
        record(session, create())
    with ledger.read() as session:
        (stale,) = open_operations_in(session, "P1")
    with ledger.write() as session:
        (row,) = open_operations_in(session, "P1")
        assert claim(session, row)
    with pytest.raises(OperationMoved, match="from pending to parked"), ledger.write() as session:
        operation_states.park_in(session, stale, NOW, "cannot be rendered")
    with ledger.read() as session:
        assert states(session) == [(ticket_key("P1"), "in_flight")]


# After a crash


def test_what_another_run_left_in_flight_is_looked_up_and_ours_is_left(ledger: Ledger) -> None:
    with ledger.write() as session:
        for number, run in enumerate(["abcd/1", "abcd/2", "ffff/2"], start=1):
            (row,) = record(session, create(f"P{number}"), incident=f"P{number}")
            assert claim(session, row, run, body=f"of {run}")
    assert operation_states.recover(ledger, "abcd/2", later(9), GAVE_UP) == ["P1", "P3"]
    with ledger.read() as session:
        rows = session.exec(select(OperationRow).order_by(col(OperationRow.id))).all()
        assert [row.state for row in rows] == ["unknown", "in_flight", "unknown"]
        assert [row.gave_up_boottime for row in rows] == [GAVE_UP.boottime, None, GAVE_UP.boottime]
        assert [row.rendered for row in rows] == [
            {"body": "of abcd/1"},
            {"body": "of abcd/2"},
            {"body": "of ffff/2"},
        ]


@pytest.mark.parametrize(
    "state", [state for state in OperationState if state is not OperationState.IN_FLIGHT]
)
def test_a_recovery_changes_no_other_state(ledger: Ledger, state: OperationState) -> None:
    with ledger.write() as session:
        put(session, create(), state)
        put(session, move(), state)
    assert operation_states.recover(ledger, "abcd/2", NOW, GAVE_UP) == []
    with ledger.read() as session:
        assert [kept for _key, kept in states(session)] == [state, state]


def test_a_second_recovery_finds_nothing(ledger: Ledger) -> None:
    with ledger.write() as session:
        put(session, create(), OperationState.IN_FLIGHT)
    assert operation_states.recover(ledger, "abcd/2", NOW, GAVE_UP) == ["P1"]
    another = operation_states.GivenUp("boot-2", 1.0)
    assert operation_states.recover(ledger, "abcd/3", later(60), another) == []
    with ledger.read() as session:
        row = session.exec(select(OperationRow)).one()
        assert (row.gave_up_boot_id, row.gave_up_boottime) == (GAVE_UP.boot_id, GAVE_UP.boottime)
