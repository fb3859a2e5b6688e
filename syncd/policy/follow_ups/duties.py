"""Hold the facts of an action item, and what its two duties share: met, owed, overdue, owed anew.

QRPay runbook, "Post-Incident Actions"; Ramen runbook, "Post-incident review": action items with owners and
dates. syncd judges both duties from the item's changelog, by Jira's clock: `owner` judges that it has an
owner within working hours, `done` that it is done by its date.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from pydantic import Field

from syncd.domain.base import UtcTime, Value
from syncd.domain.clock import IN_STEP, ClockSkew
from syncd.domain.duty import TAKEN_BACK, Duty, DutyKind, DutyState, Waiver
from syncd.domain.history import Change, Leave
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.ticket import Account, Issue
from syncd.policy.follow_ups.completion import Ended, closed_at
from syncd.policy.postmortem.deadlines import due_after_correction, moved_deadline
from syncd.policy.time.time_words import as_date
from syncd.policy.time.working_time import add_working_hours

TOO_OFTEN = 3
"""From this many postponements on, the contacts hear of the item."""
OPENED_AGAIN = "it was opened again"
"""The reason of a duty with a new clock after the item was opened again."""


class LatestDay(Value):
    """The severity's latest day for an item, as it was from a moment on."""

    since: UtcTime
    day: date


class Item(Value):
    """The facts by which the two duties of an action item are judged.

    `starts` is the later of the resolve and the moment at which the issue became an action item. `latest` is
    the severity's latest day, and `counted` names the severity and the resolve from which syncd counted it;
    `latest_days` are the latest days by all severities that counted. `by_rule` is the account to which syncd
    assigned the item by rule. `ends` are the times in which an end counted. syncd has read the changelog up
    to `seen_until`. `leaves` are owners whose accounts syncd saw inactive, by account id. Jira does not show
    the item since `hidden_since`, None while it does. `kind` is the duty to end it: `done`, or `held`.
    """

    issue: Issue
    changes: tuple[Change, ...] = ()
    seen_until: UtcTime
    starts: UtcTime
    latest: date
    counted: str = ""
    latest_days: tuple[LatestDay, ...] = ()
    by_rule: str | None = None
    ends: tuple[Ended, ...] = ()
    leaves: dict[str, Leave] = Field(default_factory=dict)
    hidden_since: UtcTime | None = None
    kind: DutyKind = DutyKind.DONE

    @property
    def closed(self) -> tuple[datetime, str] | None:
        """The time and the person of the end that counts, None while the item is open."""
        return closed_at(self.ends)


def active(account: Account | None) -> bool:
    """Return True if an account can own an item: it is active and belongs to a person."""
    return account is not None and account.active and account.human is True


def owner_due(start: datetime, mapping: Mapping) -> datetime:
    """Return the moment (UTC) by which an item needs an owner, or an item that was opened again is due."""
    hours = mapping.follow_ups.owner_hours
    return add_working_hours(start, hours, mapping.zone, mapping.holidays)


class JudgingRules(Value):
    """The facts beside the item that change a verdict.

    `waivers` are those of this action item alone: a waiver of the postmortem's duties does not count here.
    `skew` says when a deadline has passed by all clocks. `soon` is the time before a deadline from which a
    duty is due soon.
    """

    waivers: tuple[Waiver, ...] = ()
    skew: ClockSkew = IN_STEP
    soon: timedelta = timedelta(hours=24)

    def deadline_of(self, duty: Duty, done_at: datetime | None = None) -> datetime:
        """Return a duty's deadline as the waivers move it; the duty is fulfilled from `done_at` on."""
        # A waiver that ran when a breach was taken back is in that deadline already.
        after = duty.started_at if duty.reason.startswith(TAKEN_BACK) else None
        return self.deadline(duty.kind, duty.was_due_at or duty.due_at, done_at, after)

    def deadline(
        self, kind: DutyKind, due: datetime, done_at: datetime | None = None, after: datetime | None = None
    ) -> datetime:
        """Return a deadline as the waivers that were given after a moment move it."""
        own = (waiver for waiver in self.waivers if waiver.duty is kind)
        waivers = sorted(own, key=lambda waiver: waiver.at)
        waivers = [waiver for waiver in waivers if after is None or waiver.at > after]
        return moved_deadline(due, waivers, lambda at: done_at is not None and done_at <= at)

    def waived(self, kind: DutyKind, now: datetime) -> bool:
        """Return True if a waiver of this duty runs now."""
        return any(waiver.duty is kind and waiver.runs(now) for waiver in self.waivers)


