"""The content of the page of state: what is open, late, waiting and decided now, for one team or all teams.

The figures are those of the week's report so far, and the lines those of `syncd status`. Of a restricted
incident the page shows the number alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from syncd.domain.clock import zone_word
from syncd.domain.duty import DutyKind
from syncd.domain.incident import IncidentStatus
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.text import counted, one_line
from syncd.ledger.database.connection import OneView, Transactions, one_view
from syncd.ledger.store.troubles import troubles
from syncd.ledger.views import report_state
from syncd.ledger.views.postmortems import jira_address
from syncd.ledger.views.report_state import ParkedFact
from syncd.ledger.views.status import status_data, trouble_data
from syncd.policy.duty_words import SUBJECTS
from syncd.policy.time.time_words import long_words
from syncd.report.state_words import brake_lines, service_lines, trouble_line, wait_line
from syncd.report.weekly.cells import shown_cells
from syncd.report.weekly.counting import trend_bars
from syncd.report.weekly.decisions import DECIDED, decided_rows
from syncd.report.weekly.report import Weekly, make, names_shown, zone_of
from syncd.report.weekly.sections import SOON_HOURS, owed_row
from syncd.report.weekly.week import Week
from syncd.report.weekly.words import FORMULA, tone, verdict

Data = dict[str, Any]
MOST_ROWS = 100
"""Rows of one table; the page counts the rest."""


@dataclass(frozen=True)
class Side:
    """One of the two services as the daemon sees it: whether it was read lately, and that in words."""

    name: str
    good: bool
    words: str


@dataclass(frozen=True)
class Health:
    """The daemon's health: both services, and why somebody must restart the process (None: it is healthy)."""

    sides: tuple[Side, ...]
    sick: str | None = None


@dataclass(frozen=True)
class _Reader:
    """How the reader of a page sees it: times in the team's zone, owners or not, links to Jira."""

    team: str | None
    zone: str
    names: bool
    browse: str
    now: datetime

    def time(self, at: datetime) -> str:
        """Return a time with its distance from now: `Tue 24 Nov 14:00, in 2 hours`."""
        span = at - self.now
        near = f"in {long_words(span)}" if span > timedelta() else f"{long_words(span)} ago"
        return f"{at.astimezone(ZoneInfo(self.zone)):%a %d %b %H:%M}, {near}"

    def issue(self, key: str | None) -> Data:
        """Return a cell with a link to an issue."""
        return {"text": key or "", "url": f"{self.browse}{key}" if self.browse and key else ""}


def link_to(url: str, mappings: Sequence[Mapping], team: str) -> str:
    """Return the address of a team's page under `SYNCD_PAGE_URL`; without such a team, of the page of all."""
    teams = {mapping.team for mapping in mappings}
    return f"{url}/team/{quote(team, safe='')}" if url and team in teams else url and f"{url}/"


def state_page(
    ledger: Transactions,
    mappings: Sequence[Mapping],
    team: str | None,
    now: datetime,
    health: Health,
    expires: dict[str, date] | None = None,
) -> Data:
    """Return the variables of the page's template for a team, or for all teams if it is None."""
    zone = zone_of(mappings, team)
    # one view, so that the parts of the page fit each other while the daemon writes
    with one_view(ledger) as view:
        report = make(view, Week.of(now, zone), team, mappings, now, expires=expires)
        state = status_data(view, MOST_ROWS + 1, team=team)
        parked = report_state.parked(view, team)
        base = jira_address(view)
        reader = _Reader(team, zone, names_shown(mappings, team), f"{base}/browse/" if base else "", now)
        in_trouble = list(_troubles(view, team))
    figures, local = report.figures, now.astimezone(ZoneInfo(zone))
    owed = figures["open_duties"]
    late = [duty for duty in owed if duty["hours_left"] < 0]
    soon = [duty for duty in owed if 0 <= duty["hours_left"] <= SOON_HOURS]
    decided, decided_lines = decided_rows(figures, zone, reader.names, reader.browse)
    trouble = [*service_lines(state), *in_trouble, *state["notes"], *_expiring(figures)]
    waiting = [*brake_lines(state, names=reader.names), *map(wait_line, state["waits"])]
    return {
        "team": team or "All teams",
        "teams": [
            {
                "name": mapping.team,
                "path": f"team/{quote(mapping.team, safe='')}",
                "here": mapping.team == team,
            }
            for mapping in mappings
        ],
        "of_all": team is None,
        "at": f"{local:%a} {local.day} {local:%b %Y, %H:%M:%S} {zone_word(local)}",
        "sections": [
            _section("late", "Late", _table(_owed_head(reader), [_owed(duty, reader) for duty in late])),
            _open_incidents(state["incidents"], reader),
            _section(
                "next",
                "Due within a week",
                _table(_owed_head(reader), [_owed(duty, reader) for duty in soon]),
            ),
            _waiting(waiting, parked, reader),
            _section(
                "decided", "Waived and taken back this week", _table(DECIDED, decided), lines=decided_lines
            ),
        ],
        "number": _number(report),
        "health": {
            "sides": [vars(side) for side in health.sides],
            "sick": health.sick or "",
            "lines": [one_line(line) for line in trouble],
        },
        "tiles": _tiles(
            len(state["incidents"]), len(late), len(waiting) + len(parked), figures, health, trouble
        ),
    }


