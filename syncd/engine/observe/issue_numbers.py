"""Keep the highest issue number that any answer of a project has shown."""

from __future__ import annotations

from collections.abc import Iterable

from syncd.engine.context import Desk
from syncd.ledger.store.key_values import get_cursor, set_cursor


def _name(project: str) -> str:
    return f"jira.highest.{project}"


def saw_numbers(desk: Desk, project: str, numbers: Iterable[int]) -> None:
    """An answer has shown these issue numbers of the project."""
    top = max(numbers, default=None)
    if top is None:
        return
    with desk.ledger.db.read() as session:
        known = get_cursor(session, _name(project)).get("number")
    if isinstance(known, int) and known >= top:
        return
    with desk.ledger.db.write() as session:
        known = get_cursor(session, _name(project)).get("number")
        if not isinstance(known, int) or known < top:
            set_cursor(session, _name(project), number=top)
