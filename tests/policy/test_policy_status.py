"""The ticket's status follows the incident's state and leaves people's own moves alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from policy_cast import (
    AGREED,
    DONE,
    IN_PROGRESS,
    IN_REVIEW,
    NOW,
    TO_DO,
    WAITING,
    WONT_DO,
    book,
    case,
    closing,
    incident,
    issue,
    left,
    ticket,
)

from syncd.domain.base import Reference
from syncd.domain.history import SeverityPeriod
from syncd.domain.incident import Incident
from syncd.domain.operation import Kind, MoveTicket, OperationClass
from syncd.domain.ticket import Status
from syncd.policy.case import Case, ClosedBy, Decision, MergedSource, Rulebook
from syncd.policy.ticket.status import decide_status, with_left

OWES_NOTHING = Reference(id="PRIO4", name="P4")
OWES = Reference(id="PRIO1", name="P1")


def stands(
    at: Status,
    happened: Incident,
    *,
    agreed: str | None = "triggered",
    placed: Status | None = TO_DO,
    **more: Any,
) -> Case:
    """A ticket that stands somewhere, with what was agreed on last and where the daemon put it."""
    known = {**AGREED, "state": agreed} if agreed else {}
    placed_id = placed.id if placed else None
    return case(happened, ticket(issue(status=at), agreed=known, placed_status=placed_id, **more))


def target(decision: Decision) -> str | None:
    """Where a decision moves the ticket."""
    (move,) = decision.operations or [None]
    assert move is None or (move.kind, move.op_class, move.aspect) == (
        Kind.MOVE_TICKET,
        OperationClass.STATE,
        "status",
    )
    return str(move.meaning["status"]) if move else None


@pytest.mark.parametrize(
    ("state", "agreed", "at", "to"),
    [
        ("acknowledged", "triggered", TO_DO, IN_PROGRESS),
        ("resolved", "acknowledged", IN_PROGRESS, IN_REVIEW),
        ("resolved", "triggered", TO_DO, IN_REVIEW),
        ("triggered", "resolved", IN_REVIEW, TO_DO),
        ("acknowledged", "resolved", IN_REVIEW, IN_PROGRESS),
    ],
)
def test_a_ticket_follows_its_incident(state: str, agreed: str, at: Status, to: Status) -> None:
    decision = decide_status(stands(at, incident(status=state), agreed=agreed, placed=at), book())
    assert target(decision) == to.id
    assert decision.operations[0].meaning["from"] == at.id
    assert state in decision.operations[0].reason
    assert decision.agreed == {}


@pytest.mark.parametrize("state", ["triggered", "acknowledged", "resolved"])
@pytest.mark.parametrize("at", [TO_DO, IN_PROGRESS, IN_REVIEW, DONE, WAITING, WONT_DO])
def test_a_ticket_stays_wherever_people_put_it_while_its_incident_does_not_change(
    state: str, at: Status
) -> None:
    assert decide_status(stands(at, incident(status=state), agreed=state), book()) == Decision()


@pytest.mark.parametrize("at", [IN_PROGRESS])
def test_a_ticket_that_stands_there_already_is_agreed_on_without_a_move(at: Status) -> None:
    decision = decide_status(stands(at, incident(status="acknowledged")), book())
    assert decision == Decision(agreed={"state": "acknowledged"})


@pytest.mark.parametrize("state", ["acknowledged", "resolved"])
def test_a_status_that_the_mapping_does_not_name_belongs_to_people(state: str) -> None:
    decision = decide_status(stands(WAITING, incident(status=state)), book())
    assert target(decision) is None
    assert decision.agreed == {"state": state}
    assert left(decision) == [("status", "the mapping names no status 77, so it belongs to people")]


@pytest.mark.parametrize("at", [DONE, WONT_DO])
@pytest.mark.parametrize("state", ["acknowledged", "resolved"])
def test_a_ticket_that_a_person_closed_is_not_pulled_back(state: str, at: Status) -> None:
    unread = stands(at, incident(status=state), placed=IN_PROGRESS)
    assert decide_status(unread, book()) == Decision(look=frozenset({"ticket"}))
    closed = stands(at, incident(status=state), placed=IN_PROGRESS, closed=first_move(at))
    decision = decide_status(closed, book())
    assert target(decision) is None
    assert decision.agreed == {"state": state}
    assert len(decision.remarks) == 1


@pytest.mark.parametrize("state", ["triggered", "acknowledged"])
def test_a_ticket_that_we_closed_by_the_changelog_is_reopened_with_its_incident(state: str) -> None:
    ours = first_move(DONE).model_copy(update={"ours": True})
    shut = stands(DONE, incident(status=state), agreed="resolved", placed=IN_REVIEW, closed=ours)
    assert target(decide_status(shut, book())) == (TO_DO if state == "triggered" else IN_PROGRESS).id


def test_a_ticket_that_a_person_closed_before_its_first_placement_is_not_pulled_back() -> None:
    closed = first_move(DONE, person=True)
    decision = decide_status(stands(DONE, incident(), agreed=None, placed=None, closed=closed), book())
    assert target(decision) is None
    assert left(decision) == [("status", "a person closed the ticket")]


@pytest.mark.parametrize("state", ["triggered", "acknowledged"])
def test_a_ticket_that_the_daemon_closed_follows_a_reopened_incident(state: str) -> None:
    unread = stands(DONE, incident(status=state), agreed="resolved", placed=DONE)
    assert decide_status(unread, book()) == Decision(look=frozenset({"ticket"}))
    ours = first_move(DONE).model_copy(update={"ours": True})
    shut = stands(DONE, incident(status=state), agreed="resolved", placed=DONE, closed=ours)
    assert target(decide_status(shut, book())) == (TO_DO if state == "triggered" else IN_PROGRESS).id


@pytest.mark.parametrize("origin", ["operation", "adopted"])
def test_a_ticket_that_a_person_closed_again_after_the_daemon_is_not_pulled_back(origin: str) -> None:
    happened, again = incident(status="triggered"), first_move(DONE, before=IN_PROGRESS.id)
    closed = stands(DONE, happened, agreed="resolved", placed=DONE, closed=again, origin=origin)
    decision = decide_status(closed, book())
    assert target(decision) is None
    assert left(decision) == [("status", "a person closed the ticket")]


def test_a_person_who_moved_a_ticket_between_mapped_statuses_does_not_stop_it_for_ever() -> None:
    decision = decide_status(stands(IN_REVIEW, incident(status="acknowledged")), book())
    assert target(decision) == IN_PROGRESS.id


@pytest.mark.parametrize("at", [TO_DO, IN_PROGRESS, IN_REVIEW])
def test_an_acknowledgement_that_times_out_changes_nothing(at: Status) -> None:
    timed_out = stands(at, incident(), agreed="acknowledged", placed=IN_PROGRESS)
    assert decide_status(timed_out, book()) == Decision()


def test_a_second_acknowledgement_after_one_that_timed_out_changes_nothing() -> None:
    again = stands(IN_PROGRESS, incident(status="acknowledged"), agreed="acknowledged", placed=IN_PROGRESS)
    assert decide_status(again, book()) == Decision()


# The first placement


@pytest.mark.parametrize("at", [WAITING, IN_REVIEW, Status(id="1", name="Backlog", category="new")])
def test_a_new_ticket_is_placed_from_wherever_the_create_put_it(at: Status) -> None:
    fresh = stands(at, incident(), agreed=None, placed=None, closed=first_move(at, before=""))
    assert target(decide_status(fresh, book())) == TO_DO.id


def first_move(to: Status, before: str = TO_DO.id, *, person: bool = False) -> ClosedBy:
    """What the changelog says of who moved a new ticket."""
    return ClosedBy(status=to.id, before=before, by="Ana" if before else None, person=person, at=NOW)


def test_where_a_person_may_have_moved_a_new_ticket_its_changelog_is_read_first() -> None:
    fresh = stands(IN_REVIEW, incident(), agreed=None, placed=None)
    assert decide_status(fresh, book()) == Decision(look=frozenset({"ticket"}))
    old = stands(IN_REVIEW, incident(), agreed=None, placed=None, closed=first_move(IN_PROGRESS))
    assert decide_status(old, book()) == Decision(look=frozenset({"ticket"}))


@pytest.mark.parametrize("person", [True, False])
def test_a_persons_first_move_of_a_new_ticket_is_left_and_an_apps_is_not(person: bool) -> None:
    moved = first_move(IN_REVIEW, person=person)
    fresh = stands(IN_REVIEW, incident(), agreed=None, placed=None, closed=moved)
    decision = decide_status(fresh, book())
    assert target(decision) == (None if person else TO_DO.id)
    expected = [("status", "a person moved the ticket before syncd first did")] if person else []
    assert left(decision) == expected


def test_a_new_ticket_that_stands_right_is_agreed_on() -> None:
    fresh = stands(TO_DO, incident(), agreed=None, placed=None)
    assert decide_status(fresh, book()) == Decision(agreed={"state": "triggered"})


def test_a_ticket_is_not_moved_before_it_was_read() -> None:
    unread = case(incident(status="resolved"), ticket().model_copy(update={"issue": None}))
    assert decide_status(unread, book()) == Decision()


@pytest.mark.parametrize("placed", [None, WAITING, WONT_DO, DONE])
@pytest.mark.parametrize("at", [WAITING, WONT_DO, DONE])
def test_an_adopted_ticket_stays_where_people_put_it(at: Status, placed: Status | None) -> None:
    adopted = stands(at, incident(status="acknowledged"), agreed=None, placed=placed, origin="adopted")
    decision = decide_status(adopted, book())
    assert target(decision) is None
    assert decision.agreed == {"state": "acknowledged"}


def test_an_adopted_ticket_in_a_mapped_status_follows_its_incident() -> None:
    adopted = stands(TO_DO, incident(status="acknowledged"), agreed=None, placed=None, origin="adopted")
    assert target(decide_status(adopted, book())) == IN_PROGRESS.id


def test_a_status_that_jira_refused_is_left() -> None:
    refused = stands(TO_DO, incident(status="resolved"), refused=("status",))
    assert decide_status(refused, book()) == Decision()


# Flapping


def left_before(seconds: float, *, back_to: Status = IN_PROGRESS, **more: Any) -> Case:
    """A reopened incident whose ticket left, so many seconds ago, the status that it ought to go back to."""
    known = stands(IN_REVIEW, incident(status="acknowledged"), agreed="resolved", placed=IN_REVIEW, **more)
    assert known.ticket is not None
    agreed = with_left(known.ticket.agreed, back_to.id, NOW - timedelta(seconds=seconds))
    return known.model_copy(update={"ticket": known.ticket.model_copy(update={"agreed": agreed}), "now": NOW})


@pytest.mark.parametrize("seconds", [0, 1, 3600])
def test_a_resolve_moves_the_ticket_at_once(seconds: float) -> None:
    over = stands(IN_PROGRESS, incident(status="resolved"), agreed="acknowledged", placed=IN_PROGRESS)
    decision = decide_status(over.model_copy(update={"now": NOW + timedelta(seconds=seconds)}), book())
    assert (target(decision), not_before(decision), decision.again) == (IN_REVIEW.id, None, None)


def not_before(decision: Decision) -> datetime | None:
    """Before which moment a decision's move does not leave."""
    (move,) = decision.operations
    assert isinstance(move, MoveTicket)
    return move.not_before


