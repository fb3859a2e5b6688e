"""Turn facts into rows, and rows into numbers: every total of a report is a count of its rows.

`mappings/README.md` defines them under "What the report counts". The time to acknowledge ends at the first
acknowledgement, the time to resolve at the last resolve. Snoozed time counts. An incident that was merged
into another counts in neither time, because the other one does. A duty counts in the week of its deadline.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean, median
from typing import Any

from syncd.domain.duty import NOT_VISIBLE, STATE_WORDS, DutyKind, DutyState, verdict_of
from syncd.domain.history import Leave
from syncd.ledger.views.report_facts import DutyFact, DutyMark, IncidentFact, ItemFact
from syncd.policy.duty_words import out_of_sight, owner_note
from syncd.policy.postmortem.explain import why_not_judged
from syncd.report.weekly.week import Week

Row = dict[str, Any]

WEEKS_BEFORE = 12
"""Weeks before its own whose numbers a report has."""

MET, LATE, MISSED = str(DutyState.MET), str(DutyState.MET_LATE), str(DutyState.BREACHED)
WAIVED, CANCELLED, VOID = str(DutyState.WAIVED), str(DutyState.CANCELLED), str(DutyState.VOID)
WONT_DO = "won't do"
"""The verdict on an action item that people set aside with a reason: it counts as met."""
EXERCISE, HIDDEN_EXERCISE = "exercise", "restricted exercise"
"""The tables of incidents that are exercises."""
RESTRICTED, UNJUDGED = "restricted", "not judged"
JUDGED = (MET, LATE, MISSED)
"""Verdicts on which syncd has decided by the facts."""
OF_ALL = (*JUDGED, UNJUDGED)
"""Verdicts that the week's number counts; only `met` counts as met. The report lists all others apart."""
STILL_OPEN = (str(DutyState.PENDING), str(DutyState.DUE_SOON))
_UNDECIDED = (*STILL_OPEN, WAIVED)
"""States that cannot stand once the deadline has passed: a waiver ends before the deadline that it moves."""


def verdict(duty: DutyFact | DutyMark, now: datetime) -> str:
    """Return how a duty counts in the week of its deadline: by the duty's own verdict, never by dates."""
    # before its state: a restricted duty stands apart in any state
    if duty.restricted:
        return RESTRICTED
    own = str(verdict_of(DutyState(duty.state), duty.breached_at))
    return UNJUDGED if own in _UNDECIDED and duty.due_at <= now else own


def verdict_words(verdict: str) -> str:
    """Return a row's verdict in the words that people read in `syncd show`, too."""
    return next((words for state, words in STATE_WORDS.items() if state == verdict), verdict)


def minutes(since: datetime, until: datetime | None) -> float | None:
    """Return the minutes between two moments; None if the second has not come."""
    return None if until is None else max(0.0, (until - since).total_seconds() / 60)


_OF_AN_INCIDENT = (
    *("number", "service", "severity", "assumed", "status", "ticket"),
    *("created_at", "acknowledged_at", "resolved_at", "merged_into", "updates_in_time", "updates_owed"),
    "log_unread",
)
"""The columns of an incident's row that the fact has under the same name."""


def incident_row(incident: IncidentFact, week: str) -> Row:
    """Return an incident's row; a restricted incident's row says only that there was one.

    An exercise is in a table of its own, which no figure counts.
    """
    real = incident.exercise is None
    if incident.restricted:
        return {
            "table": "restricted incident" if real else HIDDEN_EXERCISE,
            "week": week,
            "team": incident.team,
        }
    if not real:
        return {
            "table": EXERCISE,
            "week": week,
            "team": incident.team,
            "incident": incident.id,
            **{name: getattr(incident, name) for name in ("number", "service", "severity", "ticket")},
            "created_at": incident.created_at,
            "started_at": incident.exercise_at,
            "by": incident.exercise_by,
            "reason": incident.exercise,
        }
    # the incident that it was merged into counts; both would count one outage twice
    counts = incident.merged_into is None
    return {
        "table": "incident",
        "week": week,
        "team": incident.team,
        "incident": incident.id,
        **{name: getattr(incident, name) for name in _OF_AN_INCIDENT},
        "why_no_ticket": None if incident.ticket else _why_none(incident),
        "minutes_to_acknowledge": minutes(incident.created_at, incident.acknowledged_at) if counts else None,
        "minutes_to_resolve": minutes(incident.created_at, incident.resolved_at) if counts else None,
        "longest_gap_minutes": None if incident.longest_gap is None else incident.longest_gap / 60,
    }


