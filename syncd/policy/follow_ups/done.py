"""Judge the duty of an action item to be done by its date, on each of its clocks.

QRPay runbook, "Post-Incident Actions": "Ensure follow-up tasks are assigned and tracked to completion". An
item is due at the earlier of the owner's date and the severity's latest day. A date that was missed stays
missed if a person moves it later. An item that is opened again starts a new clock, and so does the next
resolve after a reopening of the incident. The changelog alone decides, whenever syncd looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import partial

from syncd.domain.base import Value
from syncd.domain.duty import MET, Duty, DutyState
from syncd.domain.mapping.mapping import Mapping
from syncd.policy.follow_ups.completion import Ended
from syncd.policy.follow_ups.duties import (
    OPENED_AGAIN,
    Item,
    JudgingRules,
    dates,
    first_clock,
    met,
    owed_anew,
    owner_due,
    still_owed,
)
from syncd.policy.follow_ups.runs import Run, runs_after, settled
from syncd.policy.time.working_time import end_of_day

AFTER_A_BREACH = "the incident was opened again after the duty was missed, and is resolved"
"""The reason of a duty with a new clock after the incident was opened again."""


class _Clock(Value):
    """The start of a clock: `reason` is empty for the first one, `at` is when a person's act started it.

    `anew` is the duty that is owed after a correction.
    """

    number: int = 1
    reason: str = ""
    at: datetime | None = None
    anew: Duty | None = None

    def next(self, reason: str, at: datetime | None = None, anew: Duty | None = None) -> _Clock:
        return _Clock(number=self.number + 1, reason=reason, at=at, anew=anew)


def done(
    runs: Sequence[Run],
    recorded: Sequence[Duty],
    mapping: Mapping,
    now: datetime,
    judging: JudgingRules,
    opened_at: datetime | None = None,
) -> Iterator[Duty]:
    """Yield the duty `done` on each of its clocks, oldest first; `recorded` are those on record.

    `opened_at` is when the item was opened again if it had been done for another incident.
    """
    by_clock = {duty.clock: duty for duty in recorded}
    clock: _Clock | None = _Clock(reason=OPENED_AGAIN, at=opened_at) if opened_at else _Clock()
    while clock is not None and runs:
        record = by_clock.get(clock.number)
        if record is not None and record.state is DutyState.VOID:
            yield record
            if record.claimed_met_at is not None or record.corrected_at is None:
                return
            anew = owed_anew(record, mapping, judging)
            runs = runs_after(runs, record.corrected_at)
            clock = clock.next(anew.reason, record.corrected_at, anew)
            continue
        trial = partial(_judged, clock, None, mapping, judging)
        run, at = settled(runs, now, trial)
        duty = _judged(clock, record, mapping, judging, run.item, at)
        yield duty
        clock, runs = _following(duty, clock, run, runs, now)


def _following(
    duty: Duty, clock: _Clock, run: Run, runs: Sequence[Run], now: datetime
) -> tuple[_Clock | None, Sequence[Run]]:
    """Return the clock that follows, and the runs that are left for it; None if no other clock started."""
    ended = _end(run.item)
    if ended is not None and (run.until is None or ended.since < run.until):
        if ended.until is None or ended.until > now or duty.state not in MET:
            return None, ()
        return clock.next(OPENED_AGAIN, ended.until), runs_after(runs, ended.until)
    if run.until is not None and duty.breached_at is not None:
        return clock.next(AFTER_A_BREACH), runs_after(runs, run.until)
    return None, ()


def _end(item: Item) -> Ended | None:
    """Return the first end of an item that was not undone before its clock started."""
    return next((ended for ended in item.ends if ended.until is None or ended.until > item.starts), None)


def _judged(
    clock: _Clock, record: Duty | None, mapping: Mapping, judging: JudgingRules, item: Item, now: datetime
) -> Duty:
    """Return the duty on one clock as it stands now."""
    ended = _end(item)
    unseen = partial(_is_hidden, item, ended, judging, now)
    if record is not None and record.state in MET and not unseen(record.due_at):
        return record
    duty = record or _made(item, clock, mapping)
    if duty.breached_at is None:
        made = _made(item, clock, mapping)
        due = made.due_at if clock.anew and made.started_at == clock.anew.started_at else None
        due = due or _deadline(item, clock, mapping, judging, ended)
        update = {"started_at": made.started_at, "due_at": due, "was_due_at": None, "reason": made.reason}
        duty = duty.model_copy(update=update)
    if ended is not None and not unseen(duty.due_at):
        return met(duty, ended.since, ended.by, judging)
    return still_owed(duty, item, now, judging)


def _is_hidden(item: Item, ended: Ended | None, judging: JudgingRules, now: datetime, due: datetime) -> bool:
    """Return True if syncd could not see the item when its deadline passed: it is never done then."""
    hidden = item.hidden_since
    # What was undone before that has a clock of its own.
    undone = ended is not None and ended.until is not None
    return hidden is not None and not undone and hidden <= due and judging.skew.judged_from(due) <= now


def _made(item: Item, clock: _Clock, mapping: Mapping) -> Duty:
    if clock.anew is not None and clock.anew.started_at == item.starts:
        return clock.anew
    first = first_clock(item.kind, item, mapping, item.starts)
    renewed = clock.at == item.starts
    reason = clock.reason if renewed or clock.at is None else ""
    return first.model_copy(update={"clock": clock.number, "reason": reason or first.reason})


def _deadline(
    item: Item, clock: _Clock, mapping: Mapping, judging: JudgingRules, ended: Ended | None
) -> datetime:
    """Return the item's deadline without waivers: by the first date that was missed or met, else the last.

    The date counts that stood when it passed. One that is moved after it was missed, or after the item was
    done, changes nothing.
    """
    due = item.starts
    for since, until, day, latest in _days(item):
        due = end_of_day(latest, mapping.zone)
        if day is not None:
            own = end_of_day(day, mapping.zone)
            # A date that is over when it is entered leaves working hours, too.
            due = min(due, own if own > since else owner_due(since, mapping))
        if due <= since or (since == item.starts and clock.at == since):
            # Working hours are left to an item that is opened again, or whose latest day is over already.
            due = max(due, owner_due(since, mapping))
        over = judging.deadline(item.kind, due, ended.since if ended else None)
        if until is None or over < until or (ended is not None and ended.since <= until):
            break
    return due


def _days(item: Item) -> Iterator[tuple[datetime, datetime | None, date | None, date]]:
    """Yield the owner's date and the severity's latest day, each pair with the time in which it stood."""
    dated = dates(item)
    moments = {period.since for period in dated}
    moments |= {latest.since for latest in item.latest_days if latest.since > item.starts}
    steps = sorted(moments)
    for since, until in zip(steps, [*steps[1:], None], strict=True):
        own = [period.day for period in dated if period.since <= since][-1]
        latest = [latest.day for latest in item.latest_days if latest.since <= since]
        yield since, until, own, latest[-1] if latest else item.latest
