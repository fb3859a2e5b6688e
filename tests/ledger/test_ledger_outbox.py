"""Decisions in the outbox: recorded once, superseded, left, held, waiting, listed."""

from __future__ import annotations

import pytest
import sqlalchemy.exc
from ledger_cast import (
    FINISHED,
    NOW,
    claim,
    create,
    edit,
    incident,
    later,
    mirror,
    move,
    put,
    record,
    save_incident,
    states,
    ticket,
)
from sqlmodel import select

from syncd.domain.operation import OPEN_STATES, CreatePostmortem, OperationState, ticket_key
from syncd.ledger.open import Ledger
from syncd.ledger.store import outbox
from syncd.ledger.store.lookups import open_operations_in
from syncd.ledger.store.tables import OperationRow

# Once


@pytest.mark.parametrize("state", OperationState)
def test_a_once_key_never_has_a_second_row_in_any_state_of_the_first(
    ledger: Ledger, state: OperationState
) -> None:
    with ledger.write() as session:
        put(session, create(), state)
    with ledger.write() as session:
        assert record(session, create()) == []
        assert states(session) == [(ticket_key("P1"), state)]


def test_a_once_key_is_unique_in_the_database_itself(ledger: Ledger) -> None:
    with ledger.write() as session:
        row = put(session, create(), OperationState.DONE)
        twin = OperationRow.model_validate(row.model_dump(exclude={"id"}))
    with pytest.raises(sqlalchemy.exc.IntegrityError), ledger.write() as session:
        session.add(twin)


def test_a_once_operation_that_is_asked_for_twice_at_once_is_recorded_once(ledger: Ledger) -> None:
    with ledger.write() as session:
        record(session, create(), mirror(), create())
        assert states(session) == [(ticket_key("P1"), "pending"), ("note/N1", "pending")]


def test_a_once_operation_stays_when_it_is_not_asked_for_again(ledger: Ledger) -> None:
    with ledger.write() as session:
        record(session, create(), mirror())
        record(session)
        assert states(session) == [(ticket_key("P1"), "pending"), ("note/N1", "pending")]


@pytest.mark.parametrize("state", OperationState)
def test_only_a_superseded_create_of_a_postmortem_waits_again_once_it_is_decided_again(
    ledger: Ledger, state: OperationState
) -> None:
    postmortem = CreatePostmortem(incident="P1", reason="SEV0 incidents need a postmortem")
    again = postmortem.model_copy(update={"reason": "incident #3, SEV0, was merged into it"})
    with ledger.write() as session:
        (row,) = record(session, postmortem)
        claim(session, row, probe=41)
        session.get_one(OperationRow, row.id, populate_existing=True).state = state
    with ledger.write() as session:
        record(session, again)
        row = session.exec(select(OperationRow)).one()
        waits = state is OperationState.SUPERSEDED
        assert (row.state, row.attempts, row.probe_from) == ("pending" if waits else state, 1, 41)
        assert row.reason == (again if waits else postmortem).reason


# State


@pytest.mark.parametrize("state", [OperationState.PENDING, OperationState.PARKED, OperationState.HELD])
def test_a_newer_decision_supersedes_a_waiting_operation(ledger: Ledger, state: OperationState) -> None:
    with ledger.write() as session:
        first = put(session, move("acknowledged"), state)
        (second,) = record(session, move("resolved"))
        assert states(session) == [("status/P1", "superseded"), ("status/P1", "pending")]
        assert second.meaning["word"] == "resolved"
        assert first.finished_at == NOW


@pytest.mark.parametrize("state", OPEN_STATES)
def test_the_same_decision_again_leaves_an_open_operation(ledger: Ledger, state: OperationState) -> None:
    with ledger.write() as session:
        put(session, move(), state)
        assert record(session, move()) == []
        assert states(session) == [("status/P1", state)]


