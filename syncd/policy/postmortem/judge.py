"""Judge one duty of a postmortem on each of its clocks.

Once on record, a clock keeps its start and its deadline, and a breach stays whatever comes later. One is
recorded only when the changelog was read beyond the deadline, by as much as the services' clocks may differ
from ours, and not while they differ by more (rules: "The postmortem: two duties").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from syncd.domain.duty import AFTER_A_WAIVER, RUNNING, Duty, DutyKind, DutyState, Waiver
from syncd.domain.mapping.value_types import Mode
from syncd.policy.case import Case, Rulebook
from syncd.policy.postmortem.fulfilment import (
    DUE_DATE,
    Span,
    Window,
    carried_on,
    completed_spans,
    first_gap,
    held_at,
    review_field,
    scheduled_spans,
)
from syncd.policy.postmortem.owed import Owed
from syncd.policy.postmortem.resolved_periods import ResolvedPeriod
from syncd.policy.time.time_words import at_words
from syncd.policy.time.working_time import add_working_days

GRACE = timedelta(minutes=2)
"""Services' clocks may differ from ours by so much (design: "Observing"); nobody is judged before theirs are
past the deadline, too."""
SAME_CLOCK = timedelta(minutes=15)
"""Two clocks begin further apart: between them lie more than 30 minutes in which the incident was open."""
SKEW_AGAIN = timedelta(minutes=5)
_MOVED = "; a waiver until "


@dataclass(frozen=True)
class Clock:
    """A time in which the incident was over and owed a postmortem; `ended_at` is when it was reopened."""

    started_at: datetime
    period: ResolvedPeriod

    @property
    def ended_at(self) -> datetime | None:
        """When a reopening ended it; None while that is in doubt."""
        return None if self.period.doubtful_until else self.period.reopened_at


@dataclass
class JudgeContext:
    """One incident as it is judged, and what comes of it."""

    case: Case
    book: Rulebook
    now: datetime
    owed: Owed
    clocks: Sequence[Clock]
    waivers: Sequence[Waiver]
    duties: list[Duty] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)
    unread: bool = False

    @property
    def readable(self) -> bool:
        """Return True if syncd can read the postmortem."""
        return self.case.postmortem is not None and self.case.postmortem.in_sight

    @property
    def known_until(self) -> datetime | None:
        """Up to when it is known what was done on the postmortem.

        Where nobody made one yet, nothing was done; in mode `report` nobody was asked to.
        """
        if self.case.postmortem is not None:
            return self.case.postmortem.changes_until
        return self.now if self.book.mapping.postmortem.mode is Mode.ENFORCE else None


def own_duties(case: Case) -> list[Duty]:
    """The duties of the incident's postmortem, oldest clock first."""
    mine = [one for one in case.duties if one.of_postmortem and one.subject == case.incident.id]
    return sorted(mine, key=lambda one: one.clock)


def cancelled(duty: Duty, why: str) -> Duty:
    """The duty, owed no more."""
    return duty.model_copy(update={"state": DutyState.CANCELLED, "reason": why, "remedy": ""})


def judge(kind: DutyKind, context: JudgeContext) -> None:
    """All clocks of one duty, oldest first; one that was met before a reopening is the last."""
    known = [one for one in own_duties(context.case) if one.kind == kind]
    numbers = [one.clock for one in known]
    seen = set()
    for clock in context.clocks:
        record = next((one for one in known if abs(one.started_at - clock.started_at) <= SAME_CLOCK), None)
        number = record.clock if record else max(numbers, default=0) + 1
        numbers.append(number)
        seen.add(number)
        spans = _spans(kind, clock, record, context)
        stays_met = clock.ended_at is not None and held_at(spans, clock.ended_at) is not None
        if clock.ended_at is not None and not stays_met:
            context.duties.append(_ended(kind, clock, record, number, spans, context))
        else:
            context.duties.append(_running(kind, clock, record, number, spans, context))
        if stays_met:
            break
    for one in known:
        if one.clock not in seen and one.state in RUNNING:
            context.duties.append(cancelled(one, "another clock took its place"))


def _first(kind: DutyKind, clock: Clock, record: Duty | None, context: JudgeContext) -> datetime:
    """The deadline without waivers: as it stands on record, else by the rules."""
    if record is not None:
        return record.was_due_at or record.due_at
    rules, mapping = context.book.mapping.postmortem, context.book.mapping
    if kind is DutyKind.SCHEDULED:
        return clock.started_at + timedelta(hours=rules.schedule_hours)
    return add_working_days(clock.started_at, rules.complete_days, mapping.zone, mapping.holidays)


