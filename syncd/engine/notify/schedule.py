"""Mails that concern no single incident: when a digest is due, what the operator has to hear.

What is due is derived from the ledger again each time, so that a crash forgets nothing and says nothing
twice. Of digests that were missed only the latest goes out, on its own day; the days passed over are on
record as not sent.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from loguru import logger

from syncd.domain.base import JsonValue
from syncd.domain.mail import OPERATOR, MailKind, mail_key, of_team
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import Operation, SendMail
from syncd.domain.operation.keys import object_of_mail
from syncd.domain.operation.mail import DigestMail, MailContent, OperatorMail
from syncd.engine.context import EngineContext
from syncd.engine.notify.digests import digest_moment, latest_moment, recipients
from syncd.engine.notify.mail_history import NOT_SENT
from syncd.engine.notify.operator import WHY
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import holds, mails
from syncd.ledger.store.lookups import keys_on_record, open_operations
from syncd.ledger.store.mails import UNSURE
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
        object=object_of_mail(about),
        to=recipient,
        why=why,
        content=content,
        moment=asked_at,
        reason=reason,
    )


def _to_operator(recipient: str, topic: dict[str, JsonValue], moment: str) -> SendMail:
    content = OperatorMail.model_validate(topic)
    return mail_to(
        recipient,
        content=content,
        about=OPERATOR,
        moment=moment,
        reason=f"the operator has to hear of it: {topic['topic']}",
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
        topic: dict[str, JsonValue] = {"topic": "alarm", "since": now.isoformat(), "text": alarm.text}
        return (_to_operator(mailer.operator, {**topic, "alarm": alarm.key}, alarm.key),)

    def refused_at_the_start(self, service: str) -> bool:
        """Put a mail into the outbox: a service refuses our credentials before anything has begun.

        Return False where none has to leave: it is one a day, however often the daemon is started.
        """
        mailer, now = self._context.mailer, self._context.clock.now()
        if mailer is None or mailer.operator is None:
            return False
        topic: dict[str, JsonValue] = {"topic": "start", "since": now.isoformat(), "service": service}
        mail = _to_operator(mailer.operator, topic, f"start/{service}/{now.date().isoformat()}")
        return mails.add_if_new(self._context.ledger, mail, now)

    def drop_untrue(self, ident: str) -> None:
        """End the mails that wait under this id and are not true any more."""
        ledger, now = self._context.ledger, self._context.clock.now()
        waiting = [
            mail
            for mail in open_operations(ledger, ident)
            if mail.state in NOT_SENT and not mail.meaning.get(UNSURE)
        ]
        for mail, why in [(mail, why) for mail in waiting if (why := self._untrue(mail))]:
            mails.drop(ledger, mail, now, f"not sent: {why}")

    def _untrue(self, mail: OperationRecord) -> str | None:
        meaning = mail.meaning
        if meaning["mail"] == MailKind.DIGEST:
            team = mail.incident_id
            mapping = next((one for one in self._context.mappings if of_team(one.team) == team), None)
            today = latest_moment(mapping, self._context.clock.now()) if mapping else None
            late = today is None or today.isoformat() != meaning["at"]
            return "its day is over, and a later digest says what is true then" if late else None
        if meaning["mail"] == MailKind.OPERATOR and meaning["topic"] == "alarm":
            known = [f"expires/{service}/{day}/" for service, day in self._context.expires.items()]
            return None if str(meaning["alarm"]).startswith(tuple(known)) else "it was renewed"
        if meaning["mail"] == MailKind.OPERATOR:
            lasts = any(_same(topic, meaning) for topic in self._matters())
            return None if lasts else "it is over"
        return None

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
            _to_operator(mailer.operator, topic, _moment(topic, context.ledger.instance))
            for topic in self._matters()
        ]
        if not letters:
            return False
        told = keys_on_record(context.ledger, [mail.key for mail in letters])
        untold = [mail for mail in letters if mail.key not in told]
        if untold:
            mails.add_mails(context.ledger, untold, context.clock.now())
        return bool(untold)

    def _matters(self) -> list[dict[str, JsonValue]]:
        """What the operator has to hear of now, each with since when."""
        matters: list[dict[str, JsonValue]] = []
        held = holds.mass_held(self._context.ledger)
        if held is not None and held["since"]:
            matters.append({"topic": "mass", "since": held["since"], "tickets": held["tickets"]})
        refused = set()
        for record in self._context.health.down():
            if record.cause is Cause.CREDENTIALS and record.name in _SIDES and record.down_since:
                refused.add(record.name)
                since = record.down_since.isoformat()
                matters.append({"topic": "credentials", "since": since, "service": record.name})
        for side in _SIDES:
            last = self._good.get(side, self._began)
            if side not in refused and self._context.clock.now() - last > STALLED:
                matters.append({"topic": "stalled", "since": last.isoformat(), "service": side})
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


def _moment(topic: dict[str, JsonValue], instance: str) -> str:
    return "/".join(
        str(part) for part in (instance, topic["topic"], topic.get("service", ""), topic["since"])
    )


def _same(one: dict[str, JsonValue], other: dict[str, JsonValue]) -> bool:
    return all(one.get(name) == other.get(name) for name in ("topic", "service", "since"))
