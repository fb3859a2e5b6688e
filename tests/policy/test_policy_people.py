"""Who is a person: what apps, robots and our own account do meets no duty and is nobody's word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from duty_cast import APPROVER, DAY, DUE, HOUR, OLA, PIA, RESOLVED, ROBOT, US, Life, ours, rules, theirs
from policy_cast import DONE, TO_DO, ticket

from syncd.domain.duty import Duty, DutyKind, DutyState
from syncd.domain.history import Change
from syncd.domain.ticket import Account, Comment, Issue
from syncd.policy.case import Case, ItemState
from syncd.policy.decide import with_duties
from syncd.policy.follow_ups.judge import NONE_LABEL, decide_follow_ups, follow_ups_unsaid
from syncd.policy.judged_people import judged_people
from syncd.policy.marks import is_persons
from syncd.policy.postmortem.duties import decide_duties
from syncd.policy.postmortem.fulfilment import review_field, written_by_a_person

LISTED = Account(id="acc-listed", name="Jira Automation")
"""Of accountType atlassian, and in `people.robots`."""
NOBODIES = frozenset({LISTED.id, US.id, "robot@company.example"})
BY_ADDRESS = Account(id="acc-new", name="Jira Automation", email="Robot@company.example")
"""In `people.robots` by an address whose account could not be looked up."""
APARTS = pytest.mark.parametrize(
    "by",
    [ROBOT, LISTED, BY_ADDRESS, US],
    ids=["an app", "a listed account", "a listed address", "our own"],
)
NOT_KNOWN = pytest.mark.parametrize(
    "by",
    [ROBOT, LISTED, BY_ADDRESS, US, None],
    ids=["an app", "a listed account", "a listed address", "our own", "somebody whom Jira does not name"],
)
BEGAN = RESOLVED + HOUR
END = BEGAN + 40 * DAY


class Judged(Life):
    """A life whose cases say who is a person."""

    def case(self, now: Any) -> Case:
        return judged_people(super().case(now), NOBODIES)


def item_of(changes: tuple[Change, ...], comments: tuple[Comment, ...] = (), **shown: Any) -> ItemState:
    data = {"id": "30001", "key": "OPS-30", "project": "OPS", "type_id": "5", "status": TO_DO} | shown
    issue = Issue.model_validate({**data, "created_at": BEGAN, "parent_id": "20001", "comments": comments})
    return ItemState(
        issue_id="30001",
        key="OPS-30",
        issue=issue,
        changes=changes,
        changes_until=END,
        source="made",
        first_seen_at=BEGAN,
    )


def duties_of(item: ItemState) -> dict[str, Duty]:
    """How the duties of an item stand in the end."""
    book = rules(follow_ups={"mode": "enforce"})
    life = Judged(book=book).resolve()
    known = ticket(placed_status=None)
    case = life.case(END).model_copy(update={"items": (item,), "ticket": known})
    case = judged_people(case, NOBODIES)
    case = with_duties(case, decide_follow_ups(case, book).duties)
    return {duty.kind: duty for duty in case.duties}


def change(field: str, by: Account | None, at: Any = BEGAN + HOUR, **more: Any) -> Change:
    return Change(at=at, author=by, field=field, **more)


@NOT_KNOWN
def test_a_review_date_of_no_person_schedules_nothing(by: Account | None) -> None:
    life = Judged().resolve().review(BEGAN, by=by)
    assert life.state(DUE + HOUR) == DutyState.BREACHED


@NOT_KNOWN
def test_a_move_of_no_person_completes_nothing(by: Account | None) -> None:
    life = Judged().resolve().review(BEGAN).move(BEGAN + HOUR, DONE, by=by)
    assert life.state(BEGAN + DAY, DutyKind.COMPLETED) == DutyState.PENDING


@APARTS
def test_a_postmortem_that_is_assigned_to_no_person_has_no_owner(by: Account) -> None:
    life = Judged(owner_at_first=None).resolve().assign(BEGAN, by).review(BEGAN + HOUR)
    case = life.case(DUE + HOUR)
    assert case.postmortem is not None and case.postmortem.issue is not None
    shown = case.postmortem.issue.model_copy(update={"assignee": by})
    postmortem = case.postmortem.model_copy(update={"issue": shown})
    case = judged_people(case.model_copy(update={"postmortem": postmortem}), NOBODIES)
    states = {duty.kind: duty.state for duty in decide_duties(case, life.book).duties}
    assert states[DutyKind.SCHEDULED] == DutyState.BREACHED


@NOT_KNOWN
def test_an_owner_whom_no_person_chose_schedules_nothing_until_they_work_on_it(by: Account | None) -> None:
    life = Judged(owner_at_first=None).resolve().assign(BEGAN, OLA, by=by).review(BEGAN + HOUR, by=PIA)
    assert life.state(DUE - HOUR) == DutyState.DUE_SOON
    touched_at = BEGAN + 3 * HOUR
    life.comments.append(theirs("I lead it", touched_at, OLA))
    met = life.decide(DUE + HOUR).duties[0]
    assert (met.state, met.met_at) == (DutyState.MET, touched_at)


def test_an_owner_whom_a_robot_chose_and_who_enters_the_review_date_has_taken_it() -> None:
    life = Judged(owner_at_first=None).resolve().assign(BEGAN, OLA, by=ROBOT).review(BEGAN + HOUR, by=OLA)
    assert life.state(DUE + HOUR) == DutyState.MET


@NOT_KNOWN
def test_an_owner_who_is_replaced_by_no_person_leaves_it_scheduled(by: Account | None) -> None:
    life = Judged().resolve().review(BEGAN).assign(BEGAN + HOUR, PIA, by=by)
    assert life.state(DUE + HOUR) == DutyState.MET
    life.assign(BEGAN + 2 * HOUR, None, by=by)
    assert life.state(DUE + HOUR) == DutyState.BREACHED


@APARTS
def test_what_no_person_wrote_is_no_work_on_a_postmortem(by: Account) -> None:
    life = Judged(comments=[theirs("a summary", BEGAN, by)]).resolve().change("description", BEGAN, "x", by)
    assert not written_by_a_person(life.case(BEGAN + HOUR).postmortem, review_field(life.book))
    life.comments.append(theirs("I was there", BEGAN + HOUR, PIA))
    assert written_by_a_person(life.case(BEGAN + 2 * HOUR).postmortem, review_field(life.book))


def test_what_somebody_whom_jira_does_not_name_wrote_may_be_a_persons_work() -> None:
    silent = Judged().resolve()
    assert not written_by_a_person(silent.case(BEGAN + HOUR).postmortem, review_field(silent.book))
    for life in (
        Judged(comments=[theirs("a summary", BEGAN, None)]).resolve(),
        Judged().resolve().change("description", BEGAN, "x", None),
    ):
        assert written_by_a_person(life.case(BEGAN + HOUR).postmortem, review_field(life.book))


@NOT_KNOWN
def test_an_owner_whom_no_person_assigned_counts_once_they_touch_the_item(by: Account | None) -> None:
    assigned = change("assignee", by, after=OLA.id, after_words=OLA.name)
    untouched = duties_of(item_of((assigned,), assignee=OLA))[DutyKind.OWNED]
    assert untouched.state == DutyState.BREACHED
    touched_at = BEGAN + 2 * HOUR
    touched = item_of((assigned,), (theirs("mine", touched_at, OLA),), assignee=OLA)
    met = duties_of(touched)[DutyKind.OWNED]
    assert (met.state, met.met_at) == (DutyState.MET, touched_at)


def test_an_owner_whom_a_person_assigned_counts_at_once() -> None:
    assigned = change("assignee", PIA, after=OLA.id, after_words=OLA.name)
    met = duties_of(item_of((assigned,), assignee=OLA))[DutyKind.OWNED]
    assert (met.state, met.met_at) == (DutyState.MET, assigned.at)


@APARTS
def test_an_item_that_is_assigned_to_no_person_has_no_owner(by: Account) -> None:
    assigned = change("assignee", PIA, after=by.id, after_words=by.name)
    assert duties_of(item_of((assigned,), assignee=by))[DutyKind.OWNED].state == DutyState.BREACHED


@NOT_KNOWN
def test_an_item_that_no_person_closed_is_done_once_a_person_touches_it(by: Account | None) -> None:
    closed = change("status", by, before=TO_DO.id, after=DONE.id, after_words=DONE.name)
    assert duties_of(item_of((closed,), status=DONE))[DutyKind.DONE].met_at is None
    confirmed_at = BEGAN + 3 * HOUR
    confirmed = item_of((closed,), (theirs("yes, it is", confirmed_at, PIA),), status=DONE)
    done = duties_of(confirmed)[DutyKind.DONE]
    assert (done.met_at, done.met_by) == (confirmed_at, PIA.name)


@NOT_KNOWN
def test_a_reason_that_no_person_wrote_ends_no_item(by: Account | None) -> None:
    labelled = change("labels", PIA, after_words="wont-do")
    item = item_of((labelled,), (theirs("because", BEGAN + HOUR, by),), labels=("wont-do",))
    assert duties_of(item)[DutyKind.DONE].met_at is None


@NOT_KNOWN
def test_the_label_no_follow_ups_counts_from_a_person_alone(by: Account | None) -> None:
    book = rules(follow_ups={"mode": "enforce"})
    for who, unsaid in ((by, True), (PIA, False)):
        life = Judged(book=book, labels=(NONE_LABEL,)).resolve().review(BEGAN).move(BEGAN, DONE)
        life.changes.append(change("labels", who, before_words="", after_words=NONE_LABEL))
        assert follow_ups_unsaid(life.case(BEGAN + DAY), book) is unsaid


@APARTS
def test_a_waiver_needs_a_persons_comment(by: Account) -> None:
    for who, given in ((by, 0), (APPROVER, 1)):
        life = Judged(
            book=rules(people={"approvers": ["boss@qrpay.example"]}),
            labels=("waived",),
            approvers=frozenset({by.id, APPROVER.id}),
            comments=[theirs("waived until the vendor answers", BEGAN + HOUR, who)],
        ).resolve()
        life.change("labels", BEGAN + HOUR, None, PIA, after_words="waived")
        life.decide(BEGAN + 2 * HOUR)
        assert len(life.waivers) == given


def test_a_comment_is_a_persons_where_no_app_robot_or_syncd_wrote_it() -> None:
    at = BEGAN + timedelta(minutes=1)
    assert is_persons(theirs("hello", at, PIA))
    assert not is_persons(theirs("hello", at, ROBOT))
    assert not is_persons(theirs("hello", at, None))
    assert not is_persons(ours("hello", at))
    assert not is_persons(theirs("hello\nsyncd 0123456789abcdef", at, PIA))
