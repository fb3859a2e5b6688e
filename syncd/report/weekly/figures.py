"""The figures of one week, counted from rows that travel with the report.

Pure functions: facts in, plain data out. So syncd can store figures with their rows, and a reader can count
the rows again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from syncd.domain.duty import DutyKind
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.operation import Kind
from syncd.ledger.store.verifications import DIFFERS
from syncd.policy.duty_words import SUBJECTS
from syncd.report.weekly.counting import (
    CANCELLED,
    EXERCISE,
    HIDDEN_EXERCISE,
    LATE,
    MET,
    MISSED,
    OF_ALL,
    RESTRICTED,
    STILL_OPEN,
    UNJUDGED,
    VOID,
    WAIVED,
    WONT_DO,
    Row,
    by_target,
    met_of,
    share,
    share_so_far,
    tally,
    unjudged_of,
)
from syncd.report.weekly.decisions import decision_figures
from syncd.report.weekly.facts import MOVED, Facts, Trend

OLDEST = 10
"""Follow-ups that the mail lists, the oldest first; the CSV has all."""
ITEM_COLUMNS = ("key", "summary", "number", "owner", "note", "status", "due_day", "overdue_days")
"""The columns of a follow-up in the mail."""
EVENTS = ("left", "duplicate.found", "rules.changed", "conflict")
"""The kinds of audit events that a report lists."""


def figures(
    facts: Facts, rows: Sequence[Row], mappings: Sequence[Mapping], before: Sequence[Trend] = ()
) -> dict[str, Any]:
    """Return the report's figures from the rows of a week; `before` are earlier weeks, the latest first."""
    met, of = met_of(rows)
    incidents = [row for row in rows if row["table"] == "incident"]
    late = [row for row in rows if row["table"] == "duty" and row["verdict"] in (LATE, MISSED)]
    return {
        "week": facts.week.name,
        "monday": facts.week.monday.isoformat(),
        "sunday": facts.week.last_day.isoformat(),
        "zone": facts.zone,
        "made_at": facts.now.isoformat(),
        "met": met,
        "of": of,
        "exercises": _exercises(rows),
        "restricted_exercises": sum(row["table"] == HIDDEN_EXERCISE for row in rows),
        "incidents": _incidents(rows, incidents, mappings),
        "acknowledge": by_target(
            incidents, "minutes_to_acknowledge", _targets(mappings, "acknowledge_minutes")
        ),
        "resolve": by_target(incidents, "minutes_to_resolve", _targets(mappings, "resolve_minutes")),
        **_unacknowledged(incidents),
        "updates": _updates(incidents),
        "duties": _duties(rows),
        "missed": [_short_duty(row) for row in late],
        "not_judged": [{**_short_duty(row), "why": row["why_not_judged"]} for row in unjudged_of(rows)],
        "open_duties": _open_duties(rows, facts),
        "follow_ups": _follow_ups(rows),
        "held": _held(rows),
        "apart": _apart(rows),
        **decision_figures(rows),
        "conflicts": _listed(rows, "conflict"),
        "duplicates": sum(row["table"] == "duplicate.found" for row in rows),
        "rule_changes": _listed(rows, "rules.changed"),
        "differences": _listed(rows, DIFFERS),
        **_waiting_for_people(rows),
        **_state(facts),
        "before": [vars(trend) for trend in before],
        "four_weeks": _over(before[:4]),
        "twelve_weeks": _over(before[:12]),
    }


def _exercises(rows: Sequence[Row]) -> list[dict[str, Any]]:
    columns = ("number", "severity", "service", "ticket", "by", "reason")
    return [
        {**{name: row[name] for name in columns}, "at": row["started_at"].isoformat()}
        for row in rows
        if row["table"] == EXERCISE
    ]


