"""An incident's changes of state, out of its log entries and its last snapshot.

Which entry a reopening leaves is not documented (PagerDuty's REST specification), so it is told from what
must have happened: a resolve after a resolve, or an open incident after one. The first entry in between
that a resolved incident would not have is when.
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
}
_ALSO_WHEN_OVER = frozenset({"annotate", "notify", "resolve", "custom_field_value_change", "include", "link"})
"""Entries that a resolved incident may have without being open again."""


class Entry(Value):
    """One log entry, as far as the state of the incident is concerned."""

    kind: str
    at: datetime
    agent: str = ""


def state_changes_of(log: Sequence[Entry], incident: Incident) -> tuple[StateChange, ...]:
    """Given a log, oldest first, and the incident as last read, return its turns in order."""
    state_changes: list[StateChange] = []
    since_resolve: list[Entry] | None = None
    for entry in log:
        if entry.kind == "resolve":
            if since_resolve is not None:
                state_changes.append(_reopened(since_resolve, entry.at))
            state_changes.append(StateChange(kind="resolved", at=entry.at, agent=entry.agent))
            since_resolve = []
        elif since_resolve is not None:
            since_resolve.append(entry)
        elif entry.kind in _KINDS:
            state_changes.append(StateChange(kind=_KINDS[entry.kind], at=entry.at, agent=entry.agent))
    if since_resolve is not None and incident.open:
        state_changes.append(_reopened(since_resolve, incident.status_changed_at or incident.created_at))
        state_changes += [
            StateChange(kind=_KINDS[one.kind], at=one.at, agent=one.agent) for one in _known(since_resolve)
        ]
    return _with_the_end(state_changes, incident)


def _known(entries: Sequence[Entry]) -> list[Entry]:
    return [one for one in entries if one.kind in ("acknowledge", "unacknowledge")]


def _reopened(between: Sequence[Entry], latest: datetime) -> StateChange:
    first = next((one for one in between if one.kind not in _ALSO_WHEN_OVER), None)
    return StateChange(kind="reopened", at=first.at if first else latest, agent=first.agent if first else "")


def _with_the_end(state_changes: list[StateChange], incident: Incident) -> tuple[StateChange, ...]:
    """A resolve that the log does not show (merged, or not on its page yet) is taken from the snapshot."""
    over = [one for one in state_changes if one.kind in ("resolved", "reopened")]
    if incident.over_since is not None and (not over or over[-1].kind == "reopened"):
        state_changes.append(StateChange(kind="resolved", at=incident.over_since))
    return tuple(state_changes)
