"""The clocks of one duty: when each begins, what ends it, and its verdict.

A verdict rests on the times of the acts alone, so it is the same however often anybody looked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from syncd.domain.duty import AFTER_A_WAIVER, OF_ACTION_ITEM, DutyKind, Waiver
from syncd.verify.facts import Correction, Judged, Verdict
from syncd.verify.fulfilment import Fulfilled
from syncd.verify.spans import Ending, Span

AFTER_A_CORRECTION = timedelta(hours=24)


class Start(NamedTuple):
    """The start of a clock in its span; `renewed` where an earlier clock was met before it.

    `kept` is the resolve of an earlier clock that went on over reopenings and that this one replaces.
    """

    at: datetime
    span: Span
    renewed: bool = False
    kept: datetime | None = None

    @property
    def resolved_at(self) -> datetime:
        """The resolve before which no review can have been."""
        return self.kept or self.span.resolved_at


class Duty(NamedTuple):
    """One duty of a subject: its spans, and how deadline and fulfilment follow from a clock's start.

    `due` is given the moved deadline of a waiver as a function, because a date that was moved in time counts.
    `renews` tells which end of a fulfilment begins a new clock; any other end leaves the clock unfulfilled,
    unless `lasting`: then what was fulfilled at the deadline stays fulfilled.
    """

    kind: DutyKind
    subject: str
    spans: Sequence[Span]
    due: Callable[[Start, Sequence[Fulfilled], Callable[[datetime], datetime]], datetime]
    fulfilled: Callable[[Start, datetime], Sequence[Fulfilled]]
    renews: frozenset[str] = frozenset()
    lasting: bool = False
    first_due: Callable[[Start], datetime] | None = None
    waivers: Sequence[Waiver] = ()
    corrections: Sequence[Correction] = ()
    hidden_since: datetime | None = None


class _Clock(NamedTuple):
    number: int
    start: Start
    due: datetime
    times: Sequence[Fulfilled]


def is_fulfilled(times: Sequence[Fulfilled], at: datetime) -> bool:
    """Return True if a duty is fulfilled at a time."""
    return any(time.start <= at and (time.end is None or at < time.end) for time in times)


def moved(due: datetime, times: Sequence[Fulfilled], waivers: Sequence[Waiver]) -> datetime:
    """Return the deadline that waivers leave: each moves it if it was given in time and is needed at it."""
    for waiver in sorted(waivers, key=lambda given: given.at):
        if waiver.at <= due and not is_fulfilled(times, due):
            due = max(due, waiver.end + AFTER_A_WAIVER)
    return due


def clocks_of(duty: Duty, now: datetime) -> list[Judged]:
    """Return every clock of a duty with its verdict at a time."""
    judged: list[Judged] = []
    given_due: datetime | None = None
    start = _first(duty.spans)
    while start is not None and start.at <= now:
        clock = _clock(duty, start, len(judged) + 1, given_due)
        verdict, end = _judge(duty, clock, now)
        following = _following(duty, clock, end, verdict)
        correction = _correction(duty, clock, following, now)
        if correction is None:
            judged.append(verdict)
            start, given_due = following, None
            continue
        judged.append(verdict.model_copy(update={"verdict": Verdict.VOID, "met_at": None, "met_by": None}))
        if correction.met_at is not None:
            break
        start, given_due = _after_correction(duty, correction)
        if start is not None and start.at == correction.at:
            start = start._replace(kept=clock.start.resolved_at)
    return judged


def _first(spans: Sequence[Span], at: datetime | None = None, *, renewed: bool = False) -> Start | None:
    """Return the first start at or after a time: within a span, or at the start of the next one."""
    for span in spans:
        if at is None or span.end is None or at < span.end:
            begins = span.start if at is None else max(at, span.start)
            return Start(begins, span, renewed)
    return None


def _clock(duty: Duty, start: Start, number: int, given_due: datetime | None) -> _Clock:
    nominal = given_due or (duty.first_due(start) if duty.first_due else start.at)
    times = _clipped(duty.fulfilled(start, nominal), start.at)
    # a waiver that comes after a new clock began moves only that one, and what is hidden is unfulfilled
    met = [
        time._replace(end=None if time.why in duty.renews else time.end or duty.hidden_since)
        for time in times
    ]
    if given_due is not None:
        # a waiver that ran when the breach was taken back is in that deadline already
        later = [waiver for waiver in duty.waivers if waiver.at > start.at]
        return _Clock(number, start, moved(given_due, met, later), times)
    due = duty.due(start, times, lambda deadline: moved(deadline, met, duty.waivers))
    return _Clock(number, start, due, times)


def _clipped(times: Sequence[Fulfilled], start: datetime) -> list[Fulfilled]:
    return [
        time._replace(start=max(time.start, start)) for time in times if time.end is None or time.end > start
    ]


class _End(NamedTuple):
    """The end of a clock before the present: its span (`renewal` False), or the loss of what had met it."""

    at: datetime
    renewal: bool


def _end(duty: Duty, clock: _Clock, now: datetime) -> _End | None:
    ends = [
        _End(span.end, False)
        for span in duty.spans
        if span.end is not None and clock.start.at < span.end <= now
    ]
    ends += [
        _End(time.end, True)
        for time in clock.times
        if time.end is not None and time.why in duty.renews and time.end <= now
    ]
    # what ends at the moment at which it was lost had been met
    for end in sorted(ends, key=lambda end: (end.at, not end.renewal)):
        # missed before it was done, and still without an owner when it is opened again, is missed once
        if not end.renewal and clock.due <= end.at and _why(duty, end.at) == "done":
            continue
        if end.renewal or not _met_by(duty, clock, end.at):
            return end
    return None


def _met_by(duty: Duty, clock: _Clock, at: datetime) -> Fulfilled | None:
    """Return the fulfilment that holds at a time, None if the duty is unfulfilled."""
    times = [time for time in clock.times if time.start <= at]
    if duty.lasting and clock.due <= at:
        kept = [
            time for time in times if time.start <= clock.due and (time.end is None or clock.due < time.end)
        ]
        if kept:
            return kept[0]
    last = times[-1] if times else None
    return last if last and (last.end is None or at < last.end) else None


def _judge(duty: Duty, clock: _Clock, now: datetime) -> tuple[Judged, _End | None]:
    end = _end(duty, clock, now)
    base = Judged(
        kind=duty.kind,
        subject=duty.subject,
        clock=clock.number,
        started_at=clock.start.at,
        due_at=clock.due,
        verdict=Verdict.PENDING,
    )
    if end is None:
        return _present(duty, clock, base, now), None
    if end.renewal:
        met = next(time for time in clock.times if time.end == end.at)
        return _met(base, met), end
    why = _why(duty, end.at)
    if clock.due <= end.at:
        # what was missed stays missed, and may be done late until the item counts elsewhere, or nowhere
        until = min(now, clock.start.span.leaves_at or now)
        return _present(duty, clock, base.model_copy(update={"why": why}), until), end
    return base.model_copy(update={"verdict": Verdict.CANCELLED, "why": why}), end


def _why(duty: Duty, at: datetime) -> Ending:
    return next(span.why for span in duty.spans if span.end == at)


def _met(base: Judged, time: Fulfilled) -> Judged:
    verdict = Verdict.MET if time.start <= base.due_at else Verdict.MET_LATE
    return base.model_copy(update={"verdict": verdict, "met_at": time.start, "met_by": time.by})


def _present(duty: Duty, clock: _Clock, base: Judged, now: datetime) -> Judged:
    hidden, leaves = duty.hidden_since, clock.start.span.leaves_at
    if hidden is not None and leaves is not None and leaves < hidden:
        hidden = None
    if hidden is not None and hidden <= clock.due <= now:
        return base.model_copy(update={"verdict": Verdict.BREACHED, "why": "not visible"})
    met = _met_by(duty, clock, now)
    if met is not None:
        return _met(base, met)
    undecided = clock.start.span.undecided_since
    if undecided is not None and undecided < clock.due:
        return base
    if clock.due <= now:
        return base.model_copy(update={"verdict": Verdict.BREACHED})
    if any(waiver.runs(now) for waiver in duty.waivers):
        return base.model_copy(update={"verdict": Verdict.WAIVED})
    return base


def _following(duty: Duty, clock: _Clock, end: _End | None, verdict: Judged) -> Start | None:
    if end is None:
        return None
    if end.renewal:
        following = _first(duty.spans, end.at, renewed=True)
        return following._replace(kept=clock.start.resolved_at) if following else None
    following = _first(duty.spans, end.at)
    if duty.kind not in OF_ACTION_ITEM or clock.due > end.at or following is None:
        return following
    if verdict.why == "merged" or not following.span.is_of_same(clock.start.span):
        # nothing changes for what was missed: if it was met late, it is owed again once that is lost
        late = _met_by(duty, clock, max(end.at, following.at))
        if late is not None:
            return _first(duty.spans, late.end, renewed=True) if late.end is not None else None
        # and else from the next resolve
        resolved = [span for span in duty.spans if span.start == span.resolved_at]
        return _first([span for span in resolved if span.start > end.at])
    return following


def _correction(duty: Duty, clock: _Clock, following: Start | None, now: datetime) -> Correction | None:
    """Return the correction that took back the breach of a clock: an approver corrects the latest clock."""
    until = min(following.at, now) if following is not None else now
    return next((taken for taken in duty.corrections if clock.due <= taken.at <= until), None)


def _after_correction(duty: Duty, correction: Correction) -> tuple[Start | None, datetime | None]:
    """Return the start and deadline of the clock that takes the place of one whose breach was taken back."""
    start = _first(duty.spans, correction.at)
    if start is None or start.at != correction.at:
        return start, None
    ends = [waiver.end for waiver in duty.waivers if waiver.runs(correction.at)]
    return start, max([correction.at + AFTER_A_CORRECTION, *ends])
