"""The order of a query's results."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from syncd.sandbox.jira.asking import Ask
from syncd.sandbox.jira.errors import error
from syncd.sandbox.jira.jql import Query
from syncd.sandbox.jira.jql_match import ALIASES, TIMES, Row


def ordered(ask: Ask, rows: list[Row], query: Query) -> list[Row]:
    """Return rows in the order of the query, without one the newest first. Raise a 400 for another field."""
    rows = sorted(rows, key=lambda row: row[0].id, reverse=True)
    # Sorting is stable, so the last criterion comes first.
    for name, descending in reversed(query.order):
        key = _order_key(ask, ALIASES.get(name, TIMES.get(name, name)))
        rows = sorted(rows, key=key, reverse=descending)
    return rows


def _order_key(ask: Ask, name: str) -> Callable[[Row], Any]:
    keys: dict[str, Callable[[Row], Any]] = {
        "key": lambda row: (row[1].key.rpartition("-")[0], int(row[1].key.rpartition("-")[2])),
        "id": lambda row: row[0].id,
        "created": lambda row: (row[0].created, row[0].id),
        "updated": lambda row: (row[1].updated, row[0].id),
        "duedate": lambda row: row[1].values.get("duedate") or "9999",
        "priority": lambda row: (
            -(list(ask.site.priorities).index(row[1].values.get("priority", "")) + 1)
            if row[1].values.get("priority") in ask.site.priorities
            else 0
        ),
        "status": lambda row: row[1].status_id,
        "summary": lambda row: row[1].values.get("summary") or "",
        "resolutiondate": lambda row: row[1].values.get("resolutiondate") or datetime.max.replace(tzinfo=UTC),
    }
    if name not in keys:
        raise error(400, f"Not able to sort using field '{name}'.")
    return keys[name]
