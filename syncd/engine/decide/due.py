"""Find the incidents on which syncd has to decide again because time has passed."""

from __future__ import annotations

from syncd.engine.context import EngineContext
from syncd.ledger.views.daemon_state import due_incidents

DUE_AGAIN = 30.0
"""Seconds until syncd tries a due incident again that it could not decide on."""


class DueIncidents:
    """The incidents that are due by the ledger."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._tried: dict[str, float] = {}

    def fresh(self) -> list[str]:
        """Return the due incidents, without those that syncd tried in vain in the last 30 seconds."""
        clock = self._context.clock
        due = due_incidents(self._context.ledger, clock.now())
        now = clock.boottime()
        tried = {
            incident_id: self._tried[incident_id]
            for incident_id in due
            if now - self._tried.get(incident_id, -DUE_AGAIN) < DUE_AGAIN
        }
        fresh = [incident_id for incident_id in due if incident_id not in tried]
        self._tried = {**tried, **dict.fromkeys(fresh, now)}
        return fresh
