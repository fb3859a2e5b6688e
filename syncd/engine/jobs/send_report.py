"""`syncd report --send`: a report that a person asks for leaves now, and its answer says what became of it.

It leaves in mode `report` too, since a person asked for it, but not where the mapping says `off`. What was
sent is not sent again; what was dropped is, because somebody wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from syncd.domain.mapping.value_types import Mode
from syncd.engine.context import Desk
from syncd.engine.jobs.requests import Result
from syncd.engine.jobs.weekly_report import Edition, WeeklyReports, editions, outcomes
from syncd.ledger.store import outbox
from syncd.ledger.store.tables import RequestRow
from syncd.report.weekly.report import freeze
from syncd.report.weekly.week import Week


def send_report(
    desk: Desk, weekly: WeeklyReports, request: RequestRow, work_on: Callable[[Sequence[str]], None]
) -> Result:
    """Freeze and send the report that was asked for; `work_on` waits until its mails were tried."""
    team, now = request.arguments.get("team"), desk.clock.now()
    edition = next((one for one in editions(desk.mappings) if one.team == team), None)
    if edition is None:
        return _refused(f"no mapping is team {team}'s")
    named = request.arguments.get("week")
    week = Week.named(str(named)) if named else Week.of(now, edition.zone).back(1)
    said = _why_not(edition, week, week.bounds(edition.zone)[1] <= now)
    if said is not None:
        return _refused(said)
    unread = weekly.read_logs(edition, week)
    words = f"Of {unread} incidents it could not be read whether they were acknowledged"
    with desk.ledger.db.read() as session:
        report = weekly.report(session, edition, week, notes=[words] if unread else [])
    with desk.ledger.db.write() as session:
        freeze(session, report, now)
        keys = weekly.enqueue(session, edition, week, now, mark=str(request.id))
    work_on([edition.about])
    with desk.ledger.db.read() as session:
        rows = [row for key in keys if (row := outbox.of_key(session, key)) is not None]
    return outcomes(rows)


def _why_not(edition: Edition, week: Week, over: bool) -> str | None:
    if edition.mode is Mode.OFF:
        return "report.mode is off"
    if not edition.to:
        key = "report.to" if edition.team else "report.over_all"
        return f"{key} names nobody"
    return None if over else f"{week.name} is not over; without --send it can be read"


def _refused(said: str) -> Result:
    return {"lines": [f"not sent: {said}"], "failed": True, "incidents": []}