def test_a_decision_stays_the_same_when_the_service_refused_a_field(ledger: Ledger) -> None:
    with ledger.write() as session:
        (row,) = record(session, edit(summary="a", priority={"id": "1"}))
        row.meaning = {**row.meaning, "refused": ["priority"]}
        session.flush()
        assert record(session, edit(summary="a", priority={"id": "1"})) == []
        assert states(session) == [("fields/P1", "pending")]
        record(session, edit(summary="b", priority={"id": "1"}))
        assert states(session) == [("fields/P1", "superseded"), ("fields/P1", "pending")]


@pytest.mark.parametrize("state", [OperationState.PENDING, OperationState.PARKED, OperationState.HELD])
def test_a_waiting_operation_that_is_no_longer_decided_is_superseded(
    ledger: Ledger, state: OperationState
) -> None:
    with ledger.write() as session:
        put(session, move(), state)
        assert record(session) == []
        assert states(session) == [("status/P1", "superseded")]


@pytest.mark.parametrize("state", [OperationState.IN_FLIGHT, OperationState.UNKNOWN])
def test_an_operation_under_way_is_never_superseded(ledger: Ledger, state: OperationState) -> None:
    with ledger.write() as session:
        put(session, move("acknowledged"), state)
        assert record(session, move("resolved")) == []
        assert record(session) == []
        assert states(session) == [("status/P1", state)]


@pytest.mark.parametrize("state", FINISHED)
def test_a_finished_operation_never_blocks_the_next(ledger: Ledger, state: OperationState) -> None:
    with ledger.write() as session:
        put(session, move(), state)
        record(session, move())
        assert states(session) == [("status/P1", state), ("status/P1", "pending")]


def test_aspects_and_objects_do_not_supersede_each_other(ledger: Ledger) -> None:
    with ledger.write() as session:
        record(session, move(), edit(summary="a"))
        record(session, move(incident="P2"), incident="P2")
        record(session, move(), edit(summary="b"))
        assert [state for _key, state in states(session)] == ["pending", "superseded", "pending", "pending"]


@pytest.mark.parametrize("state", OPEN_STATES)
def test_the_database_itself_refuses_a_second_open_operation(ledger: Ledger, state: OperationState) -> None:
    with ledger.write() as session:
        stands = put(session, move(), state).model_dump(exclude={"id"})
    for second in OPEN_STATES:
        twin = OperationRow.model_validate({**stands, "state": second})
        with pytest.raises(sqlalchemy.exc.IntegrityError), ledger.write() as session:
            session.add(twin)
    with ledger.write() as session:
        elsewhere = {**stands, "state": "pending"}
        session.add(OperationRow.model_validate({**elsewhere, "aspect": "fields"}))
        session.add(OperationRow.model_validate({**elsewhere, "object": "ticket:P2"}))
        session.add(OperationRow.model_validate({**elsewhere, "state": "done"}))


def test_once_operations_on_the_same_object_do_not_block_each_other(ledger: Ledger) -> None:
    with ledger.write() as session:
        record(session, mirror("N1"), mirror("N2"), create())
        assert [state for _key, state in states(session)] == ["pending"] * 3


# Held


def test_a_held_operation_does_not_leave(ledger: Ledger) -> None:
    with ledger.write() as session:
        (row,) = record(session, move(), hold="status/P1")
        assert row.state == "held"
        assert claim(session, row) is None
        assert outbox.incidents_with_work(session) == []
        assert outbox.counts(session)["held"] == 1


def test_only_what_is_named_is_held(ledger: Ledger) -> None:
    with ledger.write() as session:
        record(session, create(), move(), hold="status/P1")
        assert dict(states(session)) == {ticket_key("P1"): "pending", "status/P1": "held"}


# Needs


@pytest.mark.parametrize("state", OperationState)
def test_an_operation_waits_until_all_that_it_needs_is_done(ledger: Ledger, state: OperationState) -> None:
    with ledger.write() as session:
        put(session, create("P1"), OperationState.DONE)
        put(session, create("P2"), state)
        (row,) = record(session, mirror("N1", "P1", ticket_key("P1"), ticket_key("P2"), ticket_key("P3")))
        expected = (
            [ticket_key("P3")] if state is OperationState.DONE else [ticket_key("P2"), ticket_key("P3")]
        )
        assert outbox.unmet(session, row) == expected


