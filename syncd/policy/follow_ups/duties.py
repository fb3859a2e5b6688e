"""Judge the two duties of an action item: it has an owner within working hours, and it is done by its date.

QRPay runbook, "Post-Incident Actions"; Ramen runbook, "Post-incident review": action items with owners and
dates. syncd judges both duties from the item's changelog, by Jira's clock. An owner whom syncd assigned by
rule counts from the moment at which that person touches the item; an owner who has left does not count. If an
item loses its owner later, it gets a new clock of the same length, and the duty that was met stays met. An
item is due at the earlier of the owner's date and the severity's latest day. A date that was missed stays
missed if a person moves it later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.base import UtcTime, Value
from syncd.domain.duty import MET, Duty, DutyKind, DutyState, Waiver
from syncd.domain.history import Change
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.ticket import Account, Issue
from syncd.policy.postmortem.judge import moved_deadline
from syncd.policy.time.time_words import as_date
from syncd.policy.time.working_time import add_working_days, add_working_hours, at_local

TOO_OFTEN = 3
"""From this many postponements on, the contacts hear of the item."""


class Item(Value):
    """The facts by which the two duties of an action item are judged.

    `starts` is the later of the resolve and the moment at which the issue became an action item. `latest` is
    the severity's latest day, and `counted` names the severity and the resolve from which syncd counted it.
    `by_rule` is the account to which syncd assigned the item by rule. `closed` is the time and the person of
    an end that counts. syncd has read the changelog up to `seen_until`.
    """

    issue: Issue
    changes: tuple[Change, ...] = ()
    seen_until: UtcTime
    starts: UtcTime
    latest: date
    counted: str = ""
    by_rule: str | None = None
    closed: tuple[UtcTime, str] | None = None


class Tenure(Value):
    """A time in which an account owned an item; `by_person` is False if an app or a robot assigned it."""

    account: str
    name: str = ""
    since: UtcTime
    until: UtcTime | None = None
    by_person: bool = True


def end_of_day(day: date, zone: str) -> datetime:
    """Return the moment (UTC) at which a local day is over."""
    return at_local(day + timedelta(days=1), time(), zone)


def latest_day(resolved: datetime, days: int, mapping: Mapping) -> date:
    """Return the local day that lies `days` working days after the resolve."""
    end = add_working_days(resolved, days, mapping.zone, mapping.holidays)
    return end.astimezone(ZoneInfo(mapping.zone)).date()


def active(account: Account | None) -> bool:
    """Return True if an account can own an item: it is active and belongs to a person."""
    return account is not None and account.active and account.human


def tenures(issue: Issue, changes: Sequence[Change]) -> tuple[Tenure, ...]:
    """Return the item's owners, oldest first."""
    moves = [change for change in changes if change.field == "assignee"]
    # The owner before the first change had the item from its create.
    since = issue.created_at
    owners: list[Tenure] = []
    first = moves[0] if moves else None
    holder = (first.before, first.before_words) if first else _present(issue)
    by_person = True
    for move in moves:
        if holder[0] and since is not None:
            owners.append(
                Tenure(
                    account=holder[0],
                    name=holder[1] or "",
                    since=since,
                    until=move.at,
                    by_person=by_person,
                )
            )
        holder, since = (move.after, move.after_words), move.at
        by_person = move.author is None or move.author.human
    if holder[0] and since is not None:
        owners.append(Tenure(account=holder[0], name=holder[1] or "", since=since, by_person=by_person))
    return tuple(owners)


def _present(issue: Issue) -> tuple[str | None, str | None]:
    return (issue.assignee.id, issue.assignee.name) if issue.assignee else (None, None)


def taken_at(item: Item, tenure: Tenure) -> datetime | None:
    """Return when the owner first changed the item or commented on it after the assignment."""
    touched = [
        change.at
        for change in item.changes
        if change.author is not None and change.author.human
        if change.author.id == tenure.account and change.at > tenure.since
    ]
    touched += [
        comment.created_at
        for comment in item.issue.comments or ()
        if comment.author is not None and comment.author.human
        if comment.author.id == tenure.account and comment.created_at > tenure.since
    ]
    return min((at for at in touched if tenure.until is None or at < tenure.until), default=None)