def _tiles(
    open_: int, late: int, waiting: int, figures: Data, health: Health, trouble: list[str]
) -> list[Data]:
    """Return the page in six words each: what a reader sees first, with links to the sections."""
    well = all(side.good for side in health.sides) and health.sick is None
    number, words = f"{figures['met']} of {figures['of']}", "met in time this week"
    if not figures["of"]:
        number, words = "No duty", "fell due this week so far"
    return [
        {"to": "late", "number": str(late), "words": "late", "tone": "bad" if late else "good"},
        {"to": "open", "number": str(open_), "words": "open or unfinished", "tone": ""},
        {
            "to": "waits",
            "number": str(waiting),
            "words": "waiting or parked",
            "tone": "fair" if waiting else "good",
        },
        {"to": "number", "number": number, "words": words, "tone": tone(figures)},
        {
            "to": "health",
            "number": "Healthy" if well and not trouble else "Look" if well else "Trouble",
            "words": _health_words(health, trouble, well),
            "tone": "good" if well and not trouble else "fair" if well else "bad",
        },
    ]


def _health_words(health: Health, trouble: list[str], well: bool) -> str:
    """Return why the health is as it is; of what is in trouble the first part of the first line."""
    if health.sick:
        return "the daemon is stuck"
    if not well:
        return "a service is not read"
    if not trouble:
        return "both services are read"
    more = f", and {len(trouble) - 1} more" if len(trouble) > 1 else ""
    return one_line(trouble[0].split(": ")[0]) + more


def _owed_head(reader: _Reader) -> list[str]:
    return ["Duty", "Due", *(["Owner"] if reader.names else [])]


def _owed(duty: Data, reader: _Reader) -> list[Any]:
    return owed_row(duty, ZoneInfo(reader.zone), reader.names, reader.browse)


def _open_incidents(incidents: list[Data], reader: _Reader) -> Data:
    """Return the section of open and unfinished incidents, those that are not resolved first."""
    ordered = sorted(incidents, key=lambda incident: incident["status"] == IncidentStatus.RESOLVED)
    head = ["Incident", "Severity", "Status", "Ticket", "Clocks"]
    rows = [_incident(incident, reader) for incident in ordered]
    return _section("open", "Open and unfinished incidents", _table(head, rows))


def _incident(incident: Data, reader: _Reader) -> list[Any]:
    number = f"#{incident['number']}"
    if incident["restricted"]:
        return [f"{number} (restricted)", "", "", "", ""]
    assumed = " (assumed)" if incident["severity_assumed"] else ""
    ticket = reader.issue(incident["ticket"])
    if incident["ticket_status"]:
        ticket["text"] += f" {incident['ticket_status']}"
    clocks = [
        f"{SUBJECTS[DutyKind(kind)]}: {duty['words']}, {reader.time(datetime.fromisoformat(duty['due_at']))}"
        for kind, duty in incident["duties"].items()
        if duty["running"]
    ]
    return [
        f"{number} {incident['title']}",
        f"{incident['severity'] or 'not decided yet'}{assumed}",
        incident["status"],
        ticket if incident["ticket"] else "none yet",
        {"text": "\n".join(clocks) or "none", "url": ""},
    ]


def _waiting(lines: list[str], parked: Sequence[ParkedFact], reader: _Reader) -> Data:
    """Return the section of what waits by itself, and of what is parked until a person acts."""
    head = ["Parked", "Incident", "Since", "Why"]
    rows, count = [], len(lines) + len(parked)
    for fact in parked:
        about = " ".join(filter(None, [f"#{fact.number}" if fact.number else "", fact.ticket or ""]))
        # a service's words may name a person, and a mail server's answer names the recipient
        why = fact.words if reader.names else ""
        words = [fact.kind.replace("_", " "), about, reader.time(fact.since), why]
        rows.append(["an operation", f"#{fact.number} (restricted)", "", ""] if fact.restricted else words)
    if parked:
        lines = [*lines, "Parked operations wait for a person: syncd outbox"]
    table = _table(head, rows) | {"count": count}
    return _section("waits", "Waiting and parked", table, lines=lines)


def _troubles(view: OneView, team: str | None) -> Iterator[str]:
    """Yield what syncd cannot read or do about one object of the team."""
    for trouble in troubles(view):
        if team is not None and trouble.team not in (None, team):
            continue
        if trouble.restricted:
            yield f"#{trouble.number} (restricted): see syncd show {trouble.number}"
        else:
            yield trouble_line(trouble_data(trouble))


def _expiring(figures: Data) -> Iterator[str]:
    return (f"{name} expires on {day}" for name, day in figures["expiring"].items())


def _number(report: Weekly) -> Data:
    """Return the week's number so far, and the twelve weeks before as bars, the latest first."""
    figures = report.figures
    sentence = verdict(figures)
    return {
        "verdict": sentence[0].upper() + sentence[1:],
        "tone": tone(figures),
        "formula": FORMULA,
        "bars": trend_bars(figures, " so far"),
    }


def _section(anchor: str, title: str, table: Data, lines: Sequence[str] = ()) -> Data:
    return {"anchor": anchor, "title": title, "lines": [one_line(line) for line in lines], "table": table}


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Data:
    """Return a table for the template: each cell has text and a link, which may be empty."""
    more = len(rows) - MOST_ROWS
    return {
        "head": list(head),
        "rows": shown_cells(rows[:MOST_ROWS]),
        "count": len(rows),
        "more": f"and {counted(more, 'row')} more: syncd status" if more > 0 else "",
    }
