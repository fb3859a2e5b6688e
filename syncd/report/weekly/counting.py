"""From facts to rows, and from rows to numbers: every total of a report is a count of its rows.

Definitions (README, "What the report counts"): the time to acknowledge ends at the first acknowledgement,
the time to resolve at the last resolve; snoozed time counts, an incident that was merged into another is
left out of both, because the other one counts. Duties count in the week of their deadline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime
from statistics import fmean, median
from typing import Any

from syncd.domain.duty import DutyState
from syncd.ledger.views.report_facts import DutyFact, DutyMark, IncidentFact, ItemFact

Row = dict[str, Any]

MET, LATE, MISSED = "met", "late", "missed"
WAIVED, CANCELLED, RESTRICTED, OPEN, UNJUDGED = "waived", "cancelled", "restricted", "open", "not judged"
OF_ALL = (MET, LATE, MISSED)
"""Verdicts of the duties that the week's number counts; all others stand apart."""


def verdict(duty: DutyFact | DutyMark, now: datetime) -> str:
    """How a duty counts in the week of its deadline (rules: "The week's number")."""
    if duty.restricted:
        return RESTRICTED
    if duty.state in (DutyState.CANCELLED, DutyState.NOT_REQUIRED):
        return CANCELLED
    if duty.state == DutyState.WAIVED:
        return WAIVED
    if duty.corrected is not None:
        return MET
    if duty.met_at is not None and duty.state in (DutyState.MET, DutyState.MET_LATE):
        return MET if duty.met_at <= duty.due_at else LATE
    if duty.state == DutyState.BREACHED:
        return MISSED
    return UNJUDGED if duty.due_at <= now else OPEN


def minutes(since: datetime, until: datetime | None) -> float | None:
    """Minutes between two moments, None where the second has not come."""
    return None if until is None else max(0.0, (until - since).total_seconds() / 60)


_OF_AN_INCIDENT = (
    *("number", "service", "severity", "assumed", "status", "ticket"),
    *("created_at", "acknowledged_at", "resolved_at", "merged_into"),
)
"""The columns of an incident that are the fact's own."""


def incident_row(one: IncidentFact, week: str) -> Row:
    """An incident as the CSV has it; of a restricted one no more than that there was one."""
    if one.restricted:
        return {"table": "restricted incident", "week": week, "team": one.team}
    counts = one.merged_into is None
    return {
        "table": "incident",
        "week": week,
        "team": one.team,
        "incident": one.id,
        **{name: getattr(one, name) for name in _OF_AN_INCIDENT},
        "why_no_ticket": None if one.ticket else _why_none(one),
        "minutes_to_acknowledge": minutes(one.created_at, one.acknowledged_at) if counts else None,
        "minutes_to_resolve": minutes(one.created_at, one.resolved_at) if counts else None,
    }


def _why_none(one: IncidentFact) -> str:
    return f"noise rule {one.noise_rule}" if one.noise_rule else "none was made yet"


_OF_A_DUTY = (
    *("incident", "number", "severity", "clock", "key", "owner"),
    *("started_at", "due_at", "met_at", "breached_at", "corrected", "reason"),
)
"""The columns of a duty that are the fact's own."""


def duty_row(one: DutyFact, week: str, now: datetime) -> Row:
    """A duty as the CSV has it."""
    said = verdict(one, now)
    if one.restricted:
        return {"table": "duty", "week": week, "team": one.team, "duty": one.kind, "verdict": said}
    return {
        "table": "duty",
        "week": week,
        "team": one.team,
        "duty": one.kind,
        "verdict": said,
        **{name: getattr(one, name) for name in _OF_A_DUTY},
    }


def item_row(one: ItemFact, week: str, now: datetime, since: datetime, until: datetime) -> Row:
    """An action item as the CSV has it; `verdict` is `done` where it was done within the period."""
    done = one.done_at is not None and since <= one.done_at < until
    overdue = one.due_at is not None and one.due_at <= now and not done
    row: Row = {
        "table": "action item",
        "week": week,
        "team": one.team,
        "verdict": "done" if done else "open",
        "unowned": not done and (one.owner is None or not one.owner_active),
        "overdue_days": math.floor((now - one.due_at).total_seconds() / 86400)
        if overdue and one.due_at
        else None,
        "postponed": one.postponed,
    }
    if one.restricted:
        return row
    return row | {
        "incident": one.incident,
        "number": one.number,
        "key": one.key,
        "summary": one.summary,
        "owner": one.owner if one.owner_active or one.owner is None else f"{one.owner} (left)",
        "status": "not visible" if one.gone else one.status,
        "started_at": one.first_seen_at,
        "due_at": one.due_at,
        "due_day": one.due_day,
        "met_at": one.done_at,
    }


def met_of(rows: Iterable[Row]) -> tuple[int, int]:
    """Of the duties that count: how many were met in time, and how many there are."""
    said = [row["verdict"] for row in rows if row["table"] == "duty"]
    return said.count(MET), sum(said.count(one) for one in OF_ALL)


def tally(rows: Iterable[Row], key: str, order: Iterable[str] = ()) -> dict[str, int]:
    """How many rows have each value of a column, those of `order` first, then the most frequent first."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row.get(key))] = counts.get(str(row.get(key)), 0) + 1
    first = {name: counts.pop(name) for name in order if name in counts}
    return first | dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def spread(values: Iterable[float], within: float | None) -> Row:
    """Mean, median, 90th percentile and worst of some minutes, and how many lie under a target."""
    found = sorted(values)
    if not found:
        return {"count": 0, "target": within}
    share = {} if within is None else {"within": sum(one < within for one in found)}
    return {
        "count": len(found),
        "mean": fmean(found),
        "median": median(found),
        "p90": found[max(0, math.ceil(len(found) * 0.9) - 1)],
        "worst": found[-1],
        "target": within,
        **share,
    }


def by_target(rows: Iterable[Row], column: str, target: Callable[[str, str], float | None]) -> list[Row]:
    """A line for each target that a team's severities share, as `spread`; without a target last."""
    groups: dict[tuple[str, float | None], dict[str, list[float]]] = {}
    for row in rows:
        if row["table"] == "incident" and row[column] is not None:
            goal = target(row["team"], row["severity"])
            groups.setdefault((row["team"], goal), {}).setdefault(row["severity"], []).append(row[column])
    return [
        {
            "team": team,
            "severities": sorted(found),
            **spread((one for values in found.values() for one in values), goal),
        }
        for (team, goal), found in sorted(
            groups.items(), key=lambda pair: (pair[0][0], pair[0][1] or math.inf)
        )
    ]
