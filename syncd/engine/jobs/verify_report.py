"""Derive the figures of a week again, from the services and by the second judge, and compare them.

Facts are read afresh; decisions of people come from the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from datetime import datetime, timedelta
from typing import Any

from syncd.engine.jobs.verify_facts import Reader
from syncd.ledger.database.connection import Transactions
from syncd.ledger.views import report_state
from syncd.ledger.views.to_verify import incidents_resolved
from syncd.remote.http.lanes import slow_lane
from syncd.verify.compare import Line, compare, compare_times, restricted, unverifiable

LOOK_BACK = timedelta(days=21)
"""Before a week's begin: a duty of a postmortem that was due in it arose at most so long before."""


def verify(
    ledger: Transactions,
    reader: Reader,
    rows: Sequence[dict[str, Any]],
    bounds: tuple[datetime, datetime],
    team: str | None,
    made_at: datetime,
    *,
    only: Set[str] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> list[Line]:
    """Return the comparison of a report's duties and times; raise `RemoteError` if a service cannot answer.

    With `only` it looks at these incidents alone. It is incomplete if `stopped` returned True meanwhile.
    """
    duties = [row for row in rows if row["table"] == "duty"]
    named = {str(row["incident"]) for row in duties if row.get("incident")}
    created = {str(row["incident"]): row for row in rows if row["table"] == "incident"}
    log_unread = set(report_state.log_unread(ledger, *bounds, team))
    beside = incidents_resolved(ledger, bounds[0] - LOOK_BACK, bounds[1], team)
    lines = [restricted(row) for row in duties if not row.get("incident")]
    with slow_lane():
        for incident_id in sorted({*named, *beside, *created}):
            if only is not None and incident_id not in only:
                continue
            if stopped():
                break
            of_incident = [row for row in duties if row.get("incident") == incident_id]
            material = reader.material(incident_id)
            if isinstance(material, str):
                lines += [unverifiable(row, material) for row in of_incident]
                continue
            lines += compare(material, of_incident, bounds, made_at)
            if incident_id in created:
                log_read = incident_id not in log_unread
                lines += compare_times(material, created[incident_id], made_at, log_read=log_read)
    return lines