def _why_none(incident: IncidentFact) -> str:
    return f"noise rule {incident.noise_rule}" if incident.noise_rule else "syncd has not made it yet"


_OF_A_DUTY = (
    *("incident", "number", "severity", "clock", "key", "started_at", "due_at"),
    *("was_due_at", "met_at", "breached_at", "corrected", "reason", "recurring"),
)
"""The columns of a duty's row that the fact has under the same name."""


@dataclass(frozen=True)
class Sight:
    """The limits of a verdict: a clock that differs too much (`skewed`), a service that syncd cannot read.

    `read_until` is when syncd read each service for the last time (UTC), by its name for people.
    """

    skewed: bool = False
    read_until: Mapping[str, datetime] = field(default_factory=dict)

    def why_not_judged(self, duty: DutyFact) -> str:
        """Return why a duty whose deadline has passed has no verdict."""
        unread = {name: at for name, at in self.read_until.items() if at < duty.due_at}
        return why_not_judged(duty.key, in_sight=duty.in_sight, skewed=self.skewed, unread=unread)


def duty_row(duty: DutyFact, week: str, now: datetime, sight: Sight, zone: str) -> Row:
    """Return a duty's row; a restricted duty's row names no incident and no person.

    `note` says what is wrong in the words of `syncd show`; `lost` names who deleted or moved the issue.
    """
    duty_verdict, own = verdict(duty, now), verdict_of(DutyState(duty.state), duty.breached_at)
    row: Row = {
        "table": "duty",
        "week": week,
        "team": duty.team,
        "duty": duty.kind,
        "verdict": duty_verdict,
        # also of a restricted duty and of a waived one, which stand apart with their own "n of m"
        "in_time": own is DutyState.MET,
        "outcome": _outcome(own, duty.due_at, now),
    }
    if duty.restricted:
        return row
    # whoever met the owner duty may have left the item since
    met = duty.kind == DutyKind.OWNED and duty.met_by is not None
    unseen = duty.unseen and duty_verdict == MISSED
    return {
        **row,
        "why_not_judged": sight.why_not_judged(duty) if duty_verdict == UNJUDGED else None,
        "owner": duty.met_by if met else duty.owner,
        "note": NOT_VISIBLE if unseen else None if duty.met_at else _note(duty, zone),
        "lost": out_of_sight(duty.key or "", duty.deleted_by, duty.moved_by) if unseen else None,
        **{name: getattr(duty, name) for name in _OF_A_DUTY},
    }


def _note(fact: DutyFact | ItemFact, zone: str) -> str | None:
    """Return what is wrong with the owner, in the words of `syncd show`."""
    leave = json.loads(fact.leaves or "{}").get(fact.account or "")
    return owner_note(json.loads(fact.wrong or "[]"), Leave.model_validate(leave) if leave else None, zone)


def item_row(item: ItemFact, week: str, now: datetime, since: datetime, until: datetime, zone: str) -> Row:
    """Return an action item's row; its `verdict` is `done` or `won't do` if it ended in [since, until)."""
    done = item.done_at is not None and since <= item.done_at < until
    overdue = item.due_at is not None and item.due_at <= now and not done
    note = None if done else _note(item, zone)
    # of a restricted incident's item only these columns, which name nothing and nobody
    row: Row = {
        "table": "action item",
        "week": week,
        "team": item.team,
        "verdict": ("done" if item.stands != WONT_DO else WONT_DO) if done else "open",
        "unowned": note is not None,
        "overdue_days": math.floor((now - item.due_at).total_seconds() / 86400)
        if overdue and item.due_at
        else None,
        "postponed": item.postponed,
    }
    if item.restricted:
        return row
    return row | {
        "incident": item.incident,
        "number": item.number,
        "key": item.key,
        "summary": item.summary,
        "owner": item.owner,
        "note": note,
        "status": "not visible" if item.gone else item.status,
        "started_at": item.first_seen_at,
        "due_at": item.due_at,
        "due_day": item.due_day,
        "met_at": item.done_at,
    }


