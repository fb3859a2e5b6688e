"""How fast mails leave: at most 20 an hour beside those that nobody may miss, and no hammering.

Of notices, those to one person beyond five in ten minutes wait, to leave in one mail (`notify.bundle`).

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
from syncd.engine.notify import bundle
from syncd.engine.notify.bundle import bundle_due, is_notice
from syncd.engine.notify.mail_history import may_have_left
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import mails
from syncd.ledger.store.mails import mails_since

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
        self._taken: dict[int, OperationRecord] = {}

    @contextmanager
    def place(self, operation: OperationRecord) -> Iterator[float]:
        """Yields 0 where the mail may be tried now, else in how many seconds to ask again."""
        wait = self._pause(operation)
        if not wait:
            with self._lock:
                wait = self._wait(operation)
                if not wait:
                    self._taken[operation.id] = operation
        try:
            yield wait
        finally:
            if not wait:
                with self._lock:
                    self._taken.pop(operation.id, None)

    def _wait(self, operation: OperationRecord) -> float:
        """Return in how many seconds to ask again, 0 where the mail may leave; store why it waits."""
        if is_notice(operation):
            return self._until_bundle(operation)
        if not _is_counted(operation):
            return 0.0
        wait = self._until_place()
        if wait:
            self._say(operation, f"waits: {AT_MOST} e-mails left within an hour, and no more may")
        return wait

    def _until_bundle(self, notice: OperationRecord) -> float:
        begun = [other for other in self._taken.values() if is_notice(other)]
        due = bundle_due(self._context, notice, begun)
        if due is None:
            return 0.0
        mail, now = notice.typed(SendMail), self._context.clock.now()
        if mail.bundled:
            return max(0.0, (due - now).total_seconds())
        why = (
            f"bundled: more than {bundle.AT_MOST} notices to this person in 10 minutes, which leave in one"
            f" mail at {due:%H:%M} UTC at the latest"
        )
        self._say(notice, why, mail.model_copy(update={"bundled": True}))
        return max(1.0, (due - now).total_seconds())  # the others of the same cycle are to be in it

    def _pause(self, operation: OperationRecord) -> float:
        if operation.claimed_at is None or not operation.attempts:
            return 0.0
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (operation.attempts - 1))
        passed = (self._context.clock.now() - operation.claimed_at).total_seconds()
        return max(0.0, pause - max(0.0, passed))

    def _say(self, operation: OperationRecord, why: str, changed: SendMail | None = None) -> None:
        if mails.wait(self._context.ledger, operation, self._context.clock.now(), why, changed):
            logger.info("mail {} {}", operation.id, why)

    def _until_place(self) -> float:
        now = self._context.clock.now()
        taken = {number for number, mail in self._taken.items() if _is_counted(mail)}
        left = sorted(
            mail.claimed_at
            for mail in mails_since(self._context.ledger, now - HOUR)
            if mail.claimed_at is not None
            and mail.id not in taken
            and _is_counted(mail)
            and may_have_left(mail)
        )
        over = len(left) + len(taken) - AT_MOST
        if over < 0:
            return 0.0
        until = left[min(over, len(left) - 1)] if left else now
        return max(1.0, (until + HOUR - now).total_seconds())


def _is_counted(mail: OperationRecord) -> bool:
    return mail.typed(SendMail).content.mail not in WITHOUT_MAIL_RATE
