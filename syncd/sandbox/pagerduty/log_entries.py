"""The log: of the whole account and of one incident, newest first.

As for incidents, `since` is inclusive and `until` exclusive. With the option `log_lag`, younger entries do
not show yet, although the incident already has its new state.
"""

from bisect import bisect_left
from datetime import datetime, timedelta

from syncd.sandbox.pagerduty.asking import Ask, Routes, page
from syncd.sandbox.pagerduty.errors import not_found
from syncd.sandbox.pagerduty.records import LogEntry
from syncd.sandbox.pagerduty.render import entry_json
from syncd.sandbox.wire import Reply

routes = Routes()
# In recordings `is_overview` leaves out assignments, unacknowledgements, notifications and links.
OVERVIEW = {
    "trigger_log_entry",
    "acknowledge_log_entry",
    "resolve_log_entry",
    "annotate_log_entry",
    "escalate_log_entry",
    "snooze_log_entry",
}


def _created(entry: LogEntry) -> datetime:
    return entry.created_at


def entries(ask: Ask) -> list[LogEntry]:
    """Return the log entries of the time range, newest first."""
    since, until = ask.moment("since"), ask.moment("until")
    as_of = ask.now - timedelta(seconds=ask.account.options.log_lag)
    log = ask.account.log
    # The log is sorted by time, so a range is found without a walk over it.
    low = bisect_left(log, since, key=_created) if since else 0
    high = bisect_left(log, until, key=_created) if until else len(log)
    overview = ask.call.value("is_overview") == "true"
    return [
        entry
        for entry in reversed(log[low:high])
        if entry.created_at <= as_of and (not overview or entry.type in OVERVIEW)
    ]


@routes.on("GET", "/log_entries")
def of_account(ask: Ask) -> Reply:
    """Answer with a page of the account's log."""
    account, teams = ask.account, set(ask.call.values("team_ids[]"))
    rows = entries(ask)
    if teams:
        rows = [
            row
            for row in rows
            if teams & set(account.services[account.incidents[row.incident_id].service_id].team_ids)
        ]
    return page(ask, "log_entries", rows, lambda row: entry_json(account, row, ask.include))


@routes.on("GET", "/incidents/{id}/log_entries")
def of_incident(ask: Ask) -> Reply:
    """Answer with a page of one incident's log."""
    incident = ask.incident()
    rows = [row for row in entries(ask) if row.incident_id == incident.id]
    return page(ask, "log_entries", rows, lambda row: entry_json(ask.account, row, ask.include))


@routes.on("GET", "/log_entries/{id}")
def read(ask: Ask) -> Reply:
    """Answer with one log entry."""
    entry = ask.account.entries.get(ask.params["id"])
    if entry is None:
        raise not_found()
    return Reply.of({"log_entry": entry_json(ask.account, entry, ask.include)})
