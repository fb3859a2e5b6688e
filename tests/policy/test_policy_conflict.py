"""What is changed back three times within a day is a conflict, until both sides agree or a person decides."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from policy_cast import (
    AGREED,
    BEN,
    DONE,
    IN_PROGRESS,
    NOW,
    TO_DO,
    book,
    case,
    edits,
    incident,
    issue,
    left,
    of_kind,
    said,
    ticket,
)

from syncd.domain.operation import Kind
from syncd.policy.decide import decide
from syncd.policy.ticket.revert_counter import (
    conflict_on,
    counted,
    in_conflict,
    print_of,
    remembered,
    too_often,
)
from syncd.policy.two_way.conflicts import decide_conflicts


def play(shown: list[Any], hours: float = 1.0) -> dict[str, Any]:
    """What is kept of the status after it was written once and then seen as `shown`, `hours` apart."""
    agreed: dict[str, Any] = remembered({}, "status", print_of("3"))
    for number, value in enumerate(shown):
        agreed |= counted(agreed, "status", value, NOW + timedelta(hours=hours * number))
    return agreed


@pytest.mark.parametrize(
    ("shown", "hours", "conflict"),
    [
        (["4", "3", "4", "3", "4"], 1, False),
        (["4", "3", "4", "3", "4", "3"], 1, True),
        (["3", "3", "3", "3"], 1, False),
        (["9", "8", "9", "8", "9", "8"], 1, False),
        (["4", "3", "4", "3", "4", "3"], 12, False),
    ],
)
def test_only_the_third_change_back_within_a_day_counts(
    shown: list[str], hours: float, conflict: bool
) -> None:
    assert too_often(play(shown, hours)) is conflict


def test_every_step_of_a_move_counts_as_what_stood_before() -> None:
    agreed: dict[str, Any] = remembered({}, "status", print_of("1"))
    agreed |= remembered(agreed, "status", print_of("2"), further=True)
    assert counted(agreed, "status", "1", NOW)
    assert counted(agreed, "status", "2", NOW)
    assert not counted(agreed, "status", "3", NOW)


def test_another_write_of_ours_keeps_the_count() -> None:
    agreed = play(["3", "4", "3"])
    agreed |= remembered(agreed, "status", print_of("9"))
    assert too_often(counted(agreed, "status", "9", NOW + timedelta(hours=4)))


def test_the_third_change_back_is_left_on_record_and_said_once() -> None:
    agreed = {**AGREED, **play(["3", "4", "3", "4"])}
    shown = ticket(issue(status=IN_PROGRESS), agreed=agreed, placed_status="4")
    known = case(incident(status="acknowledged"), shown, now=NOW + timedelta(hours=5))
    decision = decide(known, book())
    assert conflict_on("status").items() <= decision.agreed.items()
    assert left(decision) == [("conflict", "status was changed back 3 times within 24 hours on this ticket")]
    assert [remark.aspect for remark in decision.remarks] == ["status"]
    (text,) = said(decision)
    assert text.startswith("status: a person or another tool changed back 3 times")
    assert of_kind(decision, Kind.MOVE_TICKET) == []


@pytest.mark.parametrize("shows", [TO_DO, IN_PROGRESS, DONE])
def test_a_status_in_conflict_is_never_moved_again(shows: Any) -> None:
    agreed = {**AGREED, **conflict_on("status")}
    over = incident(status="resolved", assignees=())
    for state in (incident(status="acknowledged"), over):
        known = case(state, ticket(issue(status=shows), agreed=agreed), now=NOW + timedelta(days=3))
        assert of_kind(decide(known, book()), Kind.MOVE_TICKET) == []


def test_a_field_in_conflict_is_left_and_the_others_follow() -> None:
    agreed = {**AGREED, **conflict_on("summary")}
    changed = incident(title="Payments have stopped", assignees=(BEN,))
    decision = decide(case(changed, ticket(agreed=agreed), now=NOW), book())
    assert list(edits(decision)) == ["assignee"]


def follow(shows: Any, hours: float, agreed: dict[str, Any]) -> Any:
    """Decide on an acknowledged incident whose ticket, in conflict about its status, shows a status."""
    shown = ticket(issue(status=shows), agreed=agreed, placed_status="4")
    return decide(case(incident(status="acknowledged"), shown, now=NOW + timedelta(hours=hours)), book())


def test_a_conflict_is_over_when_both_sides_have_agreed_for_a_day() -> None:
    agreed = {**AGREED, **conflict_on("status")}
    agreed |= follow(TO_DO, 0, agreed).agreed
    agrees = follow(IN_PROGRESS, 1, agreed)
    assert agrees.again <= 24 * 3600
    agreed |= agrees.agreed
    assert left(follow(IN_PROGRESS, 24, agreed)) == []
    over = follow(IN_PROGRESS, 25, agreed)
    assert left(over) == [("conflict.over", "status: both sides have agreed for 24 hours")]
    assert not in_conflict(over.agreed, "status")
    assert not too_often(over.agreed)


def test_a_conflict_is_over_when_the_ticket_gets_a_third_value_which_stays() -> None:
    agreed = {**AGREED, **conflict_on("status")}
    agreed |= follow(TO_DO, 0, agreed).agreed
    assert follow(TO_DO, 100, agreed).remarks == ()
    over = follow(DONE, 100, agreed)
    assert left(over) == [("conflict.over", "status: somebody gave the ticket another value, which stays")]
    assert of_kind(over, Kind.MOVE_TICKET) == []
    assert of_kind(follow(DONE, 101, agreed | over.agreed), Kind.MOVE_TICKET) == []


def test_what_is_kept_holds_no_text() -> None:
    kept = remembered({}, "summary", print_of("Card 4111 leaked"))
    assert "Card" not in str(kept)


def test_nothing_is_counted_of_what_we_never_wrote() -> None:
    assert decide_conflicts(case(now=NOW), book()) == decide_conflicts(case(now=None), book())
