"""The figures of one week, counted from rows that travel with the report.

Pure functions: facts in, plain data out. So syncd can store figures with their rows, and a reader can count
the rows again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from syncd.domain.duty import DutyKind
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.operation import Kind
from syncd.ledger.store.verifications import DIFFERS
from syncd.ledger.views.report_facts import DutyFact, EventFact, IncidentFact, ItemFact, ParkedFact
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
    Row,
    Sight,
    by_target,
    duty_row,
    incident_row,
    item_row,
    met_of,
    share,
    share_so_far,
    tally,
    unjudged_of,
)
from syncd.report.weekly.decisions import Decisions, decision_figures, decision_rows
from syncd.report.weekly.week import Week

MOVED = "waived duty"
"""The table of duties whose deadline a waiver moved to a later week."""
OLDEST = 10
"""Follow-ups that the mail lists, the oldest first; the CSV has all."""
ITEM_COLUMNS = ("key", "summary", "number", "owner", "note", "status", "due_day", "overdue_days")
"""The columns of a follow-up in the mail."""
EVENTS = ("left", "duplicate.found", "rules.changed", "conflict")
"""The kinds of audit events that a report lists."""


@dataclass(frozen=True)
class Lasting:
    """An incident that is open for more than a week; `lasts` is the time since it last opened."""

    id: str
    number: int
    team: str
    severity: str
    created_at: datetime
    lasts: timedelta
    restricted: bool


@dataclass(frozen=True)
class Facts:
    """The facts behind one week's figures: those of the week, and those that are open now.

    `moved` are duties whose deadline lay in the week until a waiver moved it to a later one. `differences`
    are what the nightly verification found since the report before. `parked` are operations that wait for a
    person. `notes` say what the daemon could not do. `unmapped` are services of no mapping. `expiring` are
    credentials with the day of their end. `not_sent` are weeks whose report never left. `lasting` are
    incidents open for more than a week that would owe a postmortem. `not_asked` are each team's duties that
    nobody is asked for.
    """

    week: Week
    zone: str
    now: datetime
    incidents: Sequence[IncidentFact] = ()
    duties: Sequence[DutyFact] = ()
    running: Sequence[DutyFact] = ()
    moved: Sequence[DutyFact] = ()
    items: Sequence[ItemFact] = ()
    events: Sequence[EventFact] = ()
    decisions: Decisions = field(default_factory=Decisions)
    differences: Sequence[EventFact] = ()
    parked: Sequence[ParkedFact] = ()
    lasting: Sequence[Lasting] = ()
    unmapped: dict[str, str] = field(default_factory=dict)
    expiring: dict[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    not_sent: Sequence[str] = ()
    sight: Sight = field(default_factory=Sight)
    ledger_since: datetime | None = None
    restored_at: datetime | None = None
    rebuilt: dict[str, int] = field(default_factory=dict)
    not_asked: dict[str, frozenset[DutyKind]] = field(default_factory=dict)


@dataclass(frozen=True)
class Trend:
    """The numbers of one earlier week."""

    week: str
    met: int
    of: int
    incidents: int


def rows_of(facts: Facts) -> list[Row]:
    """Return all rows behind the figures, as the CSV has them."""
    week, now = facts.week.name, facts.now
    since, until = facts.week.bounds(facts.zone)
    rows = [incident_row(fact, week) for fact in facts.incidents]
    tables = (("duty", facts.duties), ("running duty", facts.running), (MOVED, facts.moved))
    for table, duties in tables:
        of_table = (duty_row(fact, week, now, facts.sight, facts.zone) for fact in duties)
        rows += [{**row, "table": table} for row in of_table]
    rows += [item_row(fact, week, now, since, until, facts.zone) for fact in facts.items]
    rows += decision_rows(facts.decisions, week)
    rows += [_event_row(fact, week) for fact in facts.events if _told(fact)]
    rows += [_event_row(fact, week) for fact in facts.differences]
    rows += [_parked_row(fact, week) for fact in facts.parked]
    rows += [_lasting_row(fact, week) for fact in facts.lasting]
    return rows


_RESTRICTED = "of a restricted incident"
"""The whole reason of a row that no report may tell of: its words may quote the incident."""


def _parked_row(parked: ParkedFact, week: str) -> Row:
    row: Row = {"table": "parked", "week": week, "key": parked.id, "duty": parked.kind}
    if parked.kind == Kind.SEND_MAIL:
        row["owner"] = parked.to
    if parked.restricted:
        return {**row, "reason": _RESTRICTED}
    return {**row, "incident": parked.incident, "reason": parked_words(parked)}


def parked_words(parked: ParkedFact) -> str:
    """Return why an operation is parked, without the address to which a mail goes."""
    if parked.kind != Kind.SEND_MAIL or not parked.to:
        return parked.words
    # a mail server's answer names the address, but the report over all teams names no person
    return re.sub(re.escape(parked.to), "…", parked.words, flags=re.IGNORECASE)


def _lasting_row(incident: Lasting, week: str) -> Row:
    row: Row = {"table": "open for long", "week": week, "team": incident.team}
    if incident.restricted:
        return row
    return {
        **row,
        "incident": incident.id,
        "number": incident.number,
        "severity": incident.severity,
        "created_at": incident.created_at,
        "reason": f"open for {incident.lasts.days} days, so its clock has not begun",
    }


def _told(event: EventFact) -> bool:
    # most of what syncd leaves alone is routine; only these two need a reader
    return event.kind != "left" or event.data.get("rule") in ("conflict", "fields")


def _event_row(event: EventFact, week: str) -> Row:
    table = event.data.get("rule", "left") if event.kind == "left" else event.kind
    row: Row = {"table": str(table), "week": week, "team": event.team}
    if event.restricted:
        return {**row, "started_at": event.at, "reason": _RESTRICTED}
    return {
        **row,
        "incident": event.incident,
        "number": event.number,
        "started_at": event.at,
        "reason": event.data.get("reason") or event.data.get("why") or "",
    }


def figures(
    facts: Facts, rows: Sequence[Row], mappings: Sequence[Mapping], before: Sequence[Trend] = ()
) -> dict[str, Any]:
    """Return the report's figures from the rows of a week; `before` are earlier weeks, the latest first."""
    met, of = met_of(rows)
    incidents = [row for row in rows if row["table"] == "incident"]
    late = [row for row in rows if row["table"] == "duty" and row["verdict"] in (LATE, MISSED)]
    parked = [row for row in rows if row["table"] == "parked"]
    return {
        "week": facts.week.name,
        "monday": facts.week.monday.isoformat(),
        "sunday": facts.week.last_day.isoformat(),
        "zone": facts.zone,
        "made_at": facts.now.isoformat(),
        "met": met,
        "of": of,
        "exercises": [
            {
                **{name: row[name] for name in ("number", "severity", "service", "ticket", "by", "reason")},
                "at": row["started_at"].isoformat(),
            }
            for row in rows
            if row["table"] == EXERCISE
        ],
        "restricted_exercises": sum(row["table"] == HIDDEN_EXERCISE for row in rows),
        "incidents": _incidents(rows, incidents, mappings),
        "acknowledge": by_target(
            incidents, "minutes_to_acknowledge", _targets(mappings, "acknowledge_minutes")
        ),
        "resolve": by_target(incidents, "minutes_to_resolve", _targets(mappings, "resolve_minutes")),
        "never_acknowledged": sum(
            row["acknowledged_at"] is None and row["merged_into"] is None and row["resolved_at"] is not None
            for row in incidents
        ),
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
        "not_sent": list(facts.not_sent),
        "unmapped": dict(facts.unmapped),
        "expiring": dict(facts.expiring),
        "notes": list(facts.notes),
        "ledger_since": facts.ledger_since.isoformat() if facts.ledger_since else None,
        "restored_at": facts.restored_at.isoformat() if facts.restored_at else None,
        "rebuilt": dict(facts.rebuilt),
        "before": [vars(trend) for trend in before],
        "four_weeks": _over(before[:4]),
        "twelve_weeks": _over(before[:12]),
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
    waived = [row for row in rows if row["table"] == MOVED or (row in duties and row["verdict"] == WAIVED)]
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
        "done": sum(row["verdict"] == "done" for row in items),
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
