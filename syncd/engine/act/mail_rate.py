"""How fast mails leave: at most 20 an hour, without counting the mails that nobody may miss.

Notices to one person beyond five in ten minutes wait and leave in one mail (`notify.bundle`).

If a mail server defers a mail, syncd tries that mail again after a pause that doubles with each try. One
recipient's full mailbox holds up nobody else's notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock

from syncd.domain.mail import WITHOUT_MAIL_RATE
from syncd.domain.operation import SendMail
from syncd.engine.context import EngineContext
from syncd.engine.notify import bundle
from syncd.engine.notify.bundle import bundle_due, is_notice
from syncd.engine.notify.mail_history import may_have_left
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.mails import mails_since

AT_MOST = 20
"""Mails an hour; a flood of mails would hide the one that matters."""
HOUR = timedelta(hours=1)
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 900.0
"""Seconds between two tries of the same mail."""


class MailRate:
    """The places under the hourly limit; safe to use from any thread."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._lock = Lock()
        self._taken: dict[int, OperationRecord] = {}

    @contextmanager
    def place(self, operation: OperationRecord) -> Iterator[float]:
        """Yield 0 where the mail may leave now, else the seconds until it may ask again."""
        wait = self._pause(operation)
        if wait:
            self._context.waits.store(operation, "the next try: the mail server deferred it")
        else:
            with self._lock:
                wait = self._wait(operation)
                if not wait:
                    # taken until the ledger shows the mail, so that two workers never share the last place
                    self._taken[operation.id] = operation
        try:
            yield wait
        finally:
            if not wait:
                with self._lock:
                    self._taken.pop(operation.id, None)

    def _wait(self, operation: OperationRecord) -> float:
        """Return the seconds until the mail may ask again, 0 where it may leave; store why it waits."""
        if is_notice(operation):
            return self._until_bundle(operation)
        if not _is_counted(operation):
            return 0.0
        wait = self._until_place()
        if wait:
            why = f"its place: {AT_MOST} e-mails left within an hour, which is the limit"
            self._context.waits.store(operation, why)
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
            f"others: more than {bundle.AT_MOST} notices to this person in 10 minutes, which leave in one"
            f" mail at {due:%H:%M} UTC at the latest"
        )
        self._context.waits.store(notice, why, mail.model_copy(update={"bundled": True}))
        # at least a second: the other notices of this cycle belong into the same mail
        return max(1.0, (due - now).total_seconds())

    def _pause(self, operation: OperationRecord) -> float:
        # only a mail that a server deferred pauses
        if operation.claimed_at is None or not operation.attempts:
            return 0.0
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (operation.attempts - 1))
        passed = (self._context.clock.now() - operation.claimed_at).total_seconds()
        # negative where the clock was set back since: then nobody knows how long it waited
        return max(0.0, pause - passed) if passed >= 0 else 0.0

    def _until_place(self) -> float:
        now = self._context.clock.now()
        taken = {number for number, mail in self._taken.items() if _is_counted(mail)}
        left = sorted(
            mail.claimed_at
            for mail in mails_since(self._context.ledger, now - HOUR)
            # a mail of the future left before the clock was set back
            if mail.claimed_at is not None
            and mail.claimed_at <= now
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