def test_an_operation_that_needs_nothing_waits_for_nothing(ledger: Ledger) -> None:
    with ledger.write() as session:
        (row,) = record(session, mirror())
        assert outbox.unmet(session, row) == []


@pytest.mark.parametrize("state", [None, OperationState.PARKED, OperationState.SUPERSEDED])
def test_a_ticket_that_was_adopted_needs_no_create(ledger: Ledger, state: OperationState | None) -> None:
    with ledger.write() as session:
        save_incident(session, incident(), 1, NOW, "QRPay")
        if state:
            put(session, create(), state)
        (row,) = record(session, mirror("N1", "P1", ticket_key("P1")))
        assert outbox.unmet(session, row) == [ticket_key("P1")]
        session.flush()
        session.add(ticket(origin="adopted"))
        assert outbox.unmet(session, row) == []


def test_incidents_that_wait_for_a_key_are_found_also_across_incidents(ledger: Ledger) -> None:
    with ledger.write() as session:
        record(session, mirror("N1", "P1", ticket_key("P1")))
        record(session, mirror("N2", "P2", ticket_key("P2"), ticket_key("P1")), incident="P2")
        record(session, mirror("N3", "P10", ticket_key("P10")), incident="P10")
        record(session, mirror("N4", "P4"), incident="P4")
        put(session, mirror("N5", "P5", ticket_key("P1")), OperationState.PARKED)
        put(session, mirror("N6", "P6", ticket_key("P1")), OperationState.DONE)
    assert outbox.incidents_waiting_for(ledger, ticket_key("P1")) == ["P1", "P2"]
    assert outbox.incidents_waiting_for(ledger, ticket_key("P10")) == ["P10"]
    assert outbox.incidents_waiting_for(ledger, ticket_key("P")) == []


# What can be asked


def test_incidents_with_work_have_a_pending_or_unfinished_request(ledger: Ledger) -> None:
    with ledger.write() as session:
        for number, state in enumerate(OperationState):
            put(session, create(f"P{number}"), state)
        names = dict(zip((f"P{number}" for number in range(8)), OperationState, strict=True))
        at_work = {names[incident_id] for incident_id in outbox.incidents_with_work(session)}
    assert at_work == {OperationState.PENDING, OperationState.IN_FLIGHT, OperationState.UNKNOWN}


def test_every_state_is_counted_and_open_ones_are_listed_oldest_first(ledger: Ledger) -> None:
    with ledger.write() as session:
        for number, state in enumerate([*OperationState, OperationState.PENDING]):
            put(session, create(f"P{number}"), state)
        assert outbox.counts(session) == {str(state): 1 for state in OperationState} | {"pending": 2}
        listed = outbox.listing(session)
        assert [row.state for row in listed] == [
            "pending",
            "in_flight",
            "unknown",
            "parked",
            "held",
            "pending",
        ]
        assert [row.incident_id for row in outbox.listing(session, [OperationState.DONE])] == ["P3"]


def test_an_operation_keeps_its_meaning_and_the_version_of_the_rules(ledger: Ledger) -> None:
    operation = edit(summary="Zażółć ☃", priority={"id": "3"})
    with ledger.write() as session:
        outbox.record(
            session, [operation], later(3), "sha-of-the-mapping", waiting=open_operations_in(session, "P1")
        )
    with ledger.read() as session:
        (row,) = open_operations_in(session, "P1")
    assert (row.key, row.op, row.op_class, row.kind, row.target, row.object, row.aspect) == (
        "fields/P1",
        operation.op,
        "state",
        "edit_ticket",
        "jira",
        "ticket:P1",
        "fields",
    )
    assert (row.meaning, row.mapping_version, row.decided_at) == (
        operation.meaning,
        "sha-of-the-mapping",
        later(3),
    )
