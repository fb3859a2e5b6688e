"""How fast mails leave: at most 20 an hour beside notices and the weekly report, and no hammering.

A mail that a server puts off is tried again after a pause that doubles with every try, by itself: one
recipient's full mailbox holds up nobody else's notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock

from sqlmodel import col, select

from syncd.domain.mail import KEYS, WITHOUT_CEILING
from syncd.engine.context import Desk
from syncd.engine.notify.mail_history import may_have_left
from syncd.ledger.store.tables import OperationRow

AT_MOST = 20
"""Mails an hour (rules: "Start, brakes, ceilings")."""
HOUR = timedelta(hours=1)
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 900.0
"""Seconds between two tries of the same mail."""


class Ceiling:
    """Places under the ceiling; safe to use from any thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = Lock()
        self._taken: set[int] = set()

    @contextmanager
    def place(self, row: OperationRow) -> Iterator[float]:
        """Yields 0 where the mail may be tried now, else in how many seconds to ask again."""
        wait = self._pause(row)
        counted = row.meaning.get("mail") not in WITHOUT_CEILING
        if not wait and counted:
            wait = self._take(row.id or 0)
        try:
            yield wait
        finally:
            if counted and not wait:
                with self._lock:
                    self._taken.discard(row.id or 0)

    def _pause(self, row: OperationRow) -> float:
        if row.claimed_at is None or not row.attempts:
            return 0.0
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (row.attempts - 1))
        passed = (self._desk.clock.now() - row.claimed_at).total_seconds()
        return max(0.0, pause - max(0.0, passed))

    def _take(self, row_id: int) -> float:
        now = self._desk.clock.now()
        with self._lock:
            with self._desk.ledger.db.read() as session:
                query = select(OperationRow).where(
                    OperationRow.key >= KEYS,
                    OperationRow.key < KEYS[:-1] + "0",
                    col(OperationRow.claimed_at) > now - HOUR,
                )
                left = sorted(
                    row.claimed_at
                    for row in session.exec(query).all()
                    if row.claimed_at is not None
                    and row.id not in self._taken
                    and row.meaning.get("mail") not in WITHOUT_CEILING
                    and may_have_left(row)
                )
            over = len(left) + len(self._taken) - AT_MOST
            if over < 0:
                self._taken.add(row_id)
                return 0.0
            until = left[min(over, len(left) - 1)] if left else now
            return max(1.0, (until + HOUR - now).total_seconds())
