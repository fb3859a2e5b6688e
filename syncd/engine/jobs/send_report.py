"""`syncd report --send`: a report that a person asks for leaves now, and its answer says what became of it.

It leaves in mode `report` too, since a person asked for it, but not where the mapping says `off`. What was
sent is not sent again; what was dropped is, because somebody wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from syncd.domain.mapping.value_types import Mode
from syncd.engine.context import EngineContext
from syncd.engine.jobs.weekly_report import Edition, WeeklyReports, editions, outcomes
from syncd.ledger.records import RequestRecord
from syncd.ledger.requests.waivers import Result
from syncd.ledger.store.mails import of_keys
from syncd.report.weekly.week import Week


def send_report(
    context: EngineContext,
    weekly: WeeklyReports,
    request: RequestRecord,
    work_on: Callable[[Sequence[str]], None],
) -> Result:
    """Freeze and send the report that was asked for; `work_on` waits until its mails were tried."""
    team, now = request.arguments.get("team"), context.clock.now()
    edition = next((one for one in editions(context.mappings) if one.team == team), None)
    if edition is None:
        return _refused(f"no mapping is team {team}'s")
    named = request.arguments.get("week")
    week = Week.named(str(named)) if named else Week.of(now, edition.zone).back(1)
    said = _why_not(edition, week, week.bounds(edition.zone)[1] <= now)
    if said is not None:
        return _refused(said)
    unread = weekly.read_logs(edition, week)
    words = f"Of {unread} incidents it could not be read whether they were acknowledged"
    report = weekly.report(edition, week, notes=[words] if unread else [])
    keys = weekly.send(edition, week, report, now, str(request.id))
    work_on([edition.about])
    return outcomes(of_keys(context.ledger, keys))


def _why_not(edition: Edition, week: Week, over: bool) -> str | None:
    if edition.mode is Mode.OFF:
        return "report.mode is off"
    if not edition.to:
        key = "report.to" if edition.team else "report.over_all"
        return f"{key} names nobody"
    return None if over else f"{week.name} is not over; without --send it can be read"


def _refused(said: str) -> Result:
    return {"lines": [f"not sent: {said}"], "failed": True, "incidents": []}
