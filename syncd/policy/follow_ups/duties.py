"""The two duties of an action item: an owner within working hours, and done by its date.

Both are judged from the item's changelog, by Jira's clock. An owner who was assigned by rule counts from
the moment at which the person touches the item, one who has left counts as none. An item that loses its
owner afterwards gets a new clock of the same length, so that nobody is late for what was kept before. An
item is due at the earlier of the owner's date and the severity's latest one; a date that was missed stays
missed when it is moved afterwards.
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
"""The postponement that goes to the contacts."""


class Item(Value):
    """What the two duties of an action item are judged from.

    `starts` is the later of the resolve and the moment at which the issue became an action item; `latest` the
    severity's latest day, `counted` what that was counted from; `by_rule` the account that the daemon gave
    it to. `closed` is when it was ended as the rules want it, and by whom. `seen_until` is how far its
    changelog was read.
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
    """Whom an item was assigned to, from when until when; `by_person`: no app and no robot did that."""

    account: str
    name: str = ""
    since: UtcTime
    until: UtcTime | None = None
    by_person: bool = True


def end_of_day(day: date, zone: str) -> datetime:
    """The moment (UTC) at which a local day is over."""
    return at_local(day + timedelta(days=1), time(), zone)


def latest_day(resolved: datetime, days: int, mapping: Mapping) -> date:
    """The last local day on which an item of a severity is done in time: so many working days later."""
    end = add_working_days(resolved, days, mapping.zone, mapping.holidays)
    return end.astimezone(ZoneInfo(mapping.zone)).date()


def active(account: Account | None) -> bool:
    """Return True if an account can own an item: a person's, and active."""
    return account is not None and account.active and account.human


