"""What the ledger remembers of Jira's projects: numbers, workflows, where tickets begin, stopped comments."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in


def ways_of(ledger: Transactions, workflow: str) -> dict[str, Any]:
    """Return where each status of a workflow was seen to lead, and when, by status id."""
    with ledger.read() as session:
        return get_cursor_in(session, f"ways.{workflow}")


def store_ways(ledger: Transactions, workflow: str, status_id: str, entry: dict[str, JsonValue]) -> None:
    """Store where a status of a workflow leads."""
    with ledger.write() as session:
        known = get_cursor_in(session, f"ways.{workflow}")
        set_cursor_in(session, f"ways.{workflow}", **{**known, status_id: entry})


def status_at_birth(ledger: Transactions, place: str) -> str | None:
    """Return the status in which the issues of a project and type begin, None where it is not known."""
    with ledger.read() as session:
        return _status_at_birth(session, place)


def store_status_at_birth(ledger: Transactions, place: str, status_id: str) -> None:
    """Store the status in which the issues of a project and type begin."""
    with ledger.write() as session:
        set_cursor_in(session, f"birth.{place}", status=status_id)


def forget_status_at_birth(ledger: Transactions, place: str) -> str | None:
    """Forget the status in which the issues of a project and type begin, and return it."""
    with ledger.write() as session:
        known = _status_at_birth(session, place)
        set_cursor_in(session, f"birth.{place}", status=None)
    return known


def _status_at_birth(session: Session, place: str) -> str | None:
    known = get_cursor_in(session, f"birth.{place}").get("status")
    return None if known is None else str(known)


def comments_stopped(ledger: Transactions, project: str) -> dict[str, object]:
    """Return which comment stopped commenting on a project: `at`, `comment`, `key`; empty: nothing did."""
    with ledger.read() as session:
        return get_cursor_in(session, _stop(project))


def stop_comments(session: Session, project: str, **stopped: str) -> None:
    """Stop commenting on a project."""
    set_cursor_in(session, _stop(project), **stopped)


def go_on_commenting(session: Session, project: str) -> None:
    """Comment on a project again, where that was stopped."""
    if get_cursor_in(session, _stop(project)).get("at"):
        set_cursor_in(session, _stop(project))


def _stop(project: str) -> str:
    return f"comments.stopped.{project}"
