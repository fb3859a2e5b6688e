"""Return the state of one duty of a postmortem on one of its clocks: running, met, missed or cancelled.

A clock on record keeps its start and its deadline, and a breach on record stays. syncd records a breach only
when it has read the changelog beyond the deadline, which must have passed by the services' clocks, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from syncd.domain.duty import Duty, DutyKind, DutyState, Waiver
from syncd.domain.mapping.value_types import Mode
from syncd.policy.case import Case, Rulebook
from syncd.policy.duty_words import SEEN_AGAIN
from syncd.policy.postmortem.deadlines import moved_deadline, soon_at
from syncd.policy.postmortem.fulfilment import (
    Span,
    Window,
    carried_on,
    completed_spans,
    first_gap,
    has_owner,
    held_at,
    held_now,
    remedy,
    review_field,
    scheduled_spans,
)
from syncd.policy.postmortem.owed import Owed
from syncd.policy.postmortem.resolved_periods import Clock
from syncd.policy.time.time_words import at_words
from syncd.policy.time.working_time import end_of_day, working_day_after

READ_AGAIN = timedelta(minutes=1)
"""If no read of both services has reached a deadline yet, syncd judges again after this time."""
_MOVED = "; a waiver moved the deadline"


@dataclass
class JudgeContext:
    """The facts by which the duties of one incident are judged, and the results.

    The results: `duties` as judged, the `moments` at which a verdict may change by itself, and `unread` if
    the changelog must be read further first.
    """

    case: Case
    book: Rulebook
    now: datetime
    owed: Owed | None
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
    def read_until(self) -> datetime | None:
        """Return the moment up to which syncd has read the changes of the postmortem, None if never."""
        if self.case.postmortem is not None:
            return self.case.postmortem.changes_until
        # Without a postmortem nothing was done. In mode `report` syncd makes none, so nobody missed anything.
        return self.now if self.book.mapping.postmortem.mode is Mode.ENFORCE else None


def merged_words(case: Case) -> str:
    """Return in words that the postmortem of the merge target counts."""
    target = case.merged_into
    if target is None and case.incident.merged_into is None:
        return "it was merged into another incident, whose postmortem counted until it was reopened"
    named = target.number or target.id if target is not None else case.incident.merged_into
    return f"it was merged into incident {named}, whose postmortem counts"


def _lowered_words(case: Case, at: datetime) -> str:
    """Return in words why nothing asks for the postmortem since a moment."""
    for source in case.merged_sources:
        if source.owes and source.until == at:
            return f"incident #{source.number}, which asked for it, was reopened and counts on its own again"
    return "its severity was lowered to one that needs no postmortem"


def cancelled(duty: Duty, why: str) -> Duty:
    """Return the duty as cancelled, with the reason."""
    return duty.model_copy(update={"state": DutyState.CANCELLED, "reason": why, "remedy": ""})


def _first(kind: DutyKind, clock: Clock, record: Duty | None, context: JudgeContext) -> datetime:
    """Return the deadline without waivers."""
    # A changed mapping or holiday does not move a deadline that people have read.
    if record is not None:
        return record.was_due_at or record.due_at
    if clock.due_at is not None:
        return clock.due_at
    rules, mapping = context.book.mapping.postmortem, context.book.mapping
    if kind is DutyKind.SCHEDULED:
        return clock.started_at + timedelta(hours=rules.schedule_hours)
    last = working_day_after(clock.started_at, rules.complete_days, mapping.zone, mapping.holidays)
    return end_of_day(last, mapping.zone)


def _waivers(kind: DutyKind, clock: Clock, context: JudgeContext) -> list[Waiver]:
    """Return the waivers that were given before a clock ended, oldest first."""
    given = [waiver for waiver in context.waivers if waiver.covers(kind)]
    return sorted(
        (waiver for waiver in given if clock.ended_at is None or waiver.at < clock.ended_at),
        key=lambda waiver: waiver.at,
    )


def _window(kind: DutyKind, clock: Clock, record: Duty | None, context: JudgeContext) -> Window:
    waivers = _waivers(kind, clock, context)
    started = record.started_at if record else clock.started_at
    # A waiver that came after the deadline moves no date.
    due = moved_deadline(_first(kind, clock, record, context), waivers, lambda _due: False)
    return Window(
        resolved_at=clock.period.resolved_at,
        counts_from=max([started, *(waiver.end for waiver in waivers if waiver.at <= due)]),
        due_at=due,
        days=context.book.mapping.postmortem.review_within_days,
        zone=context.book.mapping.zone,
    )


def spans_of(kind: DutyKind, clock: Clock, record: Duty | None, context: JudgeContext) -> tuple[Span, ...]:
    """Return the times in which the duty was met on a clock, oldest first."""
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
) -> Duty:
    """Return the duty with its clock: its start, its deadline and its reason, without a verdict."""
    first, waivers = _first(kind, clock, record, context), _waivers(kind, clock, context)
    # A waiver that ran when the breach was taken back is in that deadline already.
    later = [waiver for waiver in waivers if clock.due_at is None or waiver.at > clock.started_at]
    # What nobody can see at a deadline is unfulfilled at it.
    due = moved_deadline(
        first, later, lambda due: held_at(spans, due) is not None and not _is_hidden(due, context)
    )
    # A missed duty stays in the week of the deadline that was missed.
    if record is not None and record.breached_at is not None and not _back(record, context):
        due = record.due_at
    # Keep the reason on record, without the words about an earlier waiver; a cancelled duty's tells its end.
    base = record.reason.partition(_MOVED)[0] if record and record.state is not DutyState.CANCELLED else ""
    reason = base or clock_reason(kind, clock, context)
    if due != first:
        reason += _MOVED
    return Duty(
        kind=kind,
        subject=context.case.incident.id,
        clock=number,
        started_at=record.started_at if record else clock.started_at,
        due_at=due,
        was_due_at=first if due != first else None,
        reason=reason,
        rule=record.rule if record else context.book.mapping.version,
        breached_at=record.breached_at if record and not _back(record, context) else None,
        rebuilt=record is not None and record.rebuilt,
    )


def clock_reason(kind: DutyKind, clock: Clock, context: JudgeContext) -> str:
    """Return why a clock runs and how long; its dates are the duty's own, in the zone of the reader."""
    if clock.due_at is not None:
        return clock.why
    rules = context.book.mapping.postmortem
    why = context.owed.reason if context.owed is not None else "it was owed"
    if clock.why:
        why += f"; {clock.why}"
    elif clock.started_at > clock.period.resolved_at:
        why += "; it first needed one after its resolve"
    after = "later" if clock.started_at > clock.period.resolved_at else "after the resolve"
    hours, days = f"{rules.schedule_hours:g} hours", f"the end of {rules.complete_days} working days"
    return f"{why}; the deadline is {hours if kind is DutyKind.SCHEDULED else days} {after}"


