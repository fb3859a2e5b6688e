"""Schedule the mails that concern no single incident: digests, and alarms for the operator.

syncd derives from the ledger each time which mail is due, so a crash forgets none and repeats none. If syncd
missed digests, only the latest leaves, on its own day; the ledger records the missed days as not sent.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from loguru import logger

from syncd.domain.mail import OPERATOR, of_team
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import UNSENT_STATES, SendMail
from syncd.domain.operation.mail import DigestMail, OperatorMail
from syncd.engine.context import EngineContext
from syncd.engine.notify.compose import mail_to, mapping_of_mail
from syncd.engine.notify.digests import recipients
from syncd.engine.notify.operator import OperatorAlarms
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import mails
from syncd.ledger.store.lookups import open_operations
from syncd.policy.notify.digests import digest_moment, latest_moment

EVERY = 10.0
"""Seconds between two looks for what is due."""


class MailSchedule:
    """Puts due mails into the outbox; `good` holds the time of the last good read of each service (UTC)."""

    def __init__(self, context: EngineContext, good: dict[str, datetime]) -> None:
        self._context = context
        self.operator = OperatorAlarms(context, good)
        self._looked: float | None = None
        self._decided: dict[str, str] = {}

    def due(self, *, at_once: bool = False) -> list[str]:
        """Put due mails into the outbox; return the ids under which they stand there."""
        clock = self._context.clock
        if not at_once and self._looked is not None and clock.boottime() - self._looked < EVERY:
            return []
        self._looked = clock.boottime()
        digests = [of_team(mapping.team) for mapping in self._context.mappings if self._digest(mapping)]
        return [*digests, *([OPERATOR] if self.operator.tell_due() else [])]

    def drop_untrue(self, ident: str) -> None:
        """End the mails that wait under this id and are not true any more."""
        ledger, now = self._context.ledger, self._context.clock.now()
        waiting = [
            mail
            for mail in open_operations(ledger, ident)
            if mail.state in UNSENT_STATES and not mail.typed(SendMail).unsure
        ]
        for mail, why in [(mail, why) for mail in waiting if (why := self._untrue(mail))]:
            mails.drop(ledger, mail, now, f"not sent: {why}")
            content = mail.typed(SendMail).content
            if isinstance(content, OperatorMail):
                self.operator.untell(content)

    def _untrue(self, mail: OperationRecord) -> str | None:
        content = mail.typed(SendMail).content
        if isinstance(content, DigestMail):
            mapping = mapping_of_mail(self._context, mail)
            today = self._latest(mapping) if mapping else None
            late = today != content.at
            return "its day is over, and a later digest tells the present state" if late else None
        if not isinstance(content, OperatorMail):
            return None
        return None if self.operator.lasts(content) else "it is over"

    def _latest(self, mapping: Mapping) -> datetime | None:
        """Return the time of today's digest (UTC), None before it: a digest leaves when one clock says so."""
        return latest_moment(mapping, self._context.clock_skew().latest(self._context.clock.now()))

    def _digest(self, mapping: Mapping) -> bool:
        """Decide today's digest once; return True if it has mails."""
        context, now = self._context, self._context.clock.now()
        moment = self._latest(mapping)
        if mapping.mails.mode is not Mode.ENFORCE or moment is None:
            return False
        day = moment.astimezone(ZoneInfo(mapping.zone)).date()
        if self._decided.get(mapping.team) == day.isoformat():
            return False
        last = mails.digest_day(context.ledger, mapping.team)
        # a restart must not send the digest again
        if last == day.isoformat():
            self._decided[mapping.team] = last
            return False
        letters = tuple(
            mail_to(
                address,
                content=DigestMail(at=moment),
                about=of_team(mapping.team),
                moment=day.isoformat(),
                reason=f"one person's open tasks on {day.isoformat()}",
                why="these tasks are yours",
                asked_at=moment,
            )
            for address in recipients(context, mapping, moment)
        )
        missed = _missed(mapping, last, day)
        digest = mails.Digest(mapping.team, day.isoformat(), letters, mapping.version, missed)
        mails.store_digest(context.ledger, digest, now)
        if missed:
            logger.warning(
                "{}: syncd missed the digests of {} and does not send them", mapping.team, ", ".join(missed)
            )
        return bool(letters)


def _missed(mapping: Mapping, last: str | None, day: date) -> tuple[str, ...]:
    """Return the working days between the last digest and this one, whose digests are not sent any more."""
    if last is None:
        return ()
    missed = []
    between = date.fromisoformat(last) + timedelta(days=1)
    while between < day:
        if digest_moment(mapping, between) is not None:
            missed.append(between.isoformat())
        between += timedelta(days=1)
    return tuple(missed)
