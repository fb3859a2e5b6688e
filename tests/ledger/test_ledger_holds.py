"""The brakes on decided writes: their limits, and each change of their state."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_cast import NOW, create, incident, record, save_incident, ticket

from syncd.domain.operation import MoveTicket, OperationState, Target
from syncd.ledger.open import Ledger
from syncd.ledger.store import first_load, holds, operation_states, outbox
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.first_load import FirstLoad
from syncd.ledger.store.holds import Judgement
from syncd.ledger.store.lookups import open_operations_in


@pytest.mark.parametrize(("tickets", "state"), [(0, "passed"), (50, "passed"), (51, "held")])
def test_a_first_load_of_more_than_fifty_tickets_is_held(ledger: Ledger, tickets: int, state: str) -> None:
    with ledger.write() as session:
        for number in range(tickets):
            record(session, create(f"P{number}"), incident=f"P{number}")
        assert first_load.state_of(session) is FirstLoad.COUNTING
        assert first_load.judge(session, NOW) == state
        assert first_load.state_of(session) == state


def test_claimed_incidents_without_a_decision_may_bring_the_count_above_fifty(ledger: Ledger) -> None:
    with ledger.write() as session:
        for number in range(40):
            record(session, create(f"P{number}"), incident=f"P{number}")
        for number in range(40, 51):
            old = incident(id=f"P{number}", number=number, created_at=NOW - timedelta(hours=1))
            save_incident(session, old, 1, NOW, "QRPay")
        notice_changes_in(session, [f"P{number}" for number in range(40, 51)], NOW, 1, "backfill")
        assert first_load.judge(session, NOW) is FirstLoad.COUNTING


def test_what_began_after_the_first_start_is_not_counted(ledger: Ledger) -> None:
    with ledger.write() as session:
        for number in range(60):
            save_incident(session, incident(id=f"P{number}", number=number, created_at=NOW), 1, NOW, "QRPay")
            record(session, create(f"P{number}"), incident=f"P{number}")
        assert holds.may_leave_in(session, Target.JIRA, ["P1"])
        assert not holds.may_leave_in(session, Target.JIRA, [])
        assert first_load.counts_by_kind(session) == {}
        assert first_load.judge(session, NOW) is FirstLoad.PASSED


def test_unclaimed_incidents_and_those_with_a_ticket_do_not_count(ledger: Ledger) -> None:
    with ledger.write() as session:
        save_incident(session, incident(), 1, NOW, "QRPay")
        session.flush()
        session.add(ticket())
        for number in range(100, 160):
            save_incident(session, incident(id=f"P{number}", number=number), 1, NOW, None)
        notice_changes_in(session, ["P1", *(f"P{number}" for number in range(100, 160))], NOW, 1, "backfill")
        assert first_load.judge(session, NOW) is FirstLoad.PASSED


def test_an_acceptance_is_for_what_is_held_and_counts_it_by_kind(ledger: Ledger) -> None:
    with ledger.write() as session:
        assert first_load.accept(session, "ana", NOW) is None
        for number in range(51):
            record(session, create(f"P{number}"), incident=f"P{number}")
        first_load.judge(session, NOW)
        assert first_load.data_of(session)["counts"] == {"create_ticket": 51}
        assert first_load.accept(session, "ana", NOW) == {"create_ticket": 51}
        assert first_load.state_of(session) is FirstLoad.PASSED
        assert first_load.accept(session, "ana", NOW) is None


def test_twenty_five_tickets_are_no_mass() -> None:
    assert holds.MASS_AT_MOST == 25


def move(incident_id: str) -> MoveTicket:
    return MoveTicket(
        incident=incident_id,
        aspect="status",
        word="resolved",
        status="5",
        state="resolved",
        from_status="3",
        reason="rules changed",
    )


def hold(ledger: Ledger, *incidents: str) -> None:
    with ledger.write() as session:
        for incident_id in incidents:
            operation = move(incident_id)
            outbox.record(
                session,
                [operation],
                NOW,
                "v1",
                waiting=open_operations_in(session, incident_id),
                hold=frozenset([operation.key]),
            )


def test_what_is_held_is_released_as_a_whole_or_by_its_number(ledger: Ledger) -> None:
    hold(ledger, "P1", "P2", "P3")
    with ledger.write() as session:
        holds.hold_mass(session, NOW)
        first = outbox.listing(session, [OperationState.HELD])[0]
        assert holds.release(session, NOW, "ana", ids=[first.id or 0]) == ["P1"]
        assert holds.mass_data(session) == {"since": NOW.isoformat(), "tickets": 2}
        assert holds.release(session, NOW, "ana") == ["P2", "P3"]
        assert holds.mass_data(session) is None
        assert {row.state for row in outbox.listing(session)} == {"pending"}


def test_what_was_decided_later_is_not_released_with_it(ledger: Ledger) -> None:
    hold(ledger, "P1")
    latest = holds.latest_operation(ledger)
    hold(ledger, "P2")
    judgement = holds.judge(ledger, NOW, "syncd", latest, count=False)
    assert (judgement.freed, judgement.mass, judgement.more) == (["P1"], None, True)


def held_of(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return [row.incident_id for row in outbox.listing(session, [OperationState.HELD])]


def judge(ledger: Ledger, minutes: float = 0.0, by_people: frozenset[str] = frozenset()) -> Judgement:
    at, latest = NOW + timedelta(minutes=minutes), holds.latest_operation(ledger)
    return holds.judge(ledger, at, "syncd", latest, count=False, by_people=by_people)


def leave(ledger: Ledger, minutes: float = 0.0) -> None:
    """Claim and finish all pending operations."""
    at = NOW + timedelta(minutes=minutes)
    with ledger.write() as session:
        for row in outbox.listing(session, [OperationState.PENDING]):
            claimed = operation_states.claim_in(session, row.id or 0, "run", at, {}, None)
            assert claimed is not None
            operation_states.finish(session, claimed, OperationState.DONE, at)


def names(first: int, last: int) -> list[str]:
    return [f"P{number:02}" for number in range(first, last + 1)]


def test_twice_twenty_tickets_in_one_hour_are_held_from_the_26th_on(ledger: Ledger) -> None:
    hold(ledger, *names(1, 20))
    assert judge(ledger).freed == names(1, 20)
    leave(ledger)
    hold(ledger, *names(21, 40))
    later = judge(ledger, 59)
    assert (later.freed, later.mass) == (names(21, 25), 15)
    assert held_of(ledger) == names(26, 40)


def test_after_an_hour_they_are_counted_anew(ledger: Ledger) -> None:
    hold(ledger, *names(1, 20))
    judge(ledger)
    leave(ledger)
    hold(ledger, *names(21, 40))
    assert judge(ledger, 61).freed == names(21, 40)


def test_what_a_pause_keeps_back_counts_until_an_hour_after_it_left(ledger: Ledger) -> None:
    hold(ledger, *names(1, 20))
    judge(ledger)
    hold(ledger, *names(21, 25))
    assert judge(ledger, 120).freed == names(21, 25)
    leave(ledger, 180)
    hold(ledger, *names(26, 27))
    assert judge(ledger, 230).mass == 2


def test_the_same_ticket_counts_once(ledger: Ledger) -> None:
    hold(ledger, *names(1, 25))
    judge(ledger)
    leave(ledger)
    hold(ledger, *names(1, 25))
    assert judge(ledger, 10).freed == names(1, 25)


def test_what_follows_people_s_acts_in_jira_does_not_count_for_the_hour(ledger: Ledger) -> None:
    hold(ledger, *names(1, 20))
    by_people = frozenset(move(incident_id).key for incident_id in names(1, 40))
    judge(ledger, 0, by_people)
    leave(ledger)
    hold(ledger, *names(21, 40))
    assert judge(ledger, 10, by_people).freed == names(21, 40)


def test_what_is_a_mass_at_once_is_held_as_a_whole(ledger: Ledger) -> None:
    hold(ledger, *names(1, 26))
    assert (judge(ledger).mass, held_of(ledger)) == (26, names(1, 26))


def test_a_mass_of_which_nothing_is_left_does_not_hold_what_comes_later(ledger: Ledger) -> None:
    hold(ledger, *names(1, 26))
    judge(ledger)
    with ledger.write() as session:
        for row in outbox.listing(session, [OperationState.HELD]):
            operation_states.finish(session, row, OperationState.SUPERSEDED, NOW, why="not needed")
        holds.end_mass_if_gone(session)
    hold(ledger, "P50")
    assert judge(ledger, 10).freed == ["P50"]


def test_a_pause_stands_until_it_is_lifted_each_target_for_itself(ledger: Ledger) -> None:
    later = NOW + timedelta(hours=1)
    with ledger.write() as session:
        holds.pause(session, [Target.JIRA, Target.MAIL], "Jira is being moved", "ana", NOW)
        holds.pause(session, [Target.MAIL], "and mail", "ben", later)
    with ledger.read() as session:
        standing = holds.pauses(session)
        assert (standing["jira"]["reason"], standing["jira"]["by"]) == ("Jira is being moved", "ana")
        assert (standing["mail"]["reason"], standing["mail"]["since"]) == ("and mail", later.isoformat())
    with ledger.write() as session:
        assert holds.resume(session, list(Target), "ana", later) == ["jira", "mail"]
        assert holds.resume(session, list(Target), "ana", later) == []
        assert holds.pauses(session) == {}
