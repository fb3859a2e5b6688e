"""What an incident's log says about its states."""

from __future__ import annotations

from syncd.domain.history import StateChange
from syncd.domain.incident import Incident
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.tables import IncidentRow
from syncd.policy.time.state_changes import Entry, state_changes_of


def known_state_changes(
    row: IncidentRow | IncidentRecord, incident: Incident
) -> tuple[StateChange, ...] | None:
    """An incident's turns out of its log; None where the log was not read since it changed."""
    if row.log is None or row.log_read_seq < row.changed_seq:
        return None
    entries = [Entry(kind=one["kind"], at=one["at"], agent=one.get("agent", "")) for one in row.log]
    return state_changes_of(entries, incident)
