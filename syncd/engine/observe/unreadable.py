"""Incidents that PagerDuty shows and that we cannot read: each is on record once and is read again by id.

One of them does not hold up the others of its page, nor the service: a whole answer came. It is read by its
id at once, since a list and a single read need not look alike, and every 15 minutes from then on; what is
known of it stays as it is meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping

from loguru import logger
from sqlmodel import Session

from syncd.engine.context import Desk
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.key_values import set_cursor
from syncd.ledger.store.snapshots import UNREADABLE, unreadable


def note_unread(session: Session, desk: Desk, unread: Mapping[str, str], *, look: bool = True) -> None:
    """Put on record what could not be read, by id with the reason (no text of it); `look`: read it by id."""
    known = unreadable(session)
    fresh = {one: why for one, why in unread.items() if one not in known}
    if not fresh:
        return
    now = desk.clock.now()
    for incident_id, why in fresh.items():
        audit.append(session, now, "incident.unreadable", incident=incident_id, data={"why": why})
        logger.bind(incident=incident_id).error(
            "incident {} cannot be read and is left as it is until it can: {}", incident_id, why
        )
        known[incident_id] = {"since": now.isoformat(), "why": why}
    set_cursor(session, UNREADABLE, incidents=known)
    if look:
        look_again(session, fresh, now, desk.ledger.moments.next(), "it could not be read")


def note_read(session: Session, incident_id: str) -> None:
    """An incident could be read by its id."""
    known = unreadable(session)
    if known.pop(incident_id, None) is not None:
        set_cursor(session, UNREADABLE, incidents=known)
        logger.bind(incident=incident_id).info("incident {} can be read again", incident_id)
