"""The duties that a team has after an incident, and the waivers that suspend them.

A duty is judged by the time at which a person acted in PagerDuty or Jira, never by the time at which syncd
looked. So the verdict is the same after a day of downtime. The ledger keeps every duty: a breach stays on
record, and a new clock is a new duty.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from syncd.domain.base import UtcTime, Value


class DutyKind(StrEnum):
    """The kinds of duties: two of an incident's postmortem, two of an action item, one of what recurs.

    `filed` is a filing with a regulator; its subject is the name of its clock in the mapping.
    """

    SCHEDULED = "scheduled"
    COMPLETED = "completed"
    OWNED = "owned"
    DONE = "done"
    HELD = "held"
    FILED = "filed"


class DutyState(StrEnum):
    """The state of a duty."""

    NOT_REQUIRED = "not_required"
    PENDING = "pending"
    DUE_SOON = "due_soon"
    MET = "met"
    MET_LATE = "met_late"
    BREACHED = "breached"
    WAIVED = "waived"
    CANCELLED = "cancelled"
    VOID = "void"


STATE_WORDS = {
    DutyState.NOT_REQUIRED: "not owed",
    DutyState.PENDING: "owed",
    DutyState.DUE_SOON: "due soon",
    DutyState.MET: "done in time",
    DutyState.MET_LATE: "done late",
    DutyState.BREACHED: "overdue",
    DutyState.WAIVED: "waived",
    DutyState.CANCELLED: "cancelled",
    DutyState.VOID: "breach taken back",
}
"""The words that people read for each state."""
NOT_VISIBLE = "not met: not visible"
"""The words for a breach that rests on an issue that syncd could not see at the deadline."""

OWED = frozenset({DutyState.PENDING, DutyState.DUE_SOON, DutyState.BREACHED})
"""States in which a person still has something to do."""
RUNNING = OWED | {DutyState.WAIVED}
"""States that a later act or the passing of time can change."""
MET = frozenset({DutyState.MET, DutyState.MET_LATE})
"""States of a duty that a person fulfilled."""
_ENDS_OF_A_BREACH = frozenset({DutyState.MET_LATE, DutyState.VOID})
"""States in which a duty that was missed is no longer overdue."""


def verdict_of(state: DutyState, breached_at: datetime | None) -> DutyState:
    """Return how every list and report shows and counts a duty.

    That is its state. A missed duty stays missed when it is waived or cancelled later.
    """
    missed = breached_at is not None and state not in _ENDS_OF_A_BREACH
    return DutyState.BREACHED if missed else state


def verdict_words(verdict: DutyState, *, unseen: bool = False) -> str:
    """Return a verdict in the words of every list, mail and report; `unseen` as in a duty."""
    return NOT_VISIBLE if unseen and verdict is DutyState.BREACHED else STATE_WORDS[verdict]


OF_POSTMORTEM = (DutyKind.SCHEDULED, DutyKind.COMPLETED)
"""The duties of an incident's postmortem."""
OF_ACTION_ITEM = (DutyKind.OWNED, DutyKind.DONE)
"""The duties of an action item."""
LONGEST_WAIVER = timedelta(days=30)
"""How long a waiver may last."""
BY_ONE_APPROVER = 2
"""One approver waives a duty so often; each further waiver needs a second approver."""
AFTER_A_WAIVER = timedelta(hours=24)
"""The time that is left at least when a waiver ends, or when a breach is taken back."""
TAKEN_BACK = "its breach was taken back, and nobody says that it was met"
"""The reason of a duty that is owed anew after a correction."""


class Duty(Value):
    """One duty with one clock.

    `subject` is the id of the incident, or the issue id of the action item or recurring issue. `clock` counts
    the clocks of a subject from 1: an incident that is reopened before its duty is met gets a new clock at
    the next resolve. `rule` is the version of the mapping under which the duty arose. `met_at` is the time of
    the act in PagerDuty or Jira, `met_by` the person who acted. `breached_at` stays set, whatever happens
    later.
    `corrected` is the reason for which `corrected_by`, an approver, took the breach back at `corrected_at`;
    `claimed_met_at` is when the duty was met by the approver's word, None if the duty is owed anew.
    `was_due_at` is the deadline before a waiver moved it, None where no waiver did. `remedy` tells people how
    to end the duty. `rebuilt` is True where syncd read the duty from one of its own comments, because the
    ledger that held it was lost. `unseen` is True where the breach rests on an issue that syncd could not see
    at the deadline: it is taken back if the issue comes back and its changelog shows that the duty was met in
    time.
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
    corrected_at: UtcTime | None = None
    corrected_by: str | None = None
    claimed_met_at: UtcTime | None = None
    rebuilt: bool = False
    unseen: bool = False

    @property
    def verdict(self) -> DutyState:
        """How every list and report shows and counts the duty (`verdict_of`)."""
        return verdict_of(self.state, self.breached_at)

    @property
    def words(self) -> str:
        """The verdict in the words that people read."""
        return verdict_words(self.verdict, unseen=self.unseen)

    @property
    def of_postmortem(self) -> bool:
        """True if the duty belongs to a postmortem, False if it belongs to an action item."""
        return self.kind in OF_POSTMORTEM

    @property
    def place(self) -> tuple[str, str, int]:
        """Kind, subject and clock: together they identify a duty within its incident."""
        return (self.kind, self.subject, self.clock)


class Waiver(Value):
    """A waiver: an approver suspends a duty until a time; `duty` None means both duties of the postmortem.

    `subject` is the issue id of an action item, None for the incident's own duties. `ended_at` and `ended_by`
    are set where a person took the waiver back before its end. `source` is `command`, or `jira` for a label.
    `rebuilt` has the same meaning as in a duty.
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
        """The time (UTC) at which the waiver ends."""
        return self.until if self.ended_at is None else min(self.until, self.ended_at)

    def runs(self, now: datetime) -> bool:
        """Return True if the waiver is in force at a time."""
        return self.at <= now < self.end

    def covers(self, kind: DutyKind, subject: str | None = None) -> bool:
        """Return True if the waiver suspends this duty of the incident itself; a filing has a `subject`."""
        if kind is DutyKind.FILED:
            return self.duty is kind and self.subject in (None, subject)
        return self.subject is None and (self.duty is kind or (self.duty is None and kind in OF_POSTMORTEM))