def owned(
    item: Item, recorded: Duty | None, mapping: Mapping, now: datetime, judging: JudgingRules
) -> Iterator[Duty]:
    """Yield the duty `owned` unless it is met already, and a new one if the item lost its owner later."""
    duty = recorded or _first(DutyKind.OWNED, item, mapping, _owner_due(item.starts, mapping))
    if duty.state not in MET:
        # The item starts later than on record, as after another resolve: its owner gets the full time.
        if duty.state is DutyState.PENDING and duty.breached_at is None and duty.started_at < item.starts:
            due = _owner_due(item.starts, mapping)
            duty = duty.model_copy(update={"started_at": item.starts, "due_at": due, "was_due_at": None})
        duty = _owned(item, duty, now, judging)
        yield duty
    if duty.state in MET and not active(item.issue.assignee):
        lost = _lost_at(item, now)
        again = duty.model_copy(
            update={
                "clock": duty.clock + 1,
                "state": DutyState.PENDING,
                "started_at": lost,
                "due_at": _owner_due(lost, mapping),
                "was_due_at": None,
                "reason": "its owner has left" if item.issue.assignee else "it lost its owner",
                "rule": mapping.version,
                "met_at": None,
                "met_by": None,
                "breached_at": None,
                "corrected": None,
                "rebuilt": False,
            }
        )
        yield _owned(item, again, now, judging)


def _owner_due(start: datetime, mapping: Mapping) -> datetime:
    hours = mapping.follow_ups.owner_hours
    return add_working_hours(start, hours, mapping.zone, mapping.holidays)


def _lost_at(item: Item, now: datetime) -> datetime:
    """Return when the last owner left: by the changelog, or when syncd saw the account inactive."""
    ends = [tenure.until for tenure in tenures(item.issue, item.changes) if tenure.until is not None]
    # The issue still names its owner, so the account became inactive. Jira does not tell since when.
    return now if item.issue.assignee is not None else max(ends, default=now)


def _owned(item: Item, duty: Duty, now: datetime, judging: JudgingRules) -> Duty:
    for tenure in tenures(item.issue, item.changes):
        # This owner left before the clock started. Their leaving may be the reason for the clock.
        if tenure.until is not None and tenure.until <= duty.started_at:
            continue
        present = tenure.until is None
        if present and not active(item.issue.assignee):
            continue
        # An assignment by rule or by a robot meets nothing until the owner touches the item.
        since: datetime | None = max(tenure.since, duty.started_at)
        if tenure.account == item.by_rule or not tenure.by_person:
            since = taken_at(item, tenure)
        if since is not None:
            return _met(duty, since, tenure.name or tenure.account, judging)
    return _still_owed(duty, duty.was_due_at or duty.due_at, item, now, judging)


class JudgingRules(Value):
    """The facts beside the item that change a verdict.

    `waivers` are those of this action item alone: a waiver of the postmortem's duties does not count here.
    While the clocks are `skewed`, syncd records no breach. `soon` is the time before a deadline from which a
    duty is due soon.
    """

    waivers: tuple[Waiver, ...] = ()
    skewed: bool = False
    soon: timedelta = timedelta(hours=24)

    def deadline(self, kind: DutyKind, due: datetime, done_at: datetime | None = None) -> datetime:
        """Return the deadline as the waivers move it; the duty is fulfilled from `done_at` on."""
        own = (waiver for waiver in self.waivers if waiver.duty is kind)
        waivers = sorted(own, key=lambda waiver: waiver.at)
        return moved_deadline(due, waivers, lambda at: None if done_at is not None and done_at <= at else at)

    def waived(self, kind: DutyKind, now: datetime) -> bool:
        """Return True if a waiver of this duty runs now."""
        return any(waiver.duty is kind and waiver.runs(now) for waiver in self.waivers)


def _met(duty: Duty, at: datetime, by: str, judging: JudgingRules) -> Duty:
    base = duty.was_due_at or duty.due_at
    due, breached = judging.deadline(duty.kind, base, at), duty.breached_at
    if breached is None and not duty.corrected:
        breached = due if at > due else None
    update: dict[str, object] = {
        "state": DutyState.MET_LATE if breached is not None and not duty.corrected else DutyState.MET,
        "met_at": at,
        "met_by": by,
        "breached_at": breached,
    }
    if breached is None:
        # A duty that was met in time stays in the week of its own deadline.
        update |= _due(due, base)
    return duty.model_copy(update=update)