@pytest.mark.parametrize("seconds", [0, 1, 299])
def test_a_move_back_waits_until_the_ticket_left_that_status_five_minutes_ago(seconds: float) -> None:
    decision = decide_status(left_before(seconds), book())
    assert target(decision) == IN_PROGRESS.id
    assert not_before(decision) == NOW + timedelta(seconds=300 - seconds)
    assert decision.again == 300 - seconds
    assert f"so the move waits until {not_before(decision):%H:%M:%S} UTC" in decision.operations[0].reason


@pytest.mark.parametrize("seconds", [300, 3600])
def test_a_move_back_after_five_minutes_is_made_at_once(seconds: float) -> None:
    decision = decide_status(left_before(seconds), book())
    assert (target(decision), not_before(decision), decision.again) == (IN_PROGRESS.id, None, None)


def test_a_move_to_another_status_than_the_one_that_was_left_is_made_at_once() -> None:
    decision = decide_status(left_before(1, back_to=TO_DO), book())
    assert (target(decision), not_before(decision)) == (IN_PROGRESS.id, None)


def test_a_resolve_and_a_reopen_and_a_resolve_within_five_minutes_move_the_ticket_once() -> None:
    again = left_before(60).model_copy(update={"incident": incident(status="resolved")})
    assert decide_status(again, book()) == Decision()