def _waivers(kind: DutyKind, clock: Clock, context: JudgeContext) -> list[Waiver]:
    """The waivers that speak of a clock, oldest first."""
    given = [one for one in context.waivers if one.covers(kind)]
    return sorted(
        (one for one in given if clock.ended_at is None or one.at < clock.ended_at), key=lambda one: one.at
    )


def moved_deadline(
    due: datetime, waivers: Iterable[Waiver], gap_from: Callable[[datetime], datetime | None]
) -> tuple[datetime, datetime | None]:
    """Return a deadline as waivers move it, and the one that was missed before somebody waived it, if any.

    `waivers` are given oldest first; `gap_from` tells the first moment, from another one on, at which the
    duty was unfulfilled, None where there is none. What is unfulfilled has 24 hours after a waiver's end;
    what is fulfilled keeps its deadline (rules: "The postmortem", waived).
    """
    missed: datetime | None = None
    for waiver in waivers:
        gap, ends = gap_from(due), waiver.end + AFTER_A_WAIVER
        if gap is None or gap > ends:
            continue
        if gap < waiver.at and missed is None:
            missed = due
        due = max(due, ends)
    return due, missed


def _window(kind: DutyKind, clock: Clock, record: Duty | None, context: JudgeContext) -> Window:
    waivers = _waivers(kind, clock, context)
    started = record.started_at if record else clock.started_at
    return Window(
        resolved_at=clock.period.resolved_at,
        counts_from=max([started, *(one.end for one in waivers)]),
        due_at=moved_deadline(_first(kind, clock, record, context), waivers, lambda due: due)[0],
        days=context.book.mapping.postmortem.review_within_days,
        zone=context.book.mapping.zone,
    )


def _spans(kind: DutyKind, clock: Clock, record: Duty | None, context: JudgeContext) -> tuple[Span, ...]:
    postmortem = context.case.postmortem
    if postmortem is None:
        return ()
    if kind is DutyKind.COMPLETED:
        return completed_spans(postmortem, context.book)
    window = _window(kind, clock, record, context)
    scheduled = scheduled_spans(postmortem, review_field(context.book), window, context.now)
    return carried_on(scheduled, completed_spans(postmortem, context.book))


def _made(
    kind: DutyKind,
    clock: Clock,
    record: Duty | None,
    number: int,
    spans: Sequence[Span],
    context: JudgeContext,
) -> tuple[Duty, datetime | None]:
    """The duty with its clock: when it started, when it is due, and why.

    With it the deadline that was missed before it was waived, if any.
    """
    first, waivers = _first(kind, clock, record, context), _waivers(kind, clock, context)
    due, missed = moved_deadline(first, waivers, partial(first_gap, spans))
    base = record.reason.partition(_MOVED)[0] if record and record.state is not DutyState.CANCELLED else ""
    reason = base or _why(kind, clock, first, context)
    if due != first:
        until = max(one.end for one in waivers)
        zone = context.book.mapping.zone
        reason += f"{_MOVED}{at_words(until, zone)} moved the deadline to {at_words(due, zone)}"
    duty = Duty(
        kind=kind,
        subject=context.case.incident.id,
        clock=number,
        started_at=record.started_at if record else clock.started_at,
        due_at=due,
        was_due_at=first if due != first else None,
        reason=reason,
        rule=record.rule if record else context.book.mapping.version,
        breached_at=record.breached_at if record else None,
        corrected=record.corrected if record else None,
        rebuilt=record is not None and record.rebuilt,
    )
    return duty, missed


def _why(kind: DutyKind, clock: Clock, due: datetime, context: JudgeContext) -> str:
    zone, rules = context.book.mapping.zone, context.book.mapping.postmortem
    resolved = at_words(clock.period.resolved_at, zone)
    began = f"the incident was resolved {resolved}"
    if clock.started_at > clock.period.resolved_at:
        began += f"; the clock starts {at_words(clock.started_at, zone)}"
    hours, days = f"{rules.schedule_hours:g} hours", f"{rules.complete_days} working days"
    span = hours if kind is DutyKind.SCHEDULED else days
    return f"{context.owed.reason}; {began}; the deadline is {span} later, {at_words(due, zone)}"


