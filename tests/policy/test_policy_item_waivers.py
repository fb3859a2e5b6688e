"""Waivers and corrections of one action item: they hold for it alone, and as long as they say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from duty_cast import APPROVER, DAY, HOUR, OLA, PIA, RESOLVED, SECOND, theirs
from policy_cast import DONE, IN_PROGRESS, book, incident

from syncd.domain.clock import GRACE, ClockSkew
from syncd.domain.duty import Duty, DutyKind, DutyState, Waiver
from syncd.domain.history import Change
from syncd.domain.ticket import Account, Comment, Issue
from syncd.policy.case import Case, Decision, ItemState
from syncd.policy.decide import with_duties
from syncd.policy.follow_ups.judge import decide_follow_ups
from syncd.policy.postmortem.waiver_labels import LABEL

ITEM = "900"
BOOK = book(
    follow_ups={"mode": "enforce"},
    postmortem={"mode": "off"},
    people={"fallback": "Duty Officer", "approvers": ["boss@qrpay.example", "pia@qrpay.example"]},
)
OWNED_DUE = RESOLVED + DAY
"""24 working hours after a Monday's resolve."""


def issue(owner: Account | None, due: date | None) -> Issue:
    return Issue(
        id=ITEM,
        key="OPS-9",
        project="OPS",
        type_id="100",
        summary="Alert earlier",
        status=IN_PROGRESS,
        assignee=owner,
        due_date=due.isoformat() if due else None,
        created_at=RESOLVED,
        updated="2026-11-23T09:00:00.000+0000",
    )


class Owed:
    """One action item whose duties are judged again and again."""

    def __init__(self, owner: Account | None = None, due: date | None = None) -> None:
        self.issue = issue(owner, due)
        self.duties: tuple[Duty, ...] = ()
        self.waivers: list[Waiver] = []
        self.changes: tuple[Change, ...] = ()
        self.gone_since: datetime | None = None
        self.read_until: datetime | None = None
        self.skew = ClockSkew()
        self.decision = Decision()

    def label(self, *comments: Comment, labels: tuple[str, ...] = (LABEL,)) -> None:
        self.issue = self.issue.model_copy(update={"labels": labels, "comments": comments})

    def waive(self, kind: DutyKind, at: datetime, until: datetime, subject: str | None = ITEM) -> None:
        self.waivers.append(
            Waiver(duty=kind, subject=subject, until=until, reason="holidays", by="Pia", at=at)
        )

    def take_back(self, kind: DutyKind, at: datetime, met_at: datetime | None = None) -> None:
        more: dict[str, Any] = {"corrected": "a typing mistake", "corrected_at": at, "claimed_met_at": met_at}
        void = {"state": DutyState.VOID, **more}
        self.duties = tuple(
            duty.model_copy(update=void) if duty.kind is kind else duty for duty in self.duties
        )

    def at(self, now: datetime, kind: DutyKind) -> Duty:
        case = Case(
            incident=incident(status="resolved", resolved_at=RESOLVED, created_at=RESOLVED - HOUR),
            now=now,
            items=(
                ItemState(
                    issue_id=ITEM,
                    key="OPS-9",
                    source="sub-task of the postmortem",
                    issue=self.issue,
                    changes=self.changes,
                    changes_until=self.gone_since or now,
                    out_of_sight_since=self.gone_since,
                    first_seen_at=RESOLVED,
                ),
            ),
            duties=self.duties,
            read_until=self.read_until,
            skew=self.skew,
            waivers=tuple(waiver for waiver in self.waivers if waiver.at <= now),
            approvers=frozenset({APPROVER.id, PIA.id}),
        )
        decision = self.decision = decide_follow_ups(case, BOOK)
        kept = {(waiver.source, waiver.at): waiver for waiver in (*self.waivers, *decision.waivers)}
        self.waivers = [*kept.values()]
        self.duties = with_duties(case, decision.duties).duties
        self.again = decision.again
        duty = case.model_copy(update={"duties": self.duties}).duty(kind, ITEM)
        assert duty is not None
        return duty