def test_a_clock_of_jira_that_is_far_ahead_holds_no_move() -> None:
    decision = decide_status(left_before(-601), book())
    assert (not_before(decision), decision.again) == (None, None)


def test_a_status_that_was_left_long_ago_is_forgotten() -> None:
    agreed = with_left({"state": "triggered"}, TO_DO.id, NOW)
    agreed = with_left(agreed, IN_PROGRESS.id, NOW + timedelta(minutes=6))
    late = (NOW + timedelta(minutes=6)).isoformat()
    assert agreed == {"state": "triggered", "left": {IN_PROGRESS.id: late}}


# Closing


def test_what_was_merged_closes_whatever_its_severity_owes() -> None:
    merged = incident(status="resolved", priority=OWES, merged_into="P2")
    over = stands(IN_PROGRESS, merged, placed=IN_PROGRESS)
    assert target(decide_status(over, closing("enforce"))) == DONE.id
    assert target(decide_status(over, closing("report"))) == IN_REVIEW.id


def test_what_was_resolved_before_it_was_merged_closes_with_the_merge() -> None:
    merged = incident(status="resolved", priority=OWES, merged_into="P2")
    over = stands(IN_REVIEW, merged, agreed="resolved", placed=IN_REVIEW)
    assert target(decide_status(over, closing("enforce"))) == DONE.id


