"""Judge one duty of a postmortem on each of its clocks.

What was met when a clock ended goes on into the next one; a correction or an owner who left starts another.
`syncd.policy.postmortem.verdict` tells the state on one clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from syncd.domain.duty import RUNNING, TAKEN_BACK, Duty, DutyKind, DutyState
from syncd.policy.case import Case
from syncd.policy.duty_words import OWNER_LEFT, left_words
from syncd.policy.postmortem.deadlines import due_after_correction
from syncd.policy.postmortem.fulfilment import Span, held_at
from syncd.policy.postmortem.resolved_periods import Clock, ResolvedPeriod
from syncd.policy.postmortem.verdict import (
    JudgeContext,
    cancelled,
    clock_reason,
    on_clock,
    spans_of,
)

SAME_CLOCK = timedelta(minutes=15)
"""Two clocks never start this close together: the incident was open for over 30 minutes between them."""


def own_duties(case: Case) -> list[Duty]:
    """Return the duties of the incident's postmortem, oldest clock first."""
    own = [duty for duty in case.duties if duty.of_postmortem and duty.subject == case.incident.id]
    return sorted(own, key=lambda duty: duty.clock)


def judge(
    kind: DutyKind, context: JudgeContext, periods: Sequence[ResolvedPeriod] = (), nothing: str | None = None
) -> None:
    """Judge all clocks of one duty, oldest first, and add the results to the context.

    `nothing` is why the incident owes nothing more. What was missed before that, in one of the `periods` in
    which it was resolved, stays missed until it is met.
    """
    recorded = [duty for duty in own_duties(context.case) if duty.kind == kind]
    numbers = [duty.clock for duty in recorded]
    seen: set[int] = set()
    clocks = [*context.clocks]
    while clocks:
        clock = clocks.pop(0)
        record = _record(clock, [duty for duty in recorded if duty.clock not in seen])
        number = record.clock if record else max(numbers, default=0) + 1
        numbers.append(number)
        seen.add(number)
        spans = spans_of(kind, clock, record, context)
        if record is not None and record.state is DutyState.VOID:
            clock = _kept_on(clock, clocks, spans, record.corrected_at)
            # A duty that syncd read back from a comment has no reason yet.
            why = record.reason or clock_reason(kind, clock, context)
            context.duties.append(record.model_copy(update={"reason": why}))
            if _nothing_more(record, clock):
                break
            clocks[:0] = _owed_anew(record, clock, context)
            continue
        clock = _kept_on(clock, clocks, spans)
        left = _left_at(spans, clock)
        if left is not None:
            # The duty stays met on this clock, and the owner's leaving starts the next one.
            kept = [span for span in spans if span.since < left]
            spans = (*kept[:-1], kept[-1].model_copy(update={"until": None}))
            clocks.insert(0, replace(clock, started_at=left, why=_why_left(left, context), due_at=None))
            clock = replace(clock, goes_on=True, until=None)
        context.duties.append(on_clock(kind, clock, record, number, spans, context))
    for duty in recorded:
        # No resolve in the log stands for this clock any more.
        if duty.clock in seen or duty.state not in RUNNING:
            continue
        postmortem = context.case.postmortem
        if duty.unseen and postmortem is not None and postmortem.in_sight:
            # The breach rested on a postmortem that is seen again.
            duty = duty.model_copy(update={"breached_at": None, "unseen": False})
        if nothing is not None and duty.breached_at is not None:
            context.duties += _still_missed(duty, context, periods)
        else:
            context.duties.append(cancelled(duty, nothing or "another clock took its place"))


def _kept_on(
    clock: Clock, following: list[Clock], spans: Sequence[Span], before: datetime | None = None
) -> Clock:
    """Return the clock; if its duty was met when it ended, it goes on to the end of the following one.

    What was met when the incident was reopened stays met, until its owner leaves. `before` leaves later
    reopenings to other clocks.
    """
    while clock.ended_at is not None and held_at(spans, clock.ended_at) is not None:
        if (before is not None and clock.ended_at >= before) or _left_at(spans, clock) is not None:
            break
        clock = replace(clock, goes_on=True, until=following.pop(0).ended_at if following else None)
    return clock


def _record(clock: Clock, recorded: Sequence[Duty]) -> Duty | None:
    """Return the duty on record that has this clock: the one that starts closest to it."""
    near = [duty for duty in recorded if abs(duty.started_at - clock.started_at) <= SAME_CLOCK]
    return min(near, key=lambda duty: abs(duty.started_at - clock.started_at), default=None)


def _nothing_more(void: Duty, clock: Clock) -> bool:
    """Return True if the duty was met by an approver's word before a reopening: it stays met."""
    claimed = void.claimed_met_at
    return claimed is not None and (clock.ended_at is None or claimed <= clock.ended_at)


def _owed_anew(void: Duty, clock: Clock, context: JudgeContext) -> Iterator[Clock]:
    """Yield the clock that a correction starts, unless the next resolve starts one or nothing is owed."""
    at = void.corrected_at
    if void.claimed_met_at is not None or at is None:
        return
    # What was met when the severity fell or the incident was merged went on, but nothing is owed any more.
    owed = any(own.started_at <= at and (own.ended_at is None or at < own.ended_at) for own in context.clocks)
    if owed and (clock.ended_at is None or at < clock.ended_at):
        waivers = (waiver for waiver in context.waivers if waiver.covers(void.kind))
        due = due_after_correction(at, waivers)
        yield replace(clock, started_at=at, why=TAKEN_BACK, due_at=due)


def _left_at(spans: Sequence[Span], clock: Clock) -> datetime | None:
    """Return when the first owner who met the duty on this clock left, None if none did."""
    for span in spans:
        if span.left and span.until is not None and span.until > clock.started_at:
            return span.until if clock.ended_at is None or span.until < clock.ended_at else None
    return None


def _why_left(at: datetime, context: JudgeContext) -> str:
    """Return the words for the owner whom syncd saw to have left at this moment."""
    leaves = context.case.postmortem.leaves.values() if context.case.postmortem is not None else ()
    leave = next((leave for leave in leaves if leave.by == at), None)
    return f"its owner {left_words(leave, context.book.mapping.zone)}" if leave else OWNER_LEFT


def _still_missed(duty: Duty, context: JudgeContext, periods: Sequence[ResolvedPeriod]) -> Iterator[Duty]:
    """Yield a missed duty of an incident that owes nothing more, as it stands now."""
    before = [period for period in periods if period.resolved_at <= duty.started_at]
    if before:
        clock = Clock(duty.started_at, before[-1])
        spans = spans_of(duty.kind, clock, duty, context)
        yield on_clock(duty.kind, clock, duty, duty.clock, spans, context)
