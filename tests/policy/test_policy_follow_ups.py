"""Whether anybody said which follow-ups there are: one answer for the comment, the gate and the close."""

from __future__ import annotations

from typing import Any

import pytest
from duty_cast import HOUR, OLA, RESOLVED, Life, rules
from policy_cast import DONE, IN_REVIEW, TO_DO, issue, ticket

from syncd.domain.duty import Duty, DutyKind
from syncd.domain.history import Change
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import CommentOnPostmortem, CommentOnTicket, MoveTicket, op_of
from syncd.domain.operation.keys import action_item_key
from syncd.domain.ticket import Account, Issue, Mark
from syncd.policy.case import Case, ClosedBy, Decision, ItemState, Rulebook
from syncd.policy.follow_ups.duties import postponed_at
from syncd.policy.follow_ups.judge import NONE_LABEL, decide_follow_ups
from syncd.policy.follow_ups.membership import KNOWLEDGE
from syncd.policy.follow_ups.operations import act_on_follow_ups
from syncd.policy.notify.recipients import account_of_duty
from syncd.policy.ticket.auto_close import decide_closing
from syncd.policy.ticket.close_gate import decide_gate

COMPLETED = RESOLVED + 20 * HOUR
LATER = RESOLVED + 40 * HOUR
ROW = {"text": "Raise the timeout", "owner": "Ola", "due": ""}


def book(mode: Mode = Mode.ENFORCE, **follow_ups: Any) -> Rulebook:
    return rules(
        follow_ups={"mode": mode, **follow_ups}, closing={"mode": "enforce"}, close_gate={"mode": "reopen"}
    )


def item(facts: dict[str, Any], *, done: bool = False) -> ItemState:
    shown = Issue(
        id="30001",
        key="OPS-30",
        project="OPS",
        type_id="5",
        status=DONE if done else TO_DO,
        assignee=OLA,
        parent_id="20001",
        created_at=COMPLETED,
    )
    return ItemState(
        issue_id="30001",
        key="OPS-30",
        issue=shown,
        changes_until=LATER,
        source="made",
        facts=facts,
        first_seen_at=COMPLETED,
    )


def completed(
    rulebook: Rulebook,
    *items: ItemState,
    labels: tuple[str, ...] = (),
    rows: tuple[dict[str, Any], ...] = (),
    closed: bool = False,
) -> Case:
    """An incident whose postmortem was scheduled and completed; a person closed the ticket, or nobody did."""
    life = Life(book=rulebook, labels=labels).resolve()
    life.review(RESOLVED + HOUR).move(COMPLETED, DONE)
    life.decide(LATER)
    stands = IN_REVIEW if not closed else DONE
    by = ClosedBy(status=DONE.id, before=IN_REVIEW.id, before_name=IN_REVIEW.name, by="Ola", at=LATER - HOUR)
    had = ticket(
        issue(status=stands),
        placed_status=IN_REVIEW.id,
        agreed={"state": "resolved"},
        closed=by if closed else None,
    )
    case = life.case(LATER)
    assert case.postmortem is not None
    postmortem = case.postmortem.model_copy(update={"follow_ups": rows})
    return case.model_copy(update={"ticket": had, "items": items, "postmortem": postmortem})


def comments(decision: Decision) -> list[str]:
    """What is said of missing follow-ups on the postmortem."""
    texts = [op.text for op in decision.operations if isinstance(op, CommentOnPostmortem)]
    return [text for text in texts if NONE_LABEL in text]


def moves(decision: Decision) -> list[str]:
    return [op.status for op in decision.operations if isinstance(op, MoveTicket)]


RUNBOOK = item({KNOWLEDGE: True}, done=True)


@pytest.mark.parametrize("items", [(), (RUNBOOK,)], ids=["no item", "the runbook item alone"])
def test_while_follow_ups_are_unsaid_the_daemon_asks_and_leaves_the_ticket_open(
    items: tuple[ItemState],
) -> None:
    rulebook = book()
    case = completed(rulebook, *items)
    assert len(comments(act_on_follow_ups(case, rulebook))) == 1
    assert moves(decide_closing(case, rulebook)) == []


@pytest.mark.parametrize("items", [(), (RUNBOOK,)], ids=["no item", "the runbook item alone"])
def test_a_persons_close_while_follow_ups_are_unsaid_meets_the_gate(items: tuple[ItemState]) -> None:
    rulebook = book()
    decision = decide_gate(completed(rulebook, *items, closed=True), rulebook)
    (comment,) = (op for op in decision.operations if isinstance(op, CommentOnTicket))
    assert NONE_LABEL in comment.text
    assert moves(decision) == [IN_REVIEW.id]