def _waiting_for_people(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the parked operations, the mails that no server accepted, and the incidents open for long."""
    parked = [row for row in rows if row["table"] == "parked"]
    return {
        "parked": [
            {"id": row["key"], "kind": row["duty"], "incident": row.get("incident"), "words": row["reason"]}
            for row in parked
        ],
        "unmailed": [
            {"owner": row["owner"], "words": row["reason"]} for row in parked if row["duty"] == Kind.SEND_MAIL
        ],
        "lasting": [
            {"number": row.get("number"), "severity": row.get("severity"), "words": row.get("reason")}
            for row in rows
            if row["table"] == "open for long"
        ],
    }


def _state(facts: Facts) -> dict[str, Any]:
    """Return the facts that the report tells as they are."""
    return {
        "not_sent": list(facts.not_sent),
        "unmapped": dict(facts.unmapped),
        "expiring": dict(facts.expiring),
        "notes": list(facts.notes),
        "ledger_since": facts.ledger_since.isoformat() if facts.ledger_since else None,
        "restored_at": facts.restored_at.isoformat() if facts.restored_at else None,
        "rebuilt": dict(facts.rebuilt),
    }


def _held(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Return how many exercises and reviews were held, of those with a deadline in the week, by kind.

    QRPay runbook, "Metrics for Process Health": 100 % of the scheduled exercises are executed.
    """
    duties = [row for row in rows if row["table"] == "duty" and row.get("recurring")]
    met = {kind: met_of(row for row in duties if row["recurring"] == kind) for kind in ("game_day", "review")}
    return {kind: {"met": count, "of": of} for kind, (count, of) in met.items() if of}


def _apart(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what stands beside the week's number: shares of their own, and the breaches taken back."""
    duties = [row for row in rows if row["table"] == "duty"]
    waived = [row for row in rows if row["table"] == MOVED]
    waived += [row for row in duties if row["verdict"] == WAIVED]
    return {
        "waived": share(row for row in waived if row["verdict"] != RESTRICTED),
        "regulatory": share_so_far(row for row in duties if row["duty"] == DutyKind.FILED),
        "restricted": share_so_far(
            row for row in duties if row["verdict"] == RESTRICTED and row["duty"] != DutyKind.FILED
        ),
        "void": sum(row["verdict"] == VOID for row in duties),
    }


def _over(weeks: Sequence[Trend]) -> dict[str, int]:
    return {
        "weeks": len(weeks),
        "met": sum(trend.met for trend in weeks),
        "of": sum(trend.of for trend in weeks),
        "incidents": sum(trend.incidents for trend in weeks),
    }


def _targets(mappings: Sequence[Mapping], key: str) -> Callable[[str, str], float | None]:
    targets: dict[tuple[str, str], float | None] = {
        (mapping.team, name): getattr(section, key)
        for mapping in mappings
        for name, section in mapping.severities.items()
    }
    return lambda team, severity: targets.get((team, severity))


def _incidents(rows: Sequence[Row], incidents: Sequence[Row], mappings: Sequence[Mapping]) -> dict[str, Any]:
    """Count the week's incidents by severity, service and team; restricted ones only as a total."""
    restricted = sum(row["table"] == "restricted incident" for row in rows)
    severities = [name for mapping in mappings for name in mapping.severities]
    return {
        "count": len(incidents) + restricted,
        "restricted": restricted,
        "by_severity": tally(incidents, "severity", severities),
        "by_service": tally(incidents, "service"),
        "by_team": tally(incidents, "team"),
        "assumed": sum(bool(row["assumed"]) for row in incidents),
        "without_ticket": tally((row for row in incidents if row["ticket"] is None), "why_no_ticket"),
    }


def _duties(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return a line for each kind of duty that has a deadline in the week."""
    lines = []
    for kind, words in SUBJECTS.items():
        # a filing stands apart, as "regulatory: n of m"
        if kind is DutyKind.FILED:
            continue
        verdicts = [row["verdict"] for row in rows if row["table"] == "duty" and row["duty"] == kind]
        if verdicts:
            counts = {
                word.replace(" ", "_"): verdicts.count(word)
                for word in (MET, LATE, MISSED, WAIVED, VOID, CANCELLED, RESTRICTED, UNJUDGED)
            }
            counts["open"] = sum(verdicts.count(word) for word in STILL_OPEN)
            lines.append(
                {"duty": kind, "words": words, "of": sum(verdicts.count(word) for word in OF_ALL), **counts}
            )
    return lines


def _unacknowledged(incidents: Sequence[Row]) -> dict[str, int]:
    """Count the resolved incidents without an acknowledgement, apart where only an unread log may tell."""
    without = [
        row
        for row in incidents
        if row["acknowledged_at"] is None and row["merged_into"] is None and row["resolved_at"] is not None
    ]
    unread = sum(row["log_unread"] for row in without)
    return {"never_acknowledged": len(without) - unread, "log_unread": unread}


def _updates(incidents: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the incidents that owed updates, the longest gap first."""
    columns = ("number", "severity", "ticket", "longest_gap_minutes", "updates_in_time", "updates_owed")
    owed = [row for row in incidents if row["longest_gap_minutes"] is not None]
    owed.sort(key=lambda row: (-row["longest_gap_minutes"], str(row["number"])))
    return [{name: row[name] for name in columns} for row in owed]


def _short_duty(row: Row) -> dict[str, Any]:
    columns = (
        *("incident", "number", "team", "severity", "key", "owner", "note", "lost"),
        *("verdict", "duty", "clock", "reason"),
    )
    return {
        **{name: row.get(name) for name in columns},
        "words": SUBJECTS[row["duty"]],
        "due_at": row["due_at"].isoformat(),
        "met_at": row["met_at"].isoformat() if row["met_at"] else None,
    }


def _open_duties(rows: Sequence[Row], facts: Facts) -> list[dict[str, Any]]:
    """Return the duties owed now, the next deadline first, with the hours left (negative: overdue)."""
    running = [row for row in rows if row["table"] == "running duty" and row["verdict"] != RESTRICTED]
    duties = [
        {
            **_short_duty(row),
            "hours_left": (row["due_at"] - facts.now).total_seconds() / 3600,
            "asked": row["duty"] not in facts.not_asked.get(row["team"], ()),
        }
        for row in running
        if row["verdict"] != CANCELLED
    ]
    return sorted(duties, key=lambda duty: (duty["hours_left"], str(duty["number"])))


def _follow_ups(rows: Sequence[Row]) -> dict[str, Any]:
    items = [row for row in rows if row["table"] == "action item"]
    still = [row for row in items if row["verdict"] == "open"]
    overdue = [row for row in still if row["overdue_days"] is not None]
    oldest = sorted((row for row in still if "key" in row), key=lambda row: row["started_at"])[:OLDEST]
    return {
        "open": len(still),
        "unowned": sum(row["unowned"] for row in still),
        "overdue": len(overdue),
        "overdue_by_age": _by_age(overdue),
        "overdue_by_owner": tally((row for row in overdue if "key" in row), "owner"),
        "done": len(items) - len(still),
        "wont_do": sum(row["verdict"] == WONT_DO for row in items),
        "postponed": sum(row["postponed"] > 0 for row in still),
        "oldest": [{name: row[name] for name in ITEM_COLUMNS} for row in oldest],
    }


def _by_age(overdue: Iterable[Row]) -> dict[str, int]:
    """Count the items that are overdue for up to a week, up to a month, and longer."""
    ages = {"up to 7 days": 0, "8 to 30 days": 0, "more than 30 days": 0}
    for row in overdue:
        days = row["overdue_days"]
        ages["up to 7 days" if days <= 7 else "8 to 30 days" if days <= 30 else "more than 30 days"] += 1
    return ages


def _listed(rows: Iterable[Row], table: str) -> list[dict[str, Any]]:
    return [
        {"number": row.get("number"), "at": row["started_at"].isoformat(), "reason": row["reason"]}
        for row in rows
        if row["table"] == table
    ]
