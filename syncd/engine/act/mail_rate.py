"""How fast mails leave: at most 20 an hour beside those that nobody may miss, and no hammering.

A mail that a server puts off is tried again after a pause that doubles with every try, by itself: one
recipient's full mailbox holds up nobody else's notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock

from loguru import logger

from syncd.domain.mail import WITHOUT_MAIL_RATE
from syncd.domain.operation import SendMail
from syncd.engine.context import EngineContext
from syncd.engine.notify.mail_history import may_have_left
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import leaving
from syncd.ledger.store.leaving import mails_since

AT_MOST = 20
"""Mails an hour (rules: "Start, brakes, ceilings")."""
HOUR = timedelta(hours=1)
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 900.0
"""Seconds between two tries of the same mail."""


class MailRate:
    """Places under the ceiling; safe to use from any thread."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._lock = Lock()
        self._taken: set[int] = set()

    @contextmanager
    def place(self, operation: OperationRecord) -> Iterator[float]:
        """Yields 0 where the mail may be tried now, else in how many seconds to ask again."""
        wait = self._pause(operation)
        counted = operation.typed(SendMail).content.mail not in WITHOUT_MAIL_RATE
        if not wait and counted:
            wait = self._take(operation.id)
            if wait:
                self._say(operation)
        try:
            yield wait
        finally:
            if counted and not wait:
                with self._lock:
                    self._taken.discard(operation.id)

    def _pause(self, operation: OperationRecord) -> float:
        if operation.claimed_at is None or not operation.attempts:
            return 0.0
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (operation.attempts - 1))
        passed = (self._context.clock.now() - operation.claimed_at).total_seconds()
        return max(0.0, pause - max(0.0, passed))

    def _say(self, operation: OperationRecord) -> None:
        why = f"waits: {AT_MOST} e-mails left within an hour, and no more may"
        if leaving.wait(self._context.ledger, operation, self._context.clock.now(), why):
            logger.info("mail {} {}", operation.id, why)

    def _take(self, row_id: int) -> float:
        now = self._context.clock.now()
        with self._lock:
            left = sorted(
                mail.claimed_at
                for mail in mails_since(self._context.ledger, now - HOUR)
                if mail.claimed_at is not None
                and mail.id not in self._taken
                and mail.typed(SendMail).content.mail not in WITHOUT_MAIL_RATE
                and may_have_left(mail)
            )
            over = len(left) + len(self._taken) - AT_MOST
            if over < 0:
                self._taken.add(row_id)
                return 0.0
            until = left[min(over, len(left) - 1)] if left else now
            return max(1.0, (until + HOUR - now).total_seconds())