def _at_deadline(duty: Duty, spans: Sequence[Span], context: JudgeContext) -> Sequence[Span]:
    """Return the times in which the duty was met, as far as they count at its deadline.

    Nothing counts of a postmortem that syncd cannot see when the deadline passes. One that was completed then
    stays so for this duty: if a person works on it again later, a week that was kept stays kept.
    """
    if _is_hidden(duty.due_at, context):
        judged = context.case.skew.judged_from(duty.due_at)
        if judged <= context.now:
            return ()
        context.moments.append(judged)
    if duty.kind is not DutyKind.COMPLETED:
        return spans
    kept = held_at(spans, duty.due_at)
    return tuple(span.model_copy(update={"until": None}) if span is kept else span for span in spans)


def _is_hidden(due: datetime, context: JudgeContext) -> bool:
    """Return True if syncd cannot see the postmortem, and could not at a deadline."""
    postmortem = context.case.postmortem
    hidden = postmortem.out_of_sight_since if postmortem is not None else None
    return hidden is not None and hidden <= due


def on_clock(
    kind: DutyKind,
    clock: Clock,
    record: Duty | None,
    number: int,
    spans: Sequence[Span],
    context: JudgeContext,
) -> Duty:
    """Return the duty of a clock with its verdict."""
    duty = _made(kind, clock, record, number, spans, context)
    spans = _at_deadline(duty, spans, context)
    end = clock.ended_at
    if end is None:
        return _running(duty, clock, record, spans, context)
    return _ended(duty, clock, end, record, spans, context)


def _ended(
    duty: Duty, clock: Clock, end: datetime, record: Duty | None, spans: Sequence[Span], context: JudgeContext
) -> Duty:
    """Return the duty of a clock that has ended: cancelled, unless it was overdue before."""
    breached = duty.breached_at or _overdue_since(duty, clock, spans, context, before=end)
    gap = first_gap(spans, duty.due_at)
    if breached is None and gap is not None and gap < end:
        # It was missed before the clock ended, as soon as that is proven.
        return duty.model_copy(update={"state": _owed(duty, clock, context)})
    if breached is None and end == clock.lowered_at:
        return cancelled(duty, _lowered_words(context.case, end))
    if breached is None and end == clock.merged_at:
        return cancelled(duty, merged_words(context.case))
    if breached is None:
        reopened = f"the incident was reopened {at_words(end, 'UTC')}"
        return cancelled(duty, f"{reopened}; the next resolve starts a new clock")
    late = _with_sight(duty.model_copy(update={"breached_at": breached}), record, context)
    done = held_now(spans)
    return _met(late, done) if done else late.model_copy(update={"state": DutyState.BREACHED})