def _due(due: datetime, base: datetime) -> dict[str, object]:
    return {"due_at": due, "was_due_at": base if due != base else None}


def _still_owed(duty: Duty, base: datetime, item: Item, now: datetime, judging: JudgingRules) -> Duty:
    """Return the duty as pending, due soon, waived or overdue; `base` is the deadline without waivers."""
    due = judging.deadline(duty.kind, base)
    # Only a changelog that was read up to the deadline proves that nobody did it by then.
    over = now >= due and item.seen_until >= due and not judging.skewed
    breached = duty.breached_at or (due if over and not duty.corrected else None)
    state = DutyState.PENDING
    if judging.waived(duty.kind, now):
        state = DutyState.WAIVED
    elif breached is not None and not duty.corrected:
        state = DutyState.BREACHED
    elif now < due <= now + judging.soon:
        state = DutyState.DUE_SOON
    update: dict[str, object] = {"state": state, "breached_at": breached, "met_at": None, "met_by": None}
    # A breach that is on record keeps its deadline, whatever was waived later.
    if duty.breached_at is None:
        update |= _due(due, base)
    return duty.model_copy(update=update)


def _first(kind: DutyKind, item: Item, mapping: Mapping, due: datetime) -> Duty:
    reason = {
        DutyKind.OWNED: f"it needs an owner within {mapping.follow_ups.owner_hours:g} working hours",
        DutyKind.DONE: "it must be done by its due date",
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
    """Return the moments at which the due date was moved to a later day, in the changelog's order."""
    moments = []
    for change in changes:
        before = as_date(change.before or change.before_words)
        after = as_date(change.after or change.after_words)
        if change.field == "duedate" and before is not None and after is not None and after > before:
            moments.append(change.at)
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


def done(item: Item, recorded: Duty | None, mapping: Mapping, now: datetime, judging: JudgingRules) -> Duty:
    """Return the duty `done` as it stands now, with a new clock if a done item was opened again."""
    due = end_of_day(due_day(item), mapping.zone)
    duty = recorded or _first(DutyKind.DONE, item, mapping, due)
    if duty.state in MET and item.closed is not None:
        return duty
    if duty.state in MET:
        duty = _opened_again(item, duty, mapping, now)
    # An item that was opened again has at least the working hours that an owner has.
    if duty.clock > 1:
        due = max(due, _owner_due(duty.started_at, mapping))
    if duty.corrected is None and duty.breached_at is None:
        # On the first clock each earlier date counts: a person may have moved it only after it was missed.
        missed = _missed(item, mapping, now, judging) if duty.clock == 1 else None
        due = missed or due
        duty = duty.model_copy(update={"due_at": due, "was_due_at": None, "breached_at": missed})
    if item.closed is not None:
        return _met(duty, *item.closed, judging)
    return _still_owed(duty, due, item, now, judging)


def _opened_again(item: Item, duty: Duty, mapping: Mapping, now: datetime) -> Duty:
    """Return the duty with a new clock, which starts at the last change of status, label or resolution."""
    moves = [change.at for change in item.changes if change.field in ("status", "labels", "resolution")]
    update = {
        "clock": duty.clock + 1,
        "state": DutyState.PENDING,
        "started_at": max(moves, default=now),
        "reason": "it was opened again",
        "rule": mapping.version,
        "breached_at": None,
        "corrected": None,
        "rebuilt": False,
    }
    return duty.model_copy(update=update)


def _missed(item: Item, mapping: Mapping, now: datetime, judging: JudgingRules) -> datetime | None:
    """Return the first moment at which a due date was over while it was valid and the item open, if any."""
    if judging.skewed and item.closed is None:
        return None
    closed_at = item.closed[0] if item.closed is not None else None
    end = closed_at or min(now, item.seen_until)
    for dated in dates(item):
        day = item.latest if dated.day is None else min(dated.day, item.latest)
        due = judging.deadline(DutyKind.DONE, end_of_day(day, mapping.zone), closed_at)
        # A date that already lay in the past when it was set is missed from then on.
        over = max(due, dated.since)
        in_time = over > end or (over == end and item.closed is not None)
        if not in_time and (dated.until is None or over < dated.until):
            return over
    return None