def test_a_waived_item_is_owed_again_at_its_end_with_a_day_left() -> None:
    owed = Owed()
    owed.at(RESOLVED + HOUR, DutyKind.OWNED)
    until = RESOLVED + 3 * DAY
    owed.waive(DutyKind.OWNED, RESOLVED + 2 * HOUR, until)
    assert owed.at(OWNED_DUE + HOUR, DutyKind.OWNED).state == "waived"
    duty = owed.at(until - SECOND, DutyKind.OWNED)
    assert (duty.state, duty.breached_at, duty.due_at) == ("waived", None, until + DAY)
    assert owed.again == 1
    assert owed.at(until, DutyKind.OWNED).state == "pending"
    duty = owed.at(until + DAY + GRACE, DutyKind.OWNED)
    assert (duty.state, duty.breached_at) == ("breached", until + DAY)


def test_an_item_that_is_owned_before_its_deadline_keeps_its_week_whatever_was_waived() -> None:
    owed = Owed()
    owed.waive(DutyKind.OWNED, RESOLVED + 2 * HOUR, RESOLVED + 9 * DAY)
    waived = owed.at(RESOLVED + 3 * HOUR, DutyKind.OWNED)
    assert (waived.due_at, waived.was_due_at) == (RESOLVED + 10 * DAY, OWNED_DUE)
    owed.issue = issue(OLA, None)
    met = owed.at(RESOLVED + 4 * HOUR, DutyKind.OWNED)
    assert (met.state, met.due_at, met.was_due_at) == ("met", OWNED_DUE, None)


def test_a_waived_item_that_is_done_before_its_date_keeps_its_week() -> None:
    owed = Owed(owner=OLA, due=date(2026, 11, 24))
    own_date = owed.at(RESOLVED + HOUR, DutyKind.DONE).due_at
    owed.waive(DutyKind.DONE, RESOLVED + 2 * HOUR, RESOLVED + 9 * DAY)
    waived = owed.at(RESOLVED + 3 * HOUR, DutyKind.DONE)
    assert (waived.due_at, waived.was_due_at) == (RESOLVED + 10 * DAY, own_date)
    owed.issue = owed.issue.model_copy(update={"status": DONE, "created_at": RESOLVED + 3 * HOUR})
    met = owed.at(RESOLVED + 4 * HOUR, DutyKind.DONE)
    assert (met.state, met.due_at, met.was_due_at) == ("met", own_date, None)


def test_one_waiver_holds_for_one_duty_of_one_item() -> None:
    owed = Owed(due=date(2026, 11, 24))
    owed.at(RESOLVED + HOUR, DutyKind.DONE)
    owed.waive(DutyKind.DONE, RESOLVED + 2 * HOUR, RESOLVED + 9 * DAY)
    owed.waive(DutyKind.OWNED, RESOLVED + 2 * HOUR, RESOLVED + 9 * DAY, subject="901")
    owed.waive(DutyKind.OWNED, RESOLVED + 2 * HOUR, RESOLVED + 9 * DAY, subject=None)
    assert owed.at(RESOLVED + 2 * DAY, DutyKind.DONE).state == "waived"
    assert owed.at(RESOLVED + 2 * DAY, DutyKind.OWNED).state == "breached"


def test_a_waiver_given_after_the_miss_stops_reminders_and_leaves_the_item_missed_in_its_week() -> None:
    owed = Owed(owner=OLA, due=date(2026, 11, 24))
    late = owed.at(RESOLVED + 3 * DAY, DutyKind.DONE)
    assert late.state == "breached"
    until = RESOLVED + 5 * DAY
    owed.waive(DutyKind.DONE, RESOLVED + 3 * DAY + HOUR, until)
    waived = owed.at(RESOLVED + 4 * DAY, DutyKind.DONE)
    assert (waived.state, waived.verdict, waived.due_at) == ("waived", "breached", late.due_at)
    duty = owed.at(until + HOUR, DutyKind.DONE)
    assert (duty.state, duty.due_at, duty.breached_at) == ("breached", late.due_at, late.breached_at)
    assert owed.at(until + DAY + timedelta(hours=1), DutyKind.DONE) == duty
    owed.issue = owed.issue.model_copy(update={"status": DONE, "created_at": until + 2 * DAY})
    done = owed.at(until + 3 * DAY, DutyKind.DONE)
    assert (done.state, done.due_at) == ("met_late", late.due_at)


