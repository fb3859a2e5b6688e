"""The facts behind one week's figures, and the rows made of them, which travel with the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from syncd.domain.duty import DutyKind
from syncd.domain.operation import Kind
from syncd.ledger.views.report_facts import DutyFact, EventFact, IncidentFact, ItemFact
from syncd.ledger.views.report_state import ParkedFact
from syncd.report.weekly.counting import Row, Sight, duty_row, incident_row, item_row
from syncd.report.weekly.decisions import Decisions, decision_rows
from syncd.report.weekly.week import Week

MOVED = "waived duty"
"""The table of duties whose deadline a waiver moved to a later week."""


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
    return {**row, "incident": parked.incident, "reason": parked.words}


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