def _ended(
    kind: DutyKind,
    clock: Clock,
    record: Duty | None,
    number: int,
    spans: Sequence[Span],
    context: JudgeContext,
) -> Duty:
    """A clock that a reopening ended before its duty was met: cancelled, unless it was overdue by then."""
    duty, _missed = _made(kind, clock, record, number, spans, context)
    ended = clock.ended_at or context.now
    breached = duty.breached_at or _overdue_since(duty, clock, spans, context, before=ended)
    if duty.corrected is not None:
        return _met(duty, held_at(spans, context.now))
    if breached is None:
        why = (
            f"the incident was reopened {at_words(ended, context.book.mapping.zone)}; the next resolve starts"
        )
        return cancelled(duty, f"{why} a new clock")
    late = duty.model_copy(update={"breached_at": breached})
    done = held_at(spans, context.now)
    return _met(late, done) if done else late.model_copy(update={"state": DutyState.BREACHED})


def _running(
    kind: DutyKind,
    clock: Clock,
    record: Duty | None,
    number: int,
    spans: Sequence[Span],
    context: JudgeContext,
) -> Duty:
    """The clock that counts now, whether its duty is met or not."""
    duty, missed = _made(kind, clock, record, number, spans, context)
    done = held_at(spans, context.now)
    overdue = _overdue_since(duty, clock, spans, context)
    earlier = None
    if missed is not None:
        earlier = _overdue_since(duty.model_copy(update={"due_at": missed}), clock, spans, context)
    duty = duty.model_copy(update={"breached_at": duty.breached_at or earlier or overdue})
    if done is not None or duty.corrected is not None:
        return _met(duty, done)
    state = _owed(duty, clock, record, context, overdue)
    window = _window(kind, clock, record, context)
    ends = remedy(kind, window, context.book, late=state is DutyState.BREACHED)
    return duty.model_copy(update={"state": state, "remedy": ends})


def _owed(
    duty: Duty, clock: Clock, record: Duty | None, context: JudgeContext, overdue: datetime | None
) -> DutyState:
    """Return the state of a duty that is not met, and note when that state changes by itself."""
    waiver = next((one for one in _waivers(duty.kind, clock, context) if one.runs(context.now)), None)
    if waiver is not None:
        context.moments.append(waiver.end)
        return DutyState.WAIVED
    stood = record is not None and record.state is DutyState.BREACHED and record.due_at == duty.due_at
    if overdue is not None or stood:
        return DutyState.BREACHED
    soon = soon_at(duty, context.book)
    if soon is None or context.now < soon:
        context.moments += [soon] if soon else []
        return DutyState.PENDING
    return DutyState.DUE_SOON


def _overdue_since(
    duty: Duty, clock: Clock, spans: Sequence[Span], context: JudgeContext, before: datetime | None = None
) -> datetime | None:
    """Return since when the duty is overdue, None until that is proven, and note what will prove it.

    What was done and taken back after the deadline is proven by itself; that nothing was done by the
    deadline only by a changelog that was read beyond it.
    """
    gap = first_gap(spans, duty.due_at)
    if gap is None or (before is not None and gap >= before):
        return None
    if gap > duty.due_at and gap <= context.now:
        return gap
    reopened, ripe = clock.period.reopened_at, gap + GRACE
    if ripe > context.now:
        context.moments.append(ripe)
    elif clock.period.doubtful_until is not None and reopened is not None and gap >= reopened:
        context.moments.append(clock.period.doubtful_until)
    elif context.case.skewed:
        context.moments.append(context.now + SKEW_AGAIN)
    elif context.known_until is not None and context.known_until >= ripe:
        return gap
    elif context.readable:
        context.unread = True
    return None


def soon_at(duty: Duty, book: Rulebook) -> datetime | None:
    """Return the moment at which the duty becomes due soon, None where nobody is reminded."""
    hours = max(book.mapping.postmortem.remind_hours, default=None)
    return None if hours is None else duty.due_at - timedelta(hours=hours)


def _met(duty: Duty, done: Span | None) -> Duty:
    late = duty.breached_at is not None and duty.corrected is None
    return duty.model_copy(
        update={
            "state": DutyState.MET_LATE if late else DutyState.MET,
            "met_at": done.since if done else None,
            "met_by": done.by if done else None,
            "remedy": "",
        }
    )


def remedy(kind: DutyKind, window: Window, book: Rulebook, *, late: bool) -> str:
    """Return in words how a person meets the duty; `late`: the duty is overdue."""
    rules = book.mapping.postmortem
    if kind is DutyKind.COMPLETED:
        return f"move the postmortem to {' or '.join(rules.statuses)}"
    field = "its due date" if review_field(book) == DUE_DATE else f"the field {rules.date_field}"
    days = f"at most {rules.review_within_days} days ahead"
    when = days if late else f"from {window.first_day()} to {window.last_day()}"
    return f"give the postmortem an owner and enter the day of its review in {field}, {when}"