def _outcome(own: DutyState, due_at: datetime, now: datetime) -> str:
    """Return how a share counts a duty: `ended` (no verdict), `running` (deadline ahead) or `judged`."""
    if own in (DutyState.CANCELLED, DutyState.VOID):
        return "ended"
    return "running" if str(own) in _UNDECIDED and due_at > now else "judged"


def share(rows: Iterable[Row]) -> dict[str, int]:
    """Return how many duties that stand apart were met in time, and how many there are."""
    in_time = [bool(row["in_time"]) for row in rows]
    return {"met": sum(in_time), "of": len(in_time)}


def share_so_far(rows: Iterable[Row]) -> dict[str, int]:
    """Return the share of the duties that are met or past their deadline, and how many are `running`."""
    listed = list(rows)
    judged = share(row for row in listed if row["outcome"] == "judged")
    return {**judged, "running": sum(row["outcome"] == "running" for row in listed)}


def plain_row(row: Row) -> Row:
    """Return a row for JSON: times as text in UTC."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def met_of(rows: Iterable[Row]) -> tuple[int, int]:
    """Return how many of the duties that count were met in time, and how many there are.

    A duty that could not be judged counts as not met.
    """
    verdicts = [row["verdict"] for row in rows if row["table"] == "duty"]
    return verdicts.count(MET), sum(verdicts.count(word) for word in OF_ALL)


def unjudged_of(rows: Iterable[Row]) -> list[Row]:
    """Return the duties of the week's number that could not be judged; `why_not_judged` says why."""
    return [row for row in rows if row["table"] == "duty" and row["verdict"] == UNJUDGED]


def tally(rows: Iterable[Row], key: str, order: Iterable[str] = ()) -> dict[str, int]:
    """Return how many rows have each value of a column: those of `order` first, then the most frequent."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row.get(key))] = counts.get(str(row.get(key)), 0) + 1
    first = {name: counts.pop(name) for name in order if name in counts}
    return first | dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def spread(values: Iterable[float], within: float | None) -> Row:
    """Return mean, median, 90th percentile and worst of some minutes, and how many are below a target."""
    ordered = sorted(values)
    if not ordered:
        return {"count": 0, "target": within}
    share = {} if within is None else {"within": sum(value < within for value in ordered)}
    return {
        "count": len(ordered),
        "mean": fmean(ordered),
        "median": median(ordered),
        # nearest rank: the smallest value that at least 90 % of the values do not exceed
        "p90": ordered[max(0, math.ceil(len(ordered) * 0.9) - 1)],
        "worst": ordered[-1],
        "target": within,
        **share,
    }


def by_target(rows: Iterable[Row], column: str, target: Callable[[str, str], float | None]) -> list[Row]:
    """Return a `spread` for each target that severities of a team share; those without a target come last."""
    groups: dict[tuple[str, float | None], dict[str, list[float]]] = {}
    for row in rows:
        if row["table"] == "incident" and row[column] is not None:
            goal = target(row["team"], row["severity"])
            groups.setdefault((row["team"], goal), {}).setdefault(row["severity"], []).append(row[column])
    return [
        {
            "team": team,
            "severities": sorted(by_severity),
            **spread((value for values in by_severity.values() for value in values), goal),
        }
        for (team, goal), by_severity in sorted(
            groups.items(), key=lambda pair: (pair[0][0], pair[0][1] or math.inf)
        )
    ]


def trend_bars(figures: dict[str, Any], present: str = "") -> list[dict[str, Any]]:
    """Return a report's week and the twelve weeks before as bars, the latest first.

    `present` follows the name of the report's week. Weeks before the first on record are left out. `share` is
    in percent; `none` is True where nothing was due.
    """
    before = {trend["week"]: trend for trend in figures["before"]}
    week = Week.named(figures["week"])
    names = [week.back(count).name for count in range(1, WEEKS_BEFORE + 1)]
    while names and names[-1] not in before:
        names.pop()
    weeks = [figures, *(before.get(name, {"week": name, "met": 0, "of": 0}) for name in names)]
    return [
        {
            "label": trend["week"] + (present if trend is figures else ""),
            "text": f"{trend['met']} of {trend['of']}" if trend["of"] else "nothing due",
            "share": round(100 * trend["met"] / trend["of"]) if trend["of"] else 0,
            "none": not trend["of"],
        }
        for trend in weeks
    ]