def met(duty: Duty, at: datetime, by: str, judging: JudgingRules) -> Duty:
    """Return the duty as met by a person at a moment, in time or late."""
    base = duty.was_due_at or duty.due_at
    due, breached = judging.deadline_of(duty, at), duty.breached_at
    late = due if at > due else None
    update: dict[str, object] = {
        "state": DutyState.MET if breached is None and late is None else DutyState.MET_LATE,
        # What was done before the clock started meets it from its start on.
        "met_at": max(at, duty.started_at),
        "met_by": by,
        "breached_at": breached or late,
    }
    # A breach that is on record keeps its deadline.
    if breached is None:
        update |= due_and_before(due, base)
    return duty.model_copy(update=update)


def due_and_before(due: datetime, base: datetime) -> dict[str, object]:
    """Return the fields of a deadline; `base` is the deadline without waivers."""
    return {"due_at": due, "was_due_at": base if due != base else None}


def still_owed(duty: Duty, item: Item, now: datetime, judging: JudgingRules) -> Duty:
    """Return the duty as pending, due soon, waived or overdue."""
    base, due = duty.was_due_at or duty.due_at, judging.deadline_of(duty)
    # Only a changelog that was read up to the deadline proves that nobody did it by then.
    over = min(now, item.seen_until) >= judging.skew.judged_from(due)
    breached = duty.breached_at or (due if over else None)
    state = DutyState.PENDING
    if judging.waived(duty.kind, now):
        state = DutyState.WAIVED
    elif breached is not None:
        state = DutyState.BREACHED
    elif judging.skew.is_due(due - judging.soon, now):
        state = DutyState.DUE_SOON
    update: dict[str, object] = {"state": state, "breached_at": breached, "met_at": None, "met_by": None}
    # A breach that is on record keeps its deadline, whatever was waived later.
    if duty.breached_at is None:
        update |= due_and_before(due, base)
    return duty.model_copy(update=update)


def first_clock(kind: DutyKind, item: Item, mapping: Mapping, due: datetime) -> Duty:
    """Return a duty of the item with its first clock, without a verdict."""
    reason = {
        DutyKind.OWNED: f"it needs an owner within {mapping.follow_ups.owner_hours:g} working hours",
        DutyKind.DONE: "it must be done by its due date",
        DutyKind.HELD: "it must be held by its due date",
    }[kind]
    return Duty(
        kind=kind,
        subject=item.issue.id,
        started_at=item.starts,
        due_at=due,
        reason=reason,
        rule=mapping.version,
    )


class Dated(Value):
    """The due date of an item from one moment until its next change."""

    since: UtcTime
    until: UtcTime | None = None
    day: date | None = None


def dates(item: Item) -> tuple[Dated, ...]:
    """Return the item's due dates since its duty started, oldest first."""
    moves = [change for change in item.changes if change.field == "duedate"]
    day = as_date(moves[0].before or moves[0].before_words) if moves else as_date(item.issue.due_date)
    since = item.starts
    periods: list[Dated] = []
    for move in moves:
        # A date that was set before the duty started is the date at its start.
        if move.at > since:
            periods.append(Dated(since=since, until=move.at, day=day))
            since = move.at
        day = as_date(move.after or move.after_words)
    return (*periods, Dated(since=since, day=day))


def postponements(changes: Sequence[Change]) -> int:
    """Return how often the due date was moved to a later day."""
    return len(postponed_at(changes))


def postponed_at(changes: Sequence[Change]) -> list[datetime]:
    """Return the moments at which the due date was moved to a later day, in the changelog's order.

    A date that a person removes first and sets to a later day afterwards is moved, too.
    """
    moments, last = list[datetime](), None
    for change in changes:
        if change.field != "duedate":
            continue
        before = as_date(change.before or change.before_words) or last
        after = as_date(change.after or change.after_words)
        if before is not None and after is not None and after > before:
            moments.append(change.at)
        last = after or before
    return moments


def due_day(item: Item) -> date:
    """Return the local day on which the item is due: the owner's date, at most the severity's latest day."""
    own = as_date(item.issue.due_date)
    if item.closed is not None:
        # A date that was moved after the item was done says nothing about its deadline.
        own = next(
            (dated.day for dated in dates(item) if dated.until is None or dated.until > item.closed[0]), own
        )
    return item.latest if own is None else min(own, item.latest)


def owed_anew(void: Duty, mapping: Mapping, judging: JudgingRules) -> Duty:
    """Return the duty of the same kind that is owed after a breach was taken back."""
    at = void.corrected_at or void.due_at
    own = (waiver for waiver in judging.waivers if waiver.duty is void.kind)
    return Duty(
        kind=void.kind,
        subject=void.subject,
        clock=void.clock + 1,
        started_at=at,
        due_at=due_after_correction(at, own),
        reason=TAKEN_BACK,
        rule=mapping.version,
    )
