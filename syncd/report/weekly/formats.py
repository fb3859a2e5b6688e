"""A report in its four formats: HTML, text, JSON, and a CSV of every row behind its numbers."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import datetime
from functools import lru_cache
from typing import Any

from syncd.config.templates.templates import Templates
from syncd.config.templates.text_limits import slug_label
from syncd.domain.text import csv_cell
from syncd.report.weekly.counting import Row, plain_row
from syncd.report.weekly.report import Weekly
from syncd.report.weekly.words import report_context

HTML, TEXT = "report/weekly.html.j2", "report/weekly.txt.j2"

COLUMNS = (
    *("table", "week", "team", "incident", "number", "service", "severity", "assumed", "status", "ticket"),
    *("why_no_ticket", "created_at", "acknowledged_at", "resolved_at", "minutes_to_acknowledge"),
    *("minutes_to_resolve", "longest_gap_minutes", "updates_in_time", "updates_owed"),
    *("merged_into", "duty", "clock", "key", "summary", "owner", "note", "lost"),
    *(
        "verdict",
        "in_time",
        "outcome",
        "why_not_judged",
        "started_at",
        "due_at",
        "was_due_at",
        "due_day",
        "met_at",
    ),
    *("breached_at", "corrected", "unowned", "overdue_days", "postponed", "by", "until", "ended_at"),
    *("ended_by", "nth", "itself", "reason", "recurring", "log_unread"),
)
"""The columns of the CSV; a row leaves those empty that its table does not have."""
_PLACE = {name: place for place, name in enumerate(COLUMNS)}
_NAMES = ("owner", "by", "ended_by", "lost")
"""The columns and figures that name people."""
_QUOTED = ("parked", "unmailed")
"""The figures with a service's own words, which may name a person (`User 'Ana' cannot be assigned`)."""


def written(
    report: Weekly, form: str, templates: Templates, *, names: bool = True, head: str = "", browse: str = ""
) -> str:
    """Return the report as `json`, `csv`, `html` or `text`; raise `TemplateError`.

    `head` is the ledger's head (`SEQ:HASH`), `browse` the URL before an issue's key.
    """
    if form == "json":
        return as_json(report, names=names)
    if form == "csv":
        return as_csv(report, names=names)
    context = report_context(report, names=names, head=head, browse=browse)
    return render_html(templates, context) if form == "html" else templates.render(TEXT, context)


def render_html(templates: Templates, context: dict[str, Any]) -> str:
    """Return the HTML part, with no line break inside a number, a time or a share; raise `TemplateError`."""
    return templates.render(HTML, _unbroken(context))


_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:min|h|s|hours?|days?|minutes?|of \d|[A-Z][a-z]{2}\b))")
_BEFORE_YEAR = re.compile(r"(?<=\b[A-Z][a-z]{2}) (?=\d{4}\b)")
_ISO_DAY = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")
_HYPHEN = "\N{NON-BREAKING HYPHEN}"
_AFTER_DAY = re.compile(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun|of) (?=\d)")
_BEFORE_TIME = re.compile(r"(?<=[a-z\d]) (?=\d\d:\d\d\b)")


def _unbroken(value: Any) -> Any:
    """Return a context with no-break spaces inside numbers with units, dates, times and shares."""
    if isinstance(value, dict):
        return {key: part if key == "url" else _unbroken(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_unbroken(part) for part in value]
    if not isinstance(value, str):
        return value
    for pattern in (_BEFORE_UNIT, _BEFORE_TIME, _BEFORE_YEAR):
        value = pattern.sub("\N{NO-BREAK SPACE}", value)
    value = value.replace("< ", "<\N{NO-BREAK SPACE}")
    value = _ISO_DAY.sub(rf"\1{_HYPHEN}\2{_HYPHEN}\3", value)
    return _AFTER_DAY.sub("\\1\N{NO-BREAK SPACE}", value)


def as_json(report: Weekly, *, names: bool = True) -> str:
    """Return figures and rows as a JSON document; without `names` it leaves people out."""
    rows = [plain_row(row) for row in _rows(report, names)]
    document: dict[str, Any] = {
        "figures": report.figures if names else _nameless_figures(report.figures),
        "rows": rows,
    }
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _nameless_figures(figures: dict[str, Any]) -> dict[str, Any]:
    left: dict[str, Any] = _nameless(figures)
    quoted = {
        name: [{key: part for key, part in entry.items() if key != "words"} for entry in left.get(name, ())]
        for name in _QUOTED
    }
    return {**left, **quoted}


def _nameless(value: Any) -> Any:
    """Return figures without the keys that name people, at any depth."""
    if isinstance(value, dict):
        left_out = (*_NAMES, "overdue_by_owner")
        return {key: _nameless(part) for key, part in value.items() if key not in left_out}
    return [_nameless(part) for part in value] if isinstance(value, list) else value


def as_csv(report: Weekly, *, names: bool = True) -> str:
    """Return every row behind the numbers as CSV; no spreadsheet reads a cell as a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in _rows(report, names):
        cells = [""] * len(COLUMNS)
        for name, value in row.items():
            if value is not None:
                cells[_PLACE[name]] = _cell(value)
        writer.writerow(cells)
    return out.getvalue()


def _rows(report: Weekly, names: bool) -> list[Row]:
    if names:
        return report.rows
    return [_nameless_row(row) for row in report.rows]


def _nameless_row(row: Row) -> Row:
    left_out = (*_NAMES, "reason") if row["table"] == "parked" else _NAMES
    return {key: value for key, value in row.items() if key not in left_out}


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return _harmless(value)

    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    return value.isoformat() if isinstance(value, datetime) else str(value)


# Services, people, severities and reasons repeat in a hundred thousand rows, so each is escaped once.
_harmless = lru_cache(4096)(csv_cell)


def file_slug(team: str | None) -> str:
    """Return the part of a file's name for a team (None: all teams)."""
    return slug_label(team or "all").lower()
