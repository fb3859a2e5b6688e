"""Mails that concern no single incident: when a digest is due, what the operator has to hear.

What is due is derived from the ledger again each time, so that a crash forgets nothing and says nothing
twice. Of digests that were missed only the latest goes out, on its own day; the days passed over are on
record as not sent.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from loguru import logger

from syncd.domain.mail import OPERATOR, mail_key, of_team
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import Operation, SendMail
from syncd.domain.operation.mail import DigestMail, MailContent, OperatorMail
from syncd.engine.context import EngineContext
from syncd.engine.notify.compose import mapping_of_mail
from syncd.engine.notify.digests import digest_moment, latest_moment, recipients
from syncd.engine.notify.mail_history import NOT_SENT
from syncd.engine.notify.operator import WHY
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import holds, mails
from syncd.ledger.store.lookups import keys_on_record, open_operations
from syncd.policy.notify.operator_alarms import EXPIRES, Alarm
from syncd.remote.errors import Cause

EVERY = 10.0
"""Seconds between two looks for what is due."""
STALLED = timedelta(minutes=15)
"""So long without a good cycle of a side, the operator is told."""
_SIDES = ("pagerduty", "jira")


def mail_to(
    recipient: str,
    *,
    content: MailContent,
    about: str,
    moment: str,
    reason: str,
    why: str,
    asked_at: datetime,
) -> SendMail:
    """Return the operation that sends one mail to one person.

    `about` is `of_team(NAME)` or `OPERATOR`, `moment` tells it from others of its kind and comes from the
    rule alone (`2026-W47`). `asked_at` is when the rule asked for it: what lies before a restore of the
    ledger is not sent. Once it is in the outbox, submit `about` to the dispatcher.
    """
    return SendMail(
        key=mail_key(content.mail, about, moment, recipient),
        incident=about,
        to=recipient,
        why=why,
        content=content,
        moment=asked_at,
        reason=reason,
    )


def _to_operator(recipient: str, content: OperatorMail, moment: str) -> SendMail:
    return mail_to(
        recipient,
        content=content,
        about=OPERATOR,
        moment=moment,
        reason=f"the operator has to hear of it: {content.topic}",
        why=WHY,
        asked_at=content.since,
    )


class MailSchedule:
    """Looks what is due; `good` are the moments of the last good read of each side."""

    def __init__(self, context: EngineContext, good: dict[str, datetime]) -> None:
        self._context = context
        self._good = good
        self._began = context.clock.now()
        self._looked: float | None = None

    def due(self, *, at_once: bool = False) -> list[str]:
        """Put what is due into the outbox; return under which ids it stands there."""
        clock = self._context.clock
        if not at_once and self._looked is not None and clock.boottime() - self._looked < EVERY:
            return []
        self._looked = clock.boottime()
        found = [of_team(one.team) for one in self._context.mappings if self._digest(one)]
        return [*found, *([OPERATOR] if self._mail_operator() else [])]

    def mails_of(self, alarm: Alarm) -> tuple[Operation, ...]:
        """Return the mails of an alarm to the operator; once they are in the outbox, submit `OPERATOR`.

        That a service refuses us or was not read is told from what is so now (`due`), and not once more.
        """
        mailer = self._context.mailer
        if mailer is None or mailer.operator is None or alarm.kind != EXPIRES:
            return ()
        now = self._context.clock.now()
        content = OperatorMail(topic="alarm", since=now, alarm=alarm.key, text=alarm.text)
        return (_to_operator(mailer.operator, content, alarm.key),)

    def refused_at_the_start(self, service: str) -> bool:
        """Put a mail into the outbox: a service refuses our credentials before anything has begun.

        Return False where none has to leave: it is one a day, however often the daemon is started.
        """
        mailer, now = self._context.mailer, self._context.clock.now()
        if mailer is None or mailer.operator is None:
            return False
        content = OperatorMail(topic="start", since=now, service=service)
        mail = _to_operator(mailer.operator, content, f"start/{service}/{now.date().isoformat()}")
        return mails.add_if_new(self._context.ledger, mail, now)

    def drop_untrue(self, ident: str) -> None:
        """End the mails that wait under this id and are not true any more."""
        ledger, now = self._context.ledger, self._context.clock.now()
        waiting = [
            mail
            for mail in open_operations(ledger, ident)
            if mail.state in NOT_SENT and not mail.typed(SendMail).unsure
        ]
        for mail, why in [(mail, why) for mail in waiting if (why := self._untrue(mail))]:
            mails.drop(ledger, mail, now, f"not sent: {why}")

    def _untrue(self, mail: OperationRecord) -> str | None:
        content = mail.typed(SendMail).content
        if isinstance(content, DigestMail):
            mapping = mapping_of_mail(self._context, mail)
            today = latest_moment(mapping, self._context.clock.now()) if mapping else None
            late = today != content.at
            return "its day is over, and a later digest says what is true then" if late else None
        if not isinstance(content, OperatorMail):
            return None
        if content.topic == "alarm":
            known = [f"expires/{service}/{day}/" for service, day in self._context.expires.items()]
            return None if (content.alarm or "").startswith(tuple(known)) else "it was renewed"
        lasts = any(_same(matter, content) for matter in self._matters())
        return None if lasts else "it is over"

    def _digest(self, mapping: Mapping) -> bool:
        """Decide today's digest once; whether it has mails."""
        context, now = self._context, self._context.clock.now()
        moment = latest_moment(mapping, now)
        if mapping.mails.mode is not Mode.ENFORCE or moment is None or context.skewed():
            return False
        day = moment.astimezone(ZoneInfo(mapping.zone)).date()
        last = mails.digest_day(context.ledger, mapping.team)
        if last == day.isoformat():
            return False
        letters = tuple(
            mail_to(
                address,
                content=DigestMail(at=moment),
                about=of_team(mapping.team),
                moment=day.isoformat(),
                reason=f"the digest of {day.isoformat()}",
                why="these are yours",
                asked_at=moment,
            )
            for address in recipients(context, mapping, moment)
        )
        missed = _missed(mapping, last, day)
        digest = mails.Digest(mapping.team, day.isoformat(), letters, mapping.version, missed)
        mails.store_digest(context.ledger, digest, now)
        if missed:
            logger.warning("digests of {} for {} were missed: not sent", mapping.team, ", ".join(missed))
        return bool(letters)

    def _mail_operator(self) -> bool:
        context = self._context
        mailer = context.mailer
        if mailer is None or mailer.operator is None:
            return False
        letters = [
            _to_operator(mailer.operator, matter, _moment(matter, context.ledger.instance))
            for matter in self._matters()
        ]
        if not letters:
            return False
        told = keys_on_record(context.ledger, [mail.key for mail in letters])
        untold = [mail for mail in letters if mail.key not in told]
        if untold:
            mails.add_mails(context.ledger, untold, context.clock.now())
        return bool(untold)

    def _matters(self) -> list[OperatorMail]:
        """What the operator has to hear of now, each with since when."""
        matters: list[OperatorMail] = []
        held = holds.mass_held(self._context.ledger)
        if held is not None and held["since"]:
            since = datetime.fromisoformat(str(held["since"]))
            matters.append(OperatorMail(topic="mass", since=since, tickets=held["tickets"]))
        refused = set()
        for record in self._context.health.down():
            if record.cause is Cause.CREDENTIALS and record.name in _SIDES and record.down_since:
                refused.add(record.name)
                matters.append(
                    OperatorMail(topic="credentials", since=record.down_since, service=record.name)
                )
        for side in _SIDES:
            last = self._good.get(side, self._began)
            if side not in refused and self._context.clock.now() - last > STALLED:
                matters.append(OperatorMail(topic="stalled", since=last, service=side))
        return matters


def _missed(mapping: Mapping, last: str | None, day: date) -> tuple[str, ...]:
    """The working days between the last digest and this one, which are not sent any more."""
    if last is None:
        return ()
    missed = []
    between = date.fromisoformat(last) + timedelta(days=1)
    while between < day:
        if digest_moment(mapping, between) is not None:
            missed.append(between.isoformat())
        between += timedelta(days=1)
    return tuple(missed)


def _moment(matter: OperatorMail, instance: str) -> str:
    return "/".join((instance, matter.topic, matter.service or "", matter.since.isoformat()))


def _same(matter: OperatorMail, other: OperatorMail) -> bool:
    return (matter.topic, matter.service, matter.since) == (other.topic, other.service, other.since)