def tenures(issue: Issue, changes: Sequence[Change]) -> tuple[Tenure, ...]:
    """Return the item's owners, oldest first; the owner before the first change had it from the create."""
    moves = [one for one in changes if one.field == "assignee"]
    since = issue.created_at
    found: list[Tenure] = []
    first = moves[0] if moves else None
    holder = (first.before, first.before_words) if first else _present(issue)
    by_person = True
    for move in moves:
        if holder[0] and since is not None:
            found.append(
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
        found.append(Tenure(account=holder[0], name=holder[1] or "", since=since, by_person=by_person))
    return tuple(found)


def _present(issue: Issue) -> tuple[str | None, str | None]:
    return (issue.assignee.id, issue.assignee.name) if issue.assignee else (None, None)


def taken_at(item: Item, tenure: Tenure) -> datetime | None:
    """Return when the owner first changed the item or commented on it after the assignment."""
    touched = [
        one.at
        for one in item.changes
        if one.author is not None and one.author.human
        if one.author.id == tenure.account and one.at > tenure.since
    ]
    touched += [
        one.created_at
        for one in item.issue.comments or ()
        if one.author is not None and one.author.human
        if one.author.id == tenure.account and one.created_at > tenure.since
    ]
    return min((at for at in touched if tenure.until is None or at < tenure.until), default=None)


def owned(
    item: Item, known: Duty | None, mapping: Mapping, now: datetime, judging: JudgingRules
) -> Iterator[Duty]:
    """Yield the duty `owned`, and a second one if the item lost its owner afterwards."""
    duty = known or _first(DutyKind.OWNED, item, mapping, _owner_due(item.starts, mapping))
    if duty.state not in MET:
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
    ends = [one.until for one in tenures(item.issue, item.changes) if one.until is not None]
    return now if item.issue.assignee is not None else max(ends, default=now)


def _owned(item: Item, duty: Duty, now: datetime, judging: JudgingRules) -> Duty:
    for tenure in tenures(item.issue, item.changes):
        if tenure.until is not None and tenure.until <= duty.started_at:
            continue
        present = tenure.until is None
        if present and not active(item.issue.assignee):
            continue
        since: datetime | None = max(tenure.since, duty.started_at)
        if tenure.account == item.by_rule or not tenure.by_person:
            since = taken_at(item, tenure)
        if since is not None:
            return _met(duty, since, tenure.name or tenure.account, judging)
    return _still_owed(duty, duty.was_due_at or duty.due_at, item, now, judging)


class JudgingRules(Value):
    """What keeps a duty from being judged: waivers, clocks that differ; and when it is due soon.

    `waivers` are those of this action item alone: one of the incident's duties is none of it.
    """

    waivers: tuple[Waiver, ...] = ()
    skewed: bool = False
    soon: timedelta = timedelta(hours=24)

    def deadline(
        self, kind: DutyKind, due: datetime, done_at: datetime | None = None
    ) -> tuple[datetime, datetime | None]:
        """Return a deadline as the waivers move it, and the one that was missed before, if any.

        `done_at`: since then the duty is fulfilled.
        """
        waivers = sorted((one for one in self.waivers if one.duty is kind), key=lambda waiver: waiver.at)
        return moved_deadline(due, waivers, lambda at: None if done_at is not None and done_at <= at else at)

    def waived(self, kind: DutyKind, now: datetime) -> bool:
        """Return True if a waiver of this duty runs now."""
        return any(one.duty is kind and one.runs(now) for one in self.waivers)


def _met(duty: Duty, at: datetime, by: str, judging: JudgingRules) -> Duty:
    base = duty.was_due_at or duty.due_at
    due, missed = judging.deadline(duty.kind, base, at)
    breached = duty.breached_at
    if breached is None and not duty.corrected:
        breached = missed or (due if at > due else None)
    update: dict[str, object] = {
        "state": DutyState.MET_LATE if breached is not None and not duty.corrected else DutyState.MET,
        "met_at": at,
        "met_by": by,
        "breached_at": breached,
    }
    if breached is None:
        # what was done in time stays in the week of its own deadline
        update |= _due(due, base)
    return duty.model_copy(update=update)


def _due(due: datetime, base: datetime) -> dict[str, object]:
    return {"due_at": due, "was_due_at": base if due != base else None}


def _still_owed(duty: Duty, base: datetime, item: Item, now: datetime, judging: JudgingRules) -> Duty:
    """Owed, due soon, waived or overdue; overdue only where the changelog was read up to the deadline.

    `base` is the deadline without waivers.
    """
    due, missed = judging.deadline(duty.kind, base)
    first = missed or due
    over = now >= first and item.seen_until >= first and not judging.skewed
    breached = duty.breached_at or (first if over and not duty.corrected else None)
    if breached is not None:
        # what was overdue before it was waived has a day after the waiver's end, as everything has
        base = duty.was_due_at or breached
        due, _missed = judging.deadline(duty.kind, breached)
    state = DutyState.PENDING
    if judging.waived(duty.kind, now):
        state = DutyState.WAIVED
    elif breached is not None and not duty.corrected and now >= due:
        state = DutyState.BREACHED
    elif now < due <= now + judging.soon:
        state = DutyState.DUE_SOON
    update: dict[str, object] = {"state": state, "breached_at": breached, "met_at": None, "met_by": None}
    if duty.breached_at is None or due > now:
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
    """The item's due dates since its duty began, oldest first."""
    moves = [one for one in item.changes if one.field == "duedate"]
    day = as_date(moves[0].before or moves[0].before_words) if moves else as_date(item.issue.due_date)
    since = item.starts
    found: list[Dated] = []
    for move in moves:
        if move.at > since:
            found.append(Dated(since=since, until=move.at, day=day))
            since = move.at
        day = as_date(move.after or move.after_words)
    return (*found, Dated(since=since, day=day))


def postponements(changes: Sequence[Change]) -> int:
    """Return how often the due date was moved to a later day."""
    return len(postponed_at(changes))


def postponed_at(changes: Sequence[Change]) -> list[datetime]:
    """Return the moments at which the due date was moved to a later day, in the changelog's order."""
    found = []
    for one in changes:
        before, after = as_date(one.before or one.before_words), as_date(one.after or one.after_words)
        if one.field == "duedate" and before is not None and after is not None and after > before:
            found.append(one.at)
    return found


def due_day(item: Item) -> date:
    """The day on which the item is due now: the owner's, or the severity's latest where that is earlier."""
    own = as_date(item.issue.due_date)
    return item.latest if own is None else min(own, item.latest)


def done(item: Item, known: Duty | None, mapping: Mapping, now: datetime, judging: JudgingRules) -> Duty:
    """Return the duty `done`."""
    due = end_of_day(due_day(item), mapping.zone)
    duty = known or _first(DutyKind.DONE, item, mapping, due)
    if duty.state in MET and item.closed is not None:
        return duty
    if duty.state in MET:
        duty = _opened_again(item, duty, mapping, now)
    if duty.clock > 1:
        due = max(due, _owner_due(duty.started_at, mapping))
    if duty.corrected is None and duty.breached_at is None:
        missed = _missed(item, mapping, now, judging) if duty.clock == 1 else None
        due = missed or due
        duty = duty.model_copy(update={"due_at": due, "was_due_at": None, "breached_at": missed})
    if item.closed is not None:
        return _met(duty, *item.closed, judging)
    return _still_owed(duty, due, item, now, judging)


def _opened_again(item: Item, duty: Duty, mapping: Mapping, now: datetime) -> Duty:
    """A new clock for what was done and is not any more: as long as an owner has to be found, at least."""
    moves = [one.at for one in item.changes if one.field in ("status", "labels", "resolution")]
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
    """The first moment at which the date that held then was over, before the item was closed or by now."""
    if judging.skewed and item.closed is None:
        return None
    closed_at = item.closed[0] if item.closed is not None else None
    end = closed_at or min(now, item.seen_until)
    for one in dates(item):
        day = item.latest if one.day is None else min(one.day, item.latest)
        due, missed = judging.deadline(DutyKind.DONE, end_of_day(day, mapping.zone), closed_at)
        over = max(missed or due, one.since)
        in_time = over > end or (over == end and item.closed is not None)
        if not in_time and (one.until is None or over < one.until):
            return over
    return None