@pytest.mark.parametrize(
    "given",
    [{"labels": (NONE_LABEL,)}, {"items": (item({}),)}, {"mode": Mode.OFF}],
    ids=["the label", "an action item", "nobody looks at follow-ups"],
)
def test_once_it_is_said_nothing_is_asked_and_the_ticket_closes(given: dict[str, Any]) -> None:
    rulebook = book(given.get("mode", Mode.ENFORCE))
    case = completed(rulebook, *given.get("items", ()), labels=given.get("labels", ()))
    assert comments(act_on_follow_ups(case, rulebook)) == []
    assert moves(decide_closing(case, rulebook)) == [DONE.id]
    closed = completed(rulebook, *given.get("items", ()), labels=given.get("labels", ()), closed=True)
    assert decide_gate(closed, rulebook).operations == ()


def test_rows_become_issues_before_anything_is_said_about_missing_follow_ups() -> None:
    rulebook = book()
    case = completed(rulebook, rows=(ROW,))
    assert comments(act_on_follow_ups(case, rulebook)) == []
    assert moves(decide_closing(case, rulebook)) == [DONE.id]


def test_rows_that_nobody_turns_into_issues_are_no_follow_ups() -> None:
    rulebook = book(rows="off")
    assert len(comments(act_on_follow_ups(completed(rulebook, rows=(ROW,)), rulebook))) == 1


def test_rows_without_an_owner_are_named_when_no_follow_up_is_recorded() -> None:
    rulebook = book()
    (asked,) = comments(act_on_follow_ups(completed(rulebook, rows=({**ROW, "owner": "TBD"},)), rulebook))
    assert "name an owner in each row of its table" in asked


@pytest.mark.parametrize("part", ["postmortem", "items"])
def test_the_gate_says_nothing_is_missing_from_reads_older_than_the_close(part: str) -> None:
    rulebook = book()
    case = completed(rulebook, RUNBOOK, closed=True)
    before = {"changes_until": LATER - 2 * HOUR}
    assert case.postmortem is not None
    stale = {
        "postmortem": case.postmortem.model_copy(update=before if part == "postmortem" else {}),
        "items": (RUNBOOK.model_copy(update=before if part == "items" else {}),),
    }
    decision = decide_gate(case.model_copy(update=stale), rulebook)
    assert (decision.operations, decision.look) == ((), {part})
    assert decide_gate(case, rulebook).operations != ()


def test_the_gate_does_not_say_of_an_item_assigned_by_rule_that_it_has_no_owner() -> None:
    rulebook = book()
    owned = Duty(kind=DutyKind.OWNED, subject="30001", started_at=RESOLVED, due_at=LATER)
    case = completed(rulebook, item({"by_rule": OLA.id}), closed=True)
    case = case.model_copy(update={"duties": (*case.duties, owned)})
    (comment,) = (op for op in decide_gate(case, rulebook).operations if isinstance(op, CommentOnTicket))
    assert "OPS-30 was assigned by rule, not taken (due " in comment.text


def test_in_mode_report_the_gate_only_shows_what_it_would_do() -> None:
    rulebook = book(Mode.REPORT)
    decision = decide_gate(completed(rulebook, closed=True), rulebook)
    assert decision.operations == ()
    assert "follow-ups unsaid" in decision.dry_run_notes[0]


@pytest.mark.parametrize("assignee", [OLA, None, OLA.model_copy(update={"active": False})])
@pytest.mark.parametrize("known_by", ["its facts", "its mark"])
def test_the_runbook_item_has_no_owner_duty_and_belongs_to_the_postmortems_owner(
    assignee: Account | None, known_by: str
) -> None:
    rulebook = book()
    runbook = item({KNOWLEDGE: True} if known_by == "its facts" else {})
    op = op_of(action_item_key("P1", KNOWLEDGE))
    mark = Mark(op=op, kind="create_action_item", incident="P1", instance="x")
    shown = issue_of(runbook).model_copy(update={"assignee": assignee, "mark": mark})
    case = completed(rulebook, runbook.model_copy(update={"issue": shown}))
    decision = decide_follow_ups(case, rulebook)
    assert [duty.kind for duty in decision.duties] == [DutyKind.DONE]
    assert decision.facts["30001"]["violations"] == []
    assert account_of_duty(case, decision.duties[0]) == Account(id=OLA.id, name=shown_name(assignee))


def issue_of(state: ItemState) -> Issue:
    assert state.issue is not None
    return state.issue


def shown_name(assignee: Account | None) -> str:
    # the postmortem's owner is read without a name here
    return OLA.name if assignee is not None and assignee.active else ""


def test_a_due_date_that_is_removed_and_set_to_a_later_day_is_postponed() -> None:
    def dated(hours: int, before: str | None, after: str | None) -> Change:
        return Change(at=RESOLVED + hours * HOUR, author=OLA, field="duedate", before=before, after=after)

    moved = (dated(1, "2026-12-01", None), dated(2, None, "2026-12-20"), dated(3, "2026-12-20", None))
    assert postponed_at(moved) == [RESOLVED + 2 * HOUR]
    assert postponed_at((*moved, dated(4, None, "2026-12-10"), dated(5, "2026-12-10", "2026-12-11"))) == [
        RESOLVED + 2 * HOUR,
        RESOLVED + 5 * HOUR,
    ]