@pytest.mark.parametrize("looked", [True, False])
def test_an_item_done_late_and_waived_after_that_is_late_whatever_was_known_when(looked: bool) -> None:
    owed = Owed(owner=OLA, due=date(2026, 11, 24))
    if looked:
        owed.at(RESOLVED + 3 * DAY, DutyKind.DONE)
    owed.issue = owed.issue.model_copy(update={"status": DONE})
    owed.changes = (
        Change(at=RESOLVED + 4 * DAY, author=OLA, field="status", before=IN_PROGRESS.id, after=DONE.id),
    )
    owed.waive(DutyKind.DONE, RESOLVED + 5 * DAY, RESOLVED + 9 * DAY)
    duty = owed.at(RESOLVED + 6 * DAY, DutyKind.DONE)
    assert (duty.state, duty.due_at) == ("met_late", datetime(2026, 11, 25, tzinfo=UTC))


@pytest.mark.parametrize("kind", [DutyKind.DONE, DutyKind.OWNED])
def test_a_breach_that_was_taken_back_is_void_and_owed_anew(kind: DutyKind) -> None:
    owed = Owed(owner=OLA if kind is DutyKind.DONE else None, due=date(2026, 11, 24))
    at = RESOLVED + 3 * DAY
    late = owed.at(at, kind)
    owed.take_back(kind, at + HOUR)
    anew = owed.at(at + 2 * HOUR, kind)
    assert (anew.clock, anew.started_at, anew.due_at) == (2, at + HOUR, at + HOUR + DAY)
    assert anew.breached_at is None
    assert owed.at(at + 3 * HOUR, kind) == anew
    missed = owed.at(at + 2 * DAY, kind)
    assert (missed.clock, missed.state, missed.due_at) == (2, "breached", at + HOUR + DAY)
    void = next(duty for duty in owed.duties if duty.kind is kind)
    assert (void.clock, void.state, void.breached_at) == (1, "void", late.breached_at)
    assert void.verdict == "void"


@pytest.mark.parametrize("kind", [DutyKind.DONE, DutyKind.OWNED])
def test_a_breach_that_was_taken_back_with_a_time_owes_nothing_more(kind: DutyKind) -> None:
    owed = Owed(owner=OLA if kind is DutyKind.DONE else None, due=date(2026, 11, 24))
    at = RESOLVED + 3 * DAY
    owed.at(at, kind)
    owed.take_back(kind, at + HOUR, RESOLVED + HOUR)
    assert owed.at(at + 9 * DAY, kind).state == "void"


@pytest.mark.parametrize(
    ("skew", "passes"),
    [
        (ClockSkew(), OWNED_DUE + GRACE),
        (ClockSkew(behind=5 * HOUR), OWNED_DUE + 5 * HOUR),
        (ClockSkew(ahead=5 * HOUR), OWNED_DUE + GRACE),
    ],
)
def test_an_items_deadline_passes_when_it_has_passed_by_both_clocks(
    skew: ClockSkew, passes: datetime
) -> None:
    owed = Owed()
    owed.skew = skew
    assert owed.at(passes - SECOND, DutyKind.OWNED).state == "due_soon"
    duty = owed.at(passes, DutyKind.OWNED)
    assert (duty.state, duty.breached_at) == ("breached", OWNED_DUE)


