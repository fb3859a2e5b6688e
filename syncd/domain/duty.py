"""What a team owes after an incident: duties with a clock, the waivers that suspend them, their words.

A duty is judged by the time of the act at its source, never by when the daemon looked (rules: "The
postmortem: two duties"). Its rows in the ledger are the history: a breach stays, a new clock is a new duty.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from syncd.domain.base import UtcTime, Value


class DutyKind(StrEnum):
    """What is owed: the first two by an incident, the others by an action item."""

    SCHEDULED = "scheduled"
    COMPLETED = "completed"
    OWNED = "owned"
    DONE = "done"


class DutyState(StrEnum):
    """Where a duty stands."""

    NOT_REQUIRED = "not_required"
    PENDING = "pending"
    DUE_SOON = "due_soon"
    MET = "met"
    MET_LATE = "met_late"
    BREACHED = "breached"
    WAIVED = "waived"
    CANCELLED = "cancelled"


STATE_WORDS = {
    DutyState.NOT_REQUIRED: "not owed",
    DutyState.PENDING: "owed",
    DutyState.DUE_SOON: "due soon",
    DutyState.MET: "done in time",
    DutyState.MET_LATE: "done late",
    DutyState.BREACHED: "overdue",
    DutyState.WAIVED: "waived",
    DutyState.CANCELLED: "cancelled",
}
"""What people read."""

OWED = frozenset({DutyState.PENDING, DutyState.DUE_SOON, DutyState.BREACHED})
"""States in which something is still to be done."""
RUNNING = OWED | {DutyState.WAIVED}
"""States that a later act or the passing of time changes."""
MET = frozenset({DutyState.MET, DutyState.MET_LATE})
"""States in which it was done."""
OF_POSTMORTEM = (DutyKind.SCHEDULED, DutyKind.COMPLETED)
"""The duties of an incident's postmortem."""
OF_ACTION_ITEM = (DutyKind.OWNED, DutyKind.DONE)
AFTER_A_WAIVER = timedelta(hours=24)
"""At the end of a waiver there is at least so much time left."""


class Duty(Value):
    """One duty of one clock.

    `subject` is the incident's id, or the issue id of the action item. `clock` counts the clocks of a
    subject from 1: one that was reopened before its duty was met gets a new one at the next resolve.
    `rule` is the version of the mapping under which it arose. `met_at` is the moment of the act at its
    source, `met_by` who did it. `breached_at` stays set whatever comes later; `corrected` says that a
    person took a wrong breach back, and why. `was_due_at` is the deadline before a waiver moved it, None
    where none did. `remedy` says in words what ends it. `rebuilt`: read back from a comment of ours, since
    the ledger in which it arose was lost.
    """

    kind: DutyKind
    subject: str
    clock: int = 1
    state: DutyState = DutyState.PENDING
    started_at: UtcTime
    due_at: UtcTime
    was_due_at: UtcTime | None = None
    reason: str = ""
    remedy: str = ""
    rule: str = ""
    met_at: UtcTime | None = None
    met_by: str | None = None
    breached_at: UtcTime | None = None
    corrected: str | None = None
    rebuilt: bool = False

    @property
    def of_postmortem(self) -> bool:
        """Whether it is owed by a postmortem, not by an action item."""
        return self.kind in OF_POSTMORTEM

    @property
    def place(self) -> tuple[str, str, int]:
        """What tells it from every other duty of its incident."""
        return (self.kind, self.subject, self.clock)


class Waiver(Value):
    """Somebody's word that a duty rests until a moment; `duty` None: both duties of the postmortem.

    `subject` is the issue id of an action item, None: the incident's own duties. `ended_at` is when it was
    taken back before its end and `ended_by` by whom, `source` how it was given: `command`, or `jira` for the
    label. `rebuilt` as of a duty.
    """

    duty: DutyKind | None = None
    subject: str | None = None
    until: UtcTime
    reason: str
    by: str
    at: UtcTime
    ended_at: UtcTime | None = None
    ended_by: str | None = None
    source: str = "command"
    rebuilt: bool = False

    @property
    def end(self) -> datetime:
        """When it is over."""
        return self.until if self.ended_at is None else min(self.until, self.ended_at)

    def runs(self, now: datetime) -> bool:
        """Whether it holds at a moment."""
        return self.at <= now < self.end

    def covers(self, kind: DutyKind) -> bool:
        """Whether it speaks of this duty of the incident."""
        return self.subject is None and (self.duty is kind or (self.duty is None and kind in OF_POSTMORTEM))
