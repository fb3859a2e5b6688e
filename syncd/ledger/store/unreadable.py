"""Incidents that PagerDuty shows and that we cannot read: each is on record once, until it can be read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from loguru import logger
from sqlmodel import Session

from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in

UNREADABLE = "unreadable"
"""The cursor of what could not be read."""


def unreadable_in(session: Session) -> dict[str, dict[str, str]]:
    """Return the incidents that could not be read, by id: since when, and why."""
    value = get_cursor_in(session, UNREADABLE).get("incidents")
    return dict(value) if isinstance(value, dict) else {}


def unreadable(ledger: Transactions) -> dict[str, dict[str, str]]:
    """Return the incidents that could not be read, by id: since when, and why."""
    with ledger.read() as session:
        return unreadable_in(session)


def note_unread_in(session: Session, unread: Mapping[str, str], now: datetime, since: int | None) -> None:
    """Put on record what could not be read, by id with the reason (no text of it).

    `since`: a read by id that began then or later is fresh enough; None: no read by id is asked for.
    """
    known = unreadable_in(session)
    fresh = {incident_id: why for incident_id, why in unread.items() if incident_id not in known}
    if not fresh:
        return
    for incident_id, why in fresh.items():
        audit.append(session, now, "incident.unreadable", incident=incident_id, data={"why": why})
        logger.bind(incident=incident_id).error(
            "incident {} cannot be read and is left as it is until it can: {}", incident_id, why
        )
        known[incident_id] = {"since": now.isoformat(), "why": why}
    set_cursor_in(session, UNREADABLE, incidents=known)
    if since is not None:
        notice_changes_in(session, fresh, now, since, "it could not be read")


def note_unread(ledger: Transactions, unread: Mapping[str, str], now: datetime, since: int | None) -> None:
    """As `note_unread_in`, in a transaction of its own."""
    with ledger.write() as session:
        note_unread_in(session, unread, now, since)


def note_read_in(session: Session, incident_id: str) -> None:
    """An incident could be read."""
    known = unreadable_in(session)
    if known.pop(incident_id, None) is not None:
        set_cursor_in(session, UNREADABLE, incidents=known)
        logger.bind(incident=incident_id).info("incident {} can be read again", incident_id)
