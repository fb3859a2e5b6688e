"""What our comments state of duties is read back as it was, and nothing that anybody else made of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from duty_cast import APPROVER, DAY, DUE, HOUR, RESOLVED, US, Life, rules
from hypothesis import given
from hypothesis import strategies as st

from syncd.domain.clock import GRACE
from syncd.domain.duty import Duty, DutyKind, DutyState, Waiver
from syncd.domain.operation import Kind, Operation
from syncd.domain.ticket import Comment, Mark
from syncd.policy.marks import mark_line
from syncd.policy.notify.duty_comments import comment_on_duties
from syncd.policy.postmortem.facts_in_comments import (
    POSTMORTEM,
    SAID,
    CommentFact,
    facts_in_comments,
    rebuilt,
)
from syncd.policy.postmortem.waiver_comments import comment_on_waivers
from syncd.policy.postmortem.waiver_labels import label_waivers

COMMENTS = (Kind.COMMENT_ON_POSTMORTEM, Kind.COMMENT_ON_ACTION_ITEM)
LATER = DUE + GRACE
NOW = RESOLVED + 5 * HOUR


def written(op: Operation, at: datetime, incident: str = "P1") -> Comment:
    """The comment that an operation writes."""
    facts = {**op.meaning["facts"], SAID: op.meaning.get("said", "")}  # type: ignore[dict-item] # an object always
    return Comment(
        id=f"C-{op.op}",
        author=US,
        body=f"Waiver: words.\n\n{mark_line(op.op)}",
        created_at=at,
        updated_at=at,
        mark=Mark(op=op.op, kind=op.kind, incident=incident, instance="lost", facts=facts),
    )


def told(life: Life, now: datetime) -> list[Operation]:
    """What is said on the postmortem of waivers and breaches."""
    life.decide(now)
    case = life.case(now)
    both = comment_on_duties(case, life.book).operations + comment_on_waivers(case, life.book).operations
    return [op for op in both if op.kind in COMMENTS and "facts" in op.meaning]


def waiver(**changes: Any) -> Waiver:
    data = {
        "duty": DutyKind.SCHEDULED,
        "until": NOW + 9 * DAY,
        "reason": "{holidays}",
        "by": "Pia",
        "at": NOW,
    }
    return Waiver(**{**data, **changes})


def believed(*comments: Comment, place: str = POSTMORTEM) -> list[CommentFact]:
    facts = facts_in_comments(comments, {US.id}, "P1", place)
    return [fact for fact in facts if isinstance(fact, CommentFact)]


def of_waivers(*given: Waiver) -> list[Comment]:
    life = Life(waivers=[*given]).resolve()
    return [
        written(op, NOW + HOUR) for op in comment_on_waivers(life.case(NOW + 60 * DAY), life.book).operations
    ]


def test_a_breach_is_read_back_as_it_was() -> None:
    life = Life().resolve()
    (late,) = told(life, LATER)
    duties, waivers = rebuilt(believed(written(late, LATER)), "P1", None)
    known = life.case(LATER).duty("scheduled")
    assert known is not None
    assert waivers == []
    (duty,) = duties
    assert (duty.state, duty.rebuilt) == (DutyState.BREACHED, True)
    again = Life(duties=tuple(duties)).resolve()
    assert again.duty(LATER) == known.model_copy(update={"rebuilt": True})
    assert told(again, LATER) == [late]


def test_a_breach_that_was_taken_back_stays_both() -> None:
    life = Life().resolve()
    first = told(life, LATER)
    void = {"state": "void", "corrected": "Jira was down", "corrected_at": LATER}
    life.duties = tuple(
        Duty.model_validate({**dict(each_duty), **void}) if each_duty.kind == "scheduled" else each_duty
        for each_duty in life.duties
    )
    second = told(life, LATER + HOUR)
    comments = [written(op, LATER + at * HOUR) for at, op in enumerate([*first, *second])]
    ((duty,), _) = rebuilt(believed(*comments), "P1", None)
    assert (duty.corrected, duty.breached_at) == ("Jira was down", DUE)
    assert (duty.state, duty.corrected_at) == ("void", LATER)
    again = Life(duties=(duty,)).resolve()
    assert again.state(LATER + 2 * HOUR) == "due_soon"
    assert again.all() == [(1, "void"), (2, "due_soon")]


times = st.timedeltas(timedelta(0), 25 * DAY).map(lambda passed: NOW + passed)
words = st.text()


@given(
    at=times, days=st.floats(0.1, 30), by=st.text(), why=st.text(), ended=st.booleans(), both=st.booleans()
)
def test_any_waiver_and_its_end_are_read_back_as_they_were(
    at: datetime, days: float, by: str, why: str, ended: bool, both: bool
) -> None:
    end = {"ended_at": at + timedelta(days=days / 2), "ended_by": by} if ended else {}
    duty = None if both else DutyKind.COMPLETED
    until = at + timedelta(days=days)
    given_ = waiver(duty=duty, at=at, until=until, by=by, reason=why or "so", **end)
    (_, waivers) = rebuilt(believed(*of_waivers(given_)), "P1", None)
    assert waivers == [given_.model_copy(update={"rebuilt": True})]


def test_a_waiver_by_label_that_was_read_back_ends_with_its_label() -> None:
    (comment,) = of_waivers(waiver(source="jira", duty=None))
    (_, waivers) = rebuilt(believed(comment), "P1", None)
    life = Life(waivers=waivers).resolve()
    decision, _ = label_waivers(life.case(NOW + DAY), life.book)
    (ended,) = decision.waivers
    assert (ended.ended_at, ended.rebuilt) == (NOW + DAY, True)


def edited(comment: Comment) -> Comment:
    return comment.model_copy(update={"updated_at": comment.created_at + HOUR})


def by_somebody_else(comment: Comment) -> Comment:
    return comment.model_copy(update={"author": APPROVER})


def by_nobody(comment: Comment) -> Comment:
    return comment.model_copy(update={"author": None})


def stated(comment: Comment, **facts: Any) -> Comment:
    """Somebody wrote other facts into the mark."""
    assert comment.mark is not None
    mark = comment.mark.model_copy(update={"facts": {**comment.mark.facts, **facts}})
    return comment.model_copy(update={"mark": mark})


def longer(comment: Comment) -> Comment:
    return stated(comment, until=(NOW + 20 * DAY).isoformat())


def of_both_duties(comment: Comment) -> Comment:
    return stated(comment, duty=None)


def unknown(comment: Comment) -> Comment:
    return stated(comment, more="than there is")


def no_time(comment: Comment) -> Comment:
    return stated(comment, until="tomorrow")


def with_another_last_line(comment: Comment) -> Comment:
    return comment.model_copy(update={"body": f"Waiver: words.\n\n{mark_line('0' * 16)}"})


def without_last_line(comment: Comment) -> Comment:
    return comment.model_copy(update={"body": "Waiver: words."})


def of_another_incident(comment: Comment) -> Comment:
    assert comment.mark is not None
    return comment.model_copy(update={"mark": comment.mark.model_copy(update={"incident": "P2"})})


def sixty_days(_comment: Comment) -> Comment:
    (comment,) = of_waivers(waiver(until=NOW + 60 * DAY))
    return comment


@pytest.mark.parametrize(
    "change",
    [
        edited,
        by_somebody_else,
        by_nobody,
        longer,
        of_both_duties,
        unknown,
        no_time,
        with_another_last_line,
        without_last_line,
        of_another_incident,
        sixty_days,
    ],
)
def test_what_anybody_changed_or_wrote_themselves_states_nothing(
    change: Callable[[Comment], Comment],
) -> None:
    (comment,) = of_waivers(waiver())
    assert len(believed(comment)) == 1
    forged = change(comment)
    assert list(facts_in_comments([forged], {US.id}, "P1", POSTMORTEM)) == [forged]


def test_a_comment_that_was_copied_to_another_issue_states_nothing_there() -> None:
    (comment,) = of_waivers(waiver())
    assert believed(comment, place="10042") == []


def test_comments_of_people_and_those_of_ours_that_state_nothing_are_passed_over() -> None:
    bare = Mark(op="ab", kind="comment_on_postmortem", incident="P1", instance="x")
    ours = Comment(id="1", author=US, body="due soon", created_at=NOW, mark=bare)
    theirs = Comment(id="2", author=APPROVER, body=f"waived\n{mark_line('a' * 16)}", created_at=NOW)
    assert list(facts_in_comments([ours, theirs], {US.id}, "P1", POSTMORTEM)) == []


def test_of_a_restricted_incident_nobodys_words_are_said() -> None:
    life = Life(restricted=True).resolve()
    life.waivers.append(waiver())
    (op,) = told(life, NOW)
    assert "holidays" not in op.model_dump_json()
    ((rebuilt_waiver,),) = (rebuilt(believed(written(op, NOW)), "P1", None)[1],)
    assert rebuilt_waiver.reason == "see the comment"


def test_in_report_mode_it_is_told_what_would_be_said() -> None:
    life = Life(book=rules(postmortem={"mode": "report"})).resolve()
    life.waivers.append(waiver())
    life.decide(NOW)
    decision = comment_on_waivers(life.case(NOW), life.book)
    assert decision.operations == ()
    assert decision.dry_run_notes == (
        "comment: so that people see the waiver, and syncd can read it back if the ledger is lost",
    )


def test_what_has_no_issue_yet_is_said_once_it_has_one() -> None:
    life = Life(postmortem=False).resolve()
    life.waivers.append(waiver())
    assert told(life, NOW) == []
    life.postmortem = True
    assert len(told(life, NOW)) == 1
