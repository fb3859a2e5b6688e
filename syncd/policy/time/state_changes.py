"""Derive an incident's changes of state from its log entries and its last snapshot.

PagerDuty's REST specification does not say which log entry a reopen leaves. So syncd infers a reopen from a
second resolve, or from an incident that is open after a resolve. The reopen's time is that of the first entry
in between that only an open incident has: a changed priority, title, service or urgency is no reopening. Log
and incident are read one after the other: an incident as read before the log's last resolve shows no reopen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syncd.domain.base import Value
from syncd.domain.history import StateChange, StateChangeKind
from syncd.domain.incident import Incident

_KINDS: dict[str, StateChangeKind] = {
    "trigger": "triggered",
    "acknowledge": "acknowledged",
    "unacknowledge": "unacknowledged",
    "resolve": "resolved",
    "snooze": "snoozed",
}
_ONLY_WHEN_OPEN = frozenset(
    {
        *("trigger", "acknowledge", "unacknowledge", "assign", "delegate", "escalate", "snooze", "unsnooze"),
        *("exhaust_escalation_path", "repeat_escalation_path", "reach_ack_limit", "reach_trigger_limit"),
    }
)
"""Entries that prove a reopen. People change the fields of a resolved incident, too."""


class Entry(Value):
    """The parts of a log entry that concern the state of the incident.

    `person` is True if a user made it, `ours` if that is the user in whose name syncd acts. `merged_into` is
    the target of the merge that resolved the incident.
    """

    kind: str
    at: datetime
    agent: str = ""
    person: bool = False
    ours: bool = False
    merged_into: str | None = None

    @property
    def shows_work(self) -> bool:
        """Return True for an alert, an acknowledgement or a person's note, unless syncd made it."""
        alert = self.kind == "trigger" and not self.person
        note = self.kind == "annotate" and self.person
        return (alert or note or self.kind == "acknowledge") and not self.ours


def state_changes_of(log: Sequence[Entry], incident: Incident) -> tuple[StateChange, ...]:
    """Return the changes of state in order, from a log (oldest entry first) and the incident as last read."""
    state_changes: list[StateChange] = []
    # None before the first resolve, then the entries after the latest one.
    since_resolve: list[Entry] | None = None
    for entry in log:
        if entry.kind == "resolve":
            # A merge of a resolved incident proves no reopening.
            reopens = entry.merged_into is None or any(
                between.kind in _ONLY_WHEN_OPEN for between in since_resolve or ()
            )
            if since_resolve is not None and reopens:
                state_changes += _reopened(since_resolve, entry.at)
            state_changes.append(
                StateChange(kind="resolved", at=entry.at, agent=entry.agent, merged_into=entry.merged_into)
            )
            since_resolve = []
        elif since_resolve is not None:
            since_resolve.append(entry)
        elif entry.kind in _KINDS:
            state_changes.append(StateChange(kind=_KINDS[entry.kind], at=entry.at, agent=entry.agent))
    if since_resolve is not None and incident.open:
        state_changes += _reopened(since_resolve, incident.reopened_after(state_changes[-1].at))
        state_changes += [
            StateChange(kind=_KINDS[entry.kind], at=entry.at, agent=entry.agent)
            for entry in since_resolve
            if entry.kind in ("acknowledge", "unacknowledge", "snooze")
        ]
    return _with_the_end(state_changes, incident)


def _reopened(between: Sequence[Entry], latest: datetime | None) -> list[StateChange]:
    """Return the reopening, and the signs that people or alerts give after it.

    Without an entry of an open incident it was at `latest`; None: then nothing shows one.
    """
    first = next((entry for entry in between if entry.kind in _ONLY_WHEN_OPEN), None)
    at = first.at if first is not None else latest
    if at is None:
        return []
    reopened = StateChange(kind="reopened", at=at, agent=first.agent if first else "")
    worked_on = [
        StateChange(kind="worked_on", at=entry.at, agent=entry.agent)
        for entry in between
        if entry.shows_work and entry.at >= reopened.at
    ]
    return [reopened, *worked_on]


def _with_the_end(state_changes: list[StateChange], incident: Incident) -> tuple[StateChange, ...]:
    """Return the changes with the last resolve, from the snapshot if the log lacks it."""
    # A page of the log may be older than the snapshot.
    over = [change for change in state_changes if change.kind in ("resolved", "reopened")]
    if incident.over_since is not None and (not over or over[-1].kind == "reopened"):
        state_changes.append(
            StateChange(kind="resolved", at=incident.over_since, merged_into=incident.merged_into)
        )
    return tuple(state_changes)
