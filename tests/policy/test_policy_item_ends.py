"""How an action item ends and when it is due, and which moves of a postmortem's date and incident count."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from duty_cast import DAY, DUE, HOUR, OLA, PIA, RESOLVED, US, Life, ours, rules, theirs
from policy_cast import DONE, IN_PROGRESS, book, incident
from test_policy_item_waivers import Owed
from test_policy_item_waivers import issue as item_issue

from syncd.domain.duty import DutyKind
from syncd.domain.history import Change, Leave, StateChange, StateChangeKind
from syncd.domain.ticket import Comment, Issue
from syncd.policy.case import Case, ItemState
from syncd.policy.follow_ups.completion import End, end_of
from syncd.policy.follow_ups.judge import decide_follow_ups

CLOSED = RESOLVED + 2 * DAY
LATER = RESOLVED + 90 * DAY
RULES = book(follow_ups={"mode": "enforce", "wont_do": ["Won't Do"]}).mapping.follow_ups
BEFORE = theirs("we keep the old queue", CLOSED - HOUR, OLA)


def ended(
    *comments: Comment, labels: tuple[str, ...] = (), closed: bool = True, runbook: bool = False
) -> End:
    """An item that Pia closed, or only labelled, with these comments."""
    issue = Issue(
        id="900",
        key="OPS-9",
        project="OPS",
        type_id="100",
        status=DONE if closed else IN_PROGRESS,
        labels=labels,
        created_at=RESOLVED,
        comments=comments,
    )
    changes = [Change(at=CLOSED, author=PIA, field="labels", before_words="", after_words=" ".join(labels))]
    if closed:
        changes.append(Change(at=CLOSED, author=PIA, field="status", before=IN_PROGRESS.id, after=DONE.id))
    return end_of(issue, changes, RULES, knowledge=runbook, restricted=False)


@pytest.mark.parametrize(
    ("comments", "counts"),
    [
        ((BEFORE,), True),
        ((), False),
        ((theirs("long ago", CLOSED - 2 * DAY, OLA),), False),
        ((ours("Overdue.", CLOSED - HOUR),), False),
    ],
    ids=["a person's reason", "no reason", "an old comment", "syncd's comment"],
)
def test_what_people_will_not_do_ends_with_a_persons_reason_alone(
    comments: tuple[Comment, ...], counts: bool
) -> None:
    end = ended(*comments, labels=("wont-do",), closed=False)
    assert (end.stands, end.closed is not None, end.lacking is None) == ("won't do", counts, counts)


def test_a_reason_that_comes_after_the_label_ends_the_item_when_it_comes() -> None:
    late = theirs("we keep the old queue", CLOSED + 5 * DAY, OLA)
    assert ended(late, labels=("wont-do",), closed=False).closed == (CLOSED + 5 * DAY, "Ola")


@pytest.mark.parametrize(
    ("comments", "labels", "counts"),
    [
        ((theirs("see https://wiki.example/queue", CLOSED - HOUR, OLA),), (), True),
        ((theirs("nothing has changed", CLOSED - HOUR, OLA),), ("no-change-needed",), True),
        ((theirs("nothing has changed", CLOSED - HOUR, OLA),), (), False),
        ((), ("no-change-needed",), False),
        ((), (), False),
    ],
    ids=["a link", "the label with a comment", "a comment alone", "the label alone", "nothing"],
)
def test_the_runbook_item_is_closed_with_a_link_or_with_the_label_and_a_comment(
    comments: tuple[Comment, ...], labels: tuple[str, ...], counts: bool
) -> None:
    assert (ended(*comments, labels=labels, runbook=True).closed is not None) == counts


@pytest.mark.parametrize(
    ("own", "due"),
    [
        (date(2026, 11, 30), datetime(2026, 12, 1, tzinfo=UTC)),
        # 30 working days after the resolve of a SEV2, the latest day.
        (date(2027, 6, 1), None),
        (None, None),
    ],
)
def test_an_item_is_due_at_the_earlier_of_the_owners_date_and_the_latest_day(
    own: date | None, due: datetime | None
) -> None:
    latest = Owed(owner=OLA, due=None).at(RESOLVED + HOUR, DutyKind.DONE).due_at
    assert Owed(owner=OLA, due=own).at(RESOLVED + HOUR, DutyKind.DONE).due_at == (due or latest)


@pytest.mark.parametrize(
    ("own", "due"),
    [
        (date(2026, 12, 10), datetime(2026, 12, 11, tzinfo=UTC)),
        (date(2026, 11, 24), RESOLVED + 9 * DAY),
    ],
    ids=["its date lies ahead", "its date is over"],
)
def test_an_item_opened_again_is_due_at_the_later_of_its_date_and_24_working_hours(
    own: date, due: datetime
) -> None:
    owed, opened = Owed(owner=OLA, due=own), RESOLVED + 8 * DAY
    owed.changes = (
        Change(at=RESOLVED + 2 * HOUR, author=PIA, field="status", before=IN_PROGRESS.id, after=DONE.id),
        Change(at=RESOLVED + 2 * HOUR, author=PIA, field="resolution", before=None, after="1"),
        Change(at=opened, author=PIA, field="status", before=DONE.id, after=IN_PROGRESS.id),
        Change(at=opened, author=PIA, field="resolution", before="1", after=None),
    )
    duty = owed.at(opened + HOUR, DutyKind.DONE)
    assert (duty.clock, duty.started_at, duty.due_at) == (2, opened, due)
    assert next(each_duty for each_duty in owed.duties if each_duty.kind == DutyKind.DONE).state == "met"


def test_a_date_moved_to_more_than_14_days_after_it_was_met_is_owed_again_with_the_same_deadline() -> None:
    life = Life().resolve().review(RESOLVED + HOUR)
    assert life.state(RESOLVED + 2 * HOUR) == "met"
    life.review(RESOLVED + 3 * HOUR, "2026-12-08")
    duty = life.duty(RESOLVED + 4 * HOUR)
    assert duty is not None and (duty.state, duty.due_at, duty.met_at) == ("pending", DUE, None)
    life.review(RESOLVED + 5 * HOUR, "2026-12-07")
    assert life.state(RESOLVED + 6 * HOUR) == "met"


@pytest.mark.parametrize(
    ("meant", "clocks"), [(False, [(1, "due_soon")]), (True, [(1, "cancelled"), (2, "pending")])]
)
def test_resolved_again_without_an_alert_an_acknowledgement_or_a_note_the_old_deadline_stays(
    meant: bool, clocks: list[tuple[int, str]]
) -> None:
    life = Life().resolve().reopen(RESOLVED + 10 * HOUR, meant=meant).resolve(RESOLVED + 20 * HOUR)
    life.decide(RESOLVED + 30 * HOUR)
    assert life.all() == clocks


def test_an_owner_who_left_between_two_looks_around_the_deadline_counts_for_it() -> None:
    left = DUE + HOUR
    life = Life(leaves={OLA.id: Leave(after=DUE - HOUR, by=left)}, owner_active=False)
    life.resolve().review(RESOLVED + HOUR).decide(left + HOUR)
    assert life.all() == [(1, "met"), (2, "pending")]


def test_a_comment_explains_a_label_from_an_hour_before_it_at_most() -> None:
    for early, given in ((HOUR, 1), (HOUR + timedelta(seconds=1), 0)):
        people = {"fallback": "Duty Officer", "approvers": ["boss@qrpay.example"]}
        life = Life(rules(people=people), labels=("waived",)).resolve()
        life.change("labels", RESOLVED + 5 * HOUR, "waived", OLA, before_words="", after_words="waived")
        life.comments.append(theirs("holidays", RESOLVED + 5 * HOUR - early))
        assert len(life.decide(RESOLVED + 6 * HOUR).waivers) == given


def test_what_syncd_itself_wrote_meets_no_duty_of_an_item() -> None:
    robot = US.model_copy(update={"human": False})
    issue_changes = (
        Change(at=RESOLVED + HOUR, author=robot, field="status", before=IN_PROGRESS.id, after=DONE.id),
    )
    owed = Owed(owner=OLA, due=date(2026, 11, 24))
    owed.issue = owed.issue.model_copy(update={"status": DONE, "comments": ()})
    owed.changes = issue_changes
    assert owed.at(RESOLVED + 2 * HOUR, DutyKind.DONE).state == "pending"


@pytest.mark.parametrize("known", [None, ("triggered",)], ids=["log not read", "log read"])
def test_an_item_of_an_incident_that_was_never_resolved_owes_nothing(
    known: tuple[StateChangeKind, ...] | None,
) -> None:
    changes = tuple(StateChange(kind=kind, at=RESOLVED) for kind in known) if known else None
    shown = item_issue(OLA, date(2026, 11, 24))
    state = ItemState(
        issue_id=shown.id,
        key=shown.key,
        source="linked to the ticket",
        issue=shown,
        changes_until=LATER,
        first_seen_at=RESOLVED,
    )
    case = Case(incident=incident(), now=LATER, items=(state,), state_changes=changes)
    decision = decide_follow_ups(case, book(follow_ups={"mode": "enforce"}))
    assert (decision.look, decision.duties) == (frozenset(), ())
    assert shown.id in decision.facts
