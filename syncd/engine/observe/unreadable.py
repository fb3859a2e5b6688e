"""Incidents that PagerDuty shows and that we cannot read: each is on record once and is read again by id.

One of them does not hold up the others of its page, nor the service: a whole answer came. It is read by its
id at once, since a list and a single read need not look alike, and every 15 minutes from then on; what is
known of it stays as it is meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping

from syncd.engine.context import EngineContext
from syncd.ledger.store import change_queue


def note_unread(context: EngineContext, unread: Mapping[str, str], *, notice: bool = True) -> None:
    """Put on record what could not be read, by id with the reason (no text); `notice`: read it by id."""
    since = context.ledger.logical_clock.next() if notice else None
    change_queue.note_unread(context.ledger, unread, context.clock.now(), since)