@pytest.mark.parametrize(("done_at", "state"), [(OWNED_DUE - HOUR, "met"), (OWNED_DUE + HOUR, "met_late")])
def test_an_item_that_cannot_be_seen_is_not_met_until_its_changelog_shows_otherwise(
    done_at: datetime, state: str
) -> None:
    owed = Owed()
    owed.at(RESOLVED + HOUR, DutyKind.OWNED)
    owed.gone_since = RESOLVED + 2 * HOUR
    duty = owed.at(OWNED_DUE + DAY, DutyKind.OWNED)
    assert (duty.state, duty.breached_at, duty.unseen) == ("breached", OWNED_DUE, True)
    owed.gone_since = None
    owed.issue = issue(OLA, None)
    owed.changes = (Change(at=done_at, author=OLA, field="assignee", before=None, after=OLA.id),)
    duty = owed.at(OWNED_DUE + 2 * DAY, DutyKind.OWNED)
    assert (duty.state, duty.unseen) == (state, False)
    assert ("took the breach back" in duty.reason) == (state == "met")


def test_a_deadline_that_no_read_has_reached_is_judged_soon_again() -> None:
    owed = Owed()
    owed.at(RESOLVED + HOUR, DutyKind.OWNED)
    owed.read_until = OWNED_DUE - HOUR
    assert owed.at(OWNED_DUE + HOUR, DutyKind.OWNED).state == "due_soon"
    assert owed.again == 60
    owed.read_until = OWNED_DUE + HOUR
    assert owed.at(OWNED_DUE + HOUR, DutyKind.OWNED).state == "breached"


def test_the_label_with_an_approvers_comment_waives_the_item_until_the_day_it_names() -> None:
    owed = Owed(owner=OLA, due=date(2026, 11, 24))
    owed.label(theirs("holidays until 2026-12-03", RESOLVED + HOUR))
    duty = owed.at(RESOLVED + 2 * HOUR, DutyKind.DONE)
    (waiver,) = owed.decision.waivers
    assert (waiver.subject, waiver.duty, waiver.until) == (
        ITEM,
        DutyKind.DONE,
        datetime(2026, 12, 4, tzinfo=UTC),
    )
    assert (duty.state, duty.due_at) == ("waived", datetime(2026, 12, 5, tzinfo=UTC))
    owed.at(RESOLVED + 3 * HOUR, DutyKind.DONE)
    assert owed.decision.waivers == ()
    owed.label(labels=())
    owed.changes = (
        Change(at=RESOLVED + DAY, author=OLA, field="labels", before_words=LABEL, after_words=""),
    )
    ended = owed.at(RESOLVED + 2 * DAY, DutyKind.DONE)
    assert (owed.waivers[0].ended_at, ended.due_at) == (RESOLVED + DAY, RESOLVED + 2 * DAY)


@pytest.mark.parametrize(
    "comments",
    [(), (theirs("no", RESOLVED + HOUR, OLA),), (theirs("I cannot", RESOLVED + HOUR, PIA),)],
    ids=["nobody's comment", "a colleague's", "the owner's, who is an approver"],
)
def test_a_label_without_an_approver_who_is_not_its_owner_waives_nothing(
    comments: tuple[Comment, ...],
) -> None:
    owed = Owed(owner=PIA, due=date(2026, 11, 24))
    owed.label(*comments)
    assert owed.at(RESOLVED + 2 * HOUR, DutyKind.DONE).state == "pending"
    assert owed.decision.waivers == ()


def test_the_third_waiver_by_label_needs_two_approvers() -> None:
    owed = Owed(owner=OLA, due=date(2026, 11, 24))
    for number in range(2):
        owed.waive(DutyKind.DONE, RESOLVED + number * SECOND, RESOLVED + HOUR)
    owed.label(theirs("again", RESOLVED + HOUR))
    owed.at(RESOLVED + 2 * HOUR, DutyKind.DONE)
    assert owed.decision.waivers == ()
    owed.label(theirs("again", RESOLVED + HOUR), theirs("yes", RESOLVED + 2 * HOUR, PIA))
    owed.at(RESOLVED + 3 * HOUR, DutyKind.DONE)
    assert [waiver.by for waiver in owed.decision.waivers] == ["The boss and Pia"]


def test_between_a_deadline_and_its_two_minutes_an_item_is_looked_at_once_when_they_are_over() -> None:
    owed = Owed()
    owed.at(OWNED_DUE + SECOND, DutyKind.OWNED)
    assert owed.again == (GRACE - SECOND).total_seconds()
