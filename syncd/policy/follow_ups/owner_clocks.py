"""Judge the duty of an action item to have an owner on each of its clocks, from the record alone.

A clock runs within a window: a time in which the incident is over and the item not done. It ends when the
item has an owner, or with its window; if the owner leaves or drops the item, the next clock starts. A clock
that a reopening of the incident ends in time moves to the next window; one that was missed stays missed, and
the next window starts another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from syncd.domain.base import UtcTime, Value
from syncd.domain.duty import MET, RUNNING, TAKEN_BACK, Duty, DutyKind, DutyState
from syncd.domain.mapping.mapping import Mapping
from syncd.policy.duty_words import OWNER_LEFT, left_words
from syncd.policy.follow_ups.completion import Ended
from syncd.policy.follow_ups.duties import (
    OPENED_AGAIN,
    Item,
    JudgingRules,
    due_and_before,
    met,
    owner_due,
    still_owed,
)
from syncd.policy.follow_ups.owner import Held
from syncd.policy.follow_ups.runs import Run
from syncd.policy.postmortem.deadlines import due_after_correction

DONE_UNOWNED = "it was done before it had an owner"
"""The reason of a cancelled owner duty: what is done needs no owner."""


class Window(Value):
    """A time in which an item needs an owner; `why` says what ended it."""

    since: UtcTime
    until: UtcTime | None = None
    why: Literal["reopened", "done", ""] = ""


def windows_of(runs: Iterable[Run], ends: Sequence[Ended]) -> tuple[Window, ...]:
    """Return the parts of the runs in which the item was not done."""
    parts = []
    for run in runs:
        since: datetime | None = run.item.starts
        for ended in ends:
            if since is None or (ended.until is not None and ended.until <= since):
                continue
            if run.until is not None and ended.since >= run.until:
                break
            if ended.since > since:
                parts.append(Window(since=since, until=ended.since, why="done"))
            within = ended.until is not None and (run.until is None or ended.until < run.until)
            since = ended.until if within else None
        if since is not None:
            why = "" if run.until is None else "reopened"
            parts.append(Window.model_validate({"since": since, "until": run.until, "why": why}))
    return tuple(parts)


@dataclass(frozen=True)
class Clock:
    """The number, the start and the window of a clock; `due_at` is set where a correction started it."""

    number: int
    started_at: datetime
    place: int = 0
    why: str = ""
    due_at: datetime | None = None


@dataclass(frozen=True)
class OwnerClocks:
    """The facts by which all clocks of one item's owner duty are judged; `times` are those with an owner."""

    item: Item
    windows: Sequence[Window]
    times: Sequence[Held]
    recorded: Sequence[Duty]
    mapping: Mapping
    judging: JudgingRules
    now: datetime

    def judged(self) -> list[Duty]:
        """Return each duty that a clock judges anew, oldest first."""
        records = {duty.clock: duty for duty in self.recorded}
        judged: list[Duty] = []
        number, clock = 0, self._starting(1, None)
        while clock is not None:
            number, record = clock.number, records.get(clock.number)
            if record is not None and record.state is DutyState.VOID:
                clock = self._after(clock, record)
                continue
            duty, clock = self._judge(clock, record)
            judged.append(duty)
        gone = [duty for duty in self.recorded if duty.clock > number and duty.state in RUNNING]
        why = "another clock took its place"
        return judged + [
            duty.model_copy(update={"state": DutyState.CANCELLED, "reason": why}) for duty in gone
        ]

    def _starting(self, number: int, at: datetime | None, why: str = "") -> Clock | None:
        """Return the clock that starts at a moment (None: with the first window), or with the next window."""
        for place, window in enumerate(self.windows):
            if at is None or window.until is None or at < window.until:
                return Clock(number, max(at or window.since, window.since), place, why)
        return None

    def _next(self, clock: Clock, why: str = "", *, number: int | None = None) -> Clock | None:
        """Return the clock of the next window, None if there is none."""
        place = clock.place + 1
        if place >= len(self.windows):
            return None
        return Clock(number or clock.number + 1, self.windows[place].since, place, why)

    def _after(self, clock: Clock, void: Duty) -> Clock | None:
        """Return the clock after one whose breach was taken back; with a time, nothing more is owed."""
        at = void.corrected_at or void.due_at
        if void.claimed_met_at is not None:
            return None
        # The clock on record was the latest at the correction, whichever windows it had moved through.
        following = self._starting(clock.number + 1, at)
        if following is None or following.started_at > at:
            return following
        running = (waiver for waiver in self.judging.waivers if waiver.duty is DutyKind.OWNED)
        return replace(following, why=TAKEN_BACK, due_at=due_after_correction(at, running))

    def _judge(self, clock: Clock, record: Duty | None) -> tuple[Duty, Clock | None]:
        window = self.windows[clock.place]
        held = self._held(clock.started_at, window.until)
        duty = self._base(clock, record)
        if held is not None:
            at = max(held.since, clock.started_at)
            if held.until is None and self._is_hidden(duty, at):
                return still_owed(duty, self.item, self.now, self.judging), None
            again = None
            if held.until is not None:
                again = self._starting(clock.number + 1, held.until, self._lost(held))
            return met(duty, at, held.by, self.judging), again
        if window.until is None:
            # Comments that syncd does not keep may have shown that it was met: the record stands.
            if record is not None and record.state in MET and self.item.issue.comments is None:
                return record, None
            return still_owed(duty, self.item, self.now, self.judging), None
        return self._ended(clock, window, record, duty)

    def _ended(
        self, clock: Clock, window: Window, record: Duty | None, duty: Duty
    ) -> tuple[Duty, Clock | None]:
        """Return the duty of a clock that was not met in its window, and the clock that follows."""
        until = window.until or self.now
        due, more = self.judging.deadline_of(duty), clock.place + 1 < len(self.windows)
        proven = min(self.now, self.item.seen_until) >= self.judging.skew.judged_from(due)
        missed = duty.breached_at or (due if due < until and proven else None)
        if window.why == "done":
            # Without an owner before it was done and after it was opened again, it is missed once.
            if missed is not None and more:
                return self._judge(replace(clock, place=clock.place + 1), record)
            return self._with_breach(duty, missed, DutyState.CANCELLED, DONE_UNOWNED), self._next(
                clock, OPENED_AGAIN
            )
        # A breach on record may belong to a later window, into which the clock moved.
        if missed is not None and missed < until:
            late = self._with_breach(duty, missed, DutyState.BREACHED, duty.reason)
            held = self.times[-1] if self.times and self.times[-1].until is None else None
            if held is not None:
                late = met(late, held.since, held.by, self.judging)
            return late, self._next(clock)
        moved = self._next(clock, clock.why, number=clock.number)
        if moved is not None:
            return self._judge(moved, record)
        # While the incident is open again, the clock stands still.
        then = self.item.model_copy(update={"seen_until": min(self.item.seen_until, until)})
        return still_owed(duty, then, until, self.judging), None

    def _lost(self, held: Held) -> str:
        """Return in words why the item needs another owner."""
        if not held.left:
            return "it lost its owner"
        leave = self.item.leaves.get(held.account)
        return f"its owner {left_words(leave, self.mapping.zone)}" if leave else OWNER_LEFT

    def _held(self, start: datetime, until: datetime | None) -> Held | None:
        """Return the first time in which the duty was met after a start, if it began within the window."""
        for held in self.times:
            before = held.until is not None and held.until <= start
            if before or (held.unsure and held.since <= start):
                continue
            return held if until is None or max(held.since, start) <= until else None
        return None

    def _is_hidden(self, duty: Duty, met_at: datetime) -> bool:
        """Return True if nobody could see the item when the deadline of a duty that was met passed."""
        hidden, due = self.item.hidden_since, self.judging.deadline_of(duty, met_at)
        return hidden is not None and hidden <= due and self.judging.skew.judged_from(due) <= self.now

    def _base(self, clock: Clock, record: Duty | None) -> Duty:
        """Return the duty with its clock: its start, its deadline and its reason, without a verdict."""
        due, moved = clock.due_at or owner_due(clock.started_at, self.mapping), None
        same = record is not None and record.started_at == clock.started_at
        breached = record.breached_at if record is not None else None
        if record is not None and breached is not None:
            # A missed duty stays in the week of the deadline that was missed.
            due, moved = record.due_at, record.was_due_at
        elif record is not None and same and clock.due_at is None:
            # A changed mapping or holiday does not move a deadline that people have read.
            due = record.was_due_at or record.due_at
        kept = record is not None and same and record.state is not DutyState.CANCELLED and record.reason
        first = f"it needs an owner within {self.mapping.follow_ups.owner_hours:g} working hours"
        return Duty(
            kind=DutyKind.OWNED,
            subject=self.item.issue.id,
            clock=clock.number,
            started_at=record.started_at if record is not None and breached else clock.started_at,
            due_at=due,
            was_due_at=moved,
            reason=kept or clock.why or first,
            rule=record.rule if record is not None else self.mapping.version,
            breached_at=breached,
            rebuilt=record is not None and record.rebuilt,
        )

    def _with_breach(self, duty: Duty, missed: datetime | None, state: DutyState, reason: str) -> Duty:
        update: dict[str, object] = {"state": state, "reason": reason, "breached_at": missed}
        if duty.breached_at is None:
            base = duty.was_due_at or duty.due_at
            update |= due_and_before(self.judging.deadline_of(duty), base)
        return duty.model_copy(update=update)