def test_what_a_reopen_took_out_of_a_merge_stands_where_its_own_end_puts_it() -> None:
    alone = incident(status="resolved", priority=OWES)
    ours = first_move(DONE).model_copy(update={"ours": True})
    over = stands(DONE, alone, agreed="merged", placed=DONE, closed=ours)
    assert target(decide_status(over, closing("enforce"))) == IN_REVIEW.id
    known = stands(DONE, alone.model_copy(update={"merged_into": "P2"}), agreed="merged", placed=DONE)
    assert decide_status(known, closing("enforce")) == Decision()


def test_a_merge_opens_no_ticket_that_is_closed() -> None:
    merged = incident(status="resolved", priority=OWES, merged_into="P2")
    ours = first_move(DONE).model_copy(update={"ours": True})
    over = stands(DONE, merged, agreed="resolved", placed=DONE, closed=ours)
    decision = decide_status(over, closing("off"))
    assert (target(decision), decision.agreed) == (None, {"state": "merged"})


def test_what_was_lowered_before_its_resolve_stays_open_while_its_peak_owes_a_postmortem() -> None:
    over = stands(IN_PROGRESS, incident(status="resolved", priority=OWES_NOTHING), placed=IN_PROGRESS)
    peak = (
        SeverityPeriod(severity="SEV0", since=NOW - timedelta(hours=3)),
        SeverityPeriod(severity="SEV3", since=NOW - timedelta(hours=2)),
    )
    held = over.model_copy(update={"severity_periods": peak})
    assert target(decide_status(held, closing("enforce"))) == IN_REVIEW.id


def test_what_absorbed_an_incident_that_owes_a_postmortem_stays_open_at_its_resolve() -> None:
    over = stands(IN_PROGRESS, incident(status="resolved", priority=OWES_NOTHING), placed=IN_PROGRESS)
    worse = MergedSource(id="P2", number=2, severity="SEV0", owes=True, merged_at=NOW)
    took = over.model_copy(update={"merged_sources": (worse,)})
    assert target(decide_status(took, closing("enforce"))) == IN_REVIEW.id


@pytest.mark.parametrize(
    ("rules", "priority", "at", "count"),
    [
        (closing("report"), OWES_NOTHING, IN_REVIEW, 1),
        (closing("report"), OWES, IN_REVIEW, 0),
        (closing("report"), OWES_NOTHING, DONE, 0),
        (closing("enforce"), OWES_NOTHING, IN_REVIEW, 0),
        (closing("off"), OWES_NOTHING, IN_REVIEW, 0),
    ],
)
def test_a_report_says_what_enforcing_would_have_closed(
    rules: Rulebook, priority: Reference, at: Status, count: int
) -> None:
    over = stands(at, incident(status="resolved", priority=priority), agreed="resolved", placed=at)
    decision = decide_status(over, rules)
    assert decision.operations == ()
    assert len(decision.dry_run_notes) == count


def test_nothing_would_be_closed_while_the_incident_is_open() -> None:
    known = stands(IN_PROGRESS, incident(status="acknowledged", priority=OWES_NOTHING), agreed="acknowledged")
    assert decide_status(known, closing("report")) == Decision()


@pytest.mark.parametrize(
    ("rules", "priority", "to"),
    [
        (closing("enforce"), OWES_NOTHING, DONE),
        (closing("enforce"), OWES, IN_REVIEW),
        (closing("report"), OWES_NOTHING, IN_REVIEW),
        (closing("off"), OWES_NOTHING, IN_REVIEW),
        (closing("report"), OWES, IN_REVIEW),
    ],
)
def test_what_owes_nothing_closes_at_the_resolve_only_where_closing_is_enforced(
    rules: Rulebook, priority: Reference, to: Status
) -> None:
    over = stands(IN_PROGRESS, incident(status="resolved", priority=priority), placed=IN_PROGRESS)
    assert target(decide_status(over, rules)) == to.id


def test_closing_does_not_touch_a_ticket_whose_resolve_was_agreed_on_before() -> None:
    over = incident(status="resolved", priority=OWES_NOTHING)
    stayed = stands(IN_REVIEW, over, agreed="resolved", placed=IN_REVIEW)
    assert decide_status(stayed, closing("enforce")) == Decision()
