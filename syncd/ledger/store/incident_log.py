"""What an incident's log says about its states."""

from __future__ import annotations

from syncd.domain.history import Turn
from syncd.domain.incident import Incident
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.tables import IncidentRow
from syncd.policy.time.state_changes import Entry, turns_of


def turns_known(row: IncidentRow | IncidentRecord, incident: Incident) -> tuple[Turn, ...] | None:
    """An incident's turns out of its log; None where the log was not read since it changed."""
    if row.log is None or row.log_moment < row.news_moment:
        return None
    entries = [Entry(kind=one["kind"], at=one["at"], agent=one.get("agent", "")) for one in row.log]
    return turns_of(entries, incident)