def _running(
    duty: Duty, clock: Clock, record: Duty | None, spans: Sequence[Span], context: JudgeContext
) -> Duty:
    """Return the duty of a clock that no reopening ended, or that was met before the reopening."""
    done = held_now(spans)
    overdue = _overdue_since(duty, clock, spans, context)
    duty = _with_sight(duty.model_copy(update={"breached_at": duty.breached_at or overdue}), record, context)
    if done is not None:
        return _met(duty, done)
    state = _owed(duty, clock, context)
    window = _window(duty.kind, clock, record, context)
    late, postmortem = state is DutyState.BREACHED, context.case.postmortem
    owned = postmortem is not None and has_owner(postmortem, context.now)
    ends = remedy(duty.kind, window, context.book, late=late, owned=owned)
    return duty.model_copy(update={"state": state, "remedy": ends})


def _owed(duty: Duty, clock: Clock, context: JudgeContext) -> DutyState:
    """Return the state of a duty that is not met, and note when that state changes by itself."""
    waiver = next((given for given in _waivers(duty.kind, clock, context) if given.runs(context.now)), None)
    if waiver is not None:
        context.moments.append(waiver.end)
        return DutyState.WAIVED
    # A breach on record stays, also while the changelog cannot be read.
    if duty.breached_at is not None:
        return DutyState.BREACHED
    soon = soon_at(duty, context.book)
    if soon is None or not context.case.skew.is_due(soon, context.now):
        context.moments += [context.case.skew.due_at(soon)] if soon else []
        return DutyState.PENDING
    return DutyState.DUE_SOON


def _overdue_since(
    duty: Duty, clock: Clock, spans: Sequence[Span], context: JudgeContext, before: datetime | None = None
) -> datetime | None:
    """Return since when the duty is overdue, None until that is proven, and note when to judge again.

    `before` is the end of the clock: a later breach does not count.
    """
    gap = first_gap(spans, duty.due_at)
    if gap is None or (before is not None and gap >= before):
        return None
    # A person met the duty by the deadline and undid it later: the changelog shows that itself.
    if gap > duty.due_at and gap <= context.now:
        return gap
    # Nothing was done by the deadline. Only a changelog that was read beyond it proves that.
    reopened, ripe = clock.period.reopened_at, context.case.skew.judged_from(gap)
    if ripe > context.now:
        context.moments.append(ripe)
    elif clock.period.doubtful_until is not None and reopened is not None and gap >= reopened:
        # If the incident stays open for 30 minutes, the reopening ended the clock before the deadline.
        context.moments.append(context.case.skew.passes_at(clock.period.doubtful_until))
    elif not context.case.was_read(context.case.skew.passes_at(gap)):
        context.moments.append(context.now + READ_AGAIN)
    elif context.read_until is not None and context.read_until >= ripe:
        return gap
    elif context.readable:
        context.unread = True
    elif context.case.postmortem is not None:
        # Nothing shows that it was done, and nobody can look.
        return gap
    return None


def _back(record: Duty, context: JudgeContext) -> bool:
    """Return True if a breach rests on a postmortem that syncd could not see, and syncd sees it again."""
    return record.unseen and context.readable


def _with_sight(duty: Duty, record: Duty | None, context: JudgeContext) -> Duty:
    """Return the duty with its mark if its breach is new and rests on a postmortem that syncd cannot see."""
    hidden = context.case.postmortem is not None and not context.readable
    stood = record is not None and record.breached_at is not None and not record.unseen
    unseen = hidden and duty.breached_at is not None and not stood
    if record is not None and _back(record, context) and duty.breached_at is None:
        return duty.model_copy(update={"unseen": unseen, "reason": f"{duty.reason}; {SEEN_AGAIN}"})
    return duty.model_copy(update={"unseen": unseen})


def _met(duty: Duty, done: Span) -> Duty:
    late = duty.breached_at is not None
    return duty.model_copy(
        update={
            "state": DutyState.MET_LATE if late else DutyState.MET,
            # What was done before the clock started meets it from its start on.
            "met_at": max(done.since, duty.started_at),
            "met_by": done.by,
            "remedy": "",
        }
    )
