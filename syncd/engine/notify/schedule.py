"""Mails that concern no single incident: when a digest is due, what the operator has to hear.

What is due is derived from the ledger again each time, so that a crash forgets nothing and says nothing
twice. Of digests that were missed only the latest goes out, on its own day; the days passed over are on
record as not sent.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from loguru import logger
from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.domain.mail import OPERATOR, MailKind, mail_key, of_team
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import Kind, Operation, OperationState
from syncd.engine.context import Desk
from syncd.engine.notify.digests import digest_moment, latest_moment, recipients
from syncd.engine.notify.mail_history import NOT_SENT, UNSURE
from syncd.engine.notify.operator import WHY
from syncd.ledger.store import audit, holds, outbox
from syncd.ledger.store.key_values import get_cursor, set_cursor
from syncd.ledger.store.tables import OperationRow
from syncd.policy.notify.operator_alarms import EXPIRES, Alarm
from syncd.remote.errors import Cause

EVERY = 10.0
"""Seconds between two looks for what is due."""
STALLED = timedelta(minutes=15)
"""So long without a good cycle of a side, the operator is told."""
_SIDES = ("pagerduty", "jira")


def enqueue(
    session: Session,
    now: datetime,
    *,
    kind: MailKind,
    about: str,
    moment: str,
    recipient: str,
    reason: str,
    why: str,
    meaning: dict[str, JsonValue] | None = None,
    version: str = "",
) -> str:
    """Put one mail to one person into the outbox and return its key; one that is on record is left.

    `about` is `of_team(NAME)` or `OPERATOR`, `moment` tells it from others of its kind and comes from the
    rule alone (`2026-W47`). `meaning["moment"]` (ISO 8601) is when the rule asked for it: what lies before a
    restore of the ledger is not sent. After the transaction, submit `about` to the dispatcher.
    """
    key = mail_key(kind, about, moment, recipient)
    op = Operation(
        key=key,
        kind=Kind.SEND_MAIL,
        incident=about,
        object=f"mail:{about}",
        meaning={"mail": kind, "to": recipient, "why": why, **(meaning or {})},
        reason=reason,
    )
    outbox.add(session, [op], now, version)
    return key


class PostOffice:
    """Looks what is due; `good` are the moments of the last good read of each side."""

    def __init__(self, desk: Desk, good: dict[str, datetime]) -> None:
        self._desk = desk
        self._good = good
        self._began = desk.clock.now()
        self._looked: float | None = None

    def due(self, *, at_once: bool = False) -> list[str]:
        """Put what is due into the outbox; return under which ids it stands there."""
        clock = self._desk.clock
        if not at_once and self._looked is not None and clock.boottime() - self._looked < EVERY:
            return []
        self._looked = clock.boottime()
        found = [of_team(one.team) for one in self._desk.mappings if self._digest(one)]
        return [*found, *([OPERATOR] if self._tell_operator() else [])]

    def tell_alarm(self, session: Session, alarm: Alarm) -> None:
        """Mail an alarm to the operator, in the transaction that puts it on record; then submit `OPERATOR`.

        That a service refuses us or was not read is told from what is so now (`due`), and not once more.
        """
        post = self._desk.post
        if post is None or post.operator is None or alarm.kind != EXPIRES:
            return
        now = self._desk.clock.now()
        matter: dict[str, JsonValue] = {"matter": "alarm", "since": now.isoformat(), "text": alarm.text}
        self._enqueue(session, {**matter, "alarm": alarm.key}, post.operator, alarm.key)

    def refused_at_the_start(self, service: str) -> bool:
        """A service refuses our credentials before anything has begun: whether a mail has to leave.

        One a day, however often the daemon is started.
        """
        post, now = self._desk.post, self._desk.clock.now()
        if post is None or post.operator is None:
            return False
        moment = f"start/{service}/{now.date().isoformat()}"
        with self._desk.ledger.db.write() as session:
            if outbox.on_record(session, mail_key(MailKind.OPERATOR, OPERATOR, moment, post.operator)):
                return False
            matter: dict[str, JsonValue] = {"matter": "start", "since": now.isoformat(), "service": service}
            self._enqueue(session, matter, post.operator, moment)
        return True

    def _enqueue(self, session: Session, matter: dict[str, JsonValue], to: str, moment: str) -> None:
        enqueue(
            session,
            self._desk.clock.now(),
            kind=MailKind.OPERATOR,
            about=OPERATOR,
            moment=moment,
            recipient=to,
            reason=f"the operator has to hear of it: {matter['matter']}",
            why=WHY,
            meaning={**matter, "moment": matter["since"]},
        )

    def drop_untrue(self, ident: str) -> None:
        """End the mails that wait under this id and are not true any more."""
        now = self._desk.clock.now()
        with self._desk.ledger.db.read() as session:
            waiting = [
                row
                for row in outbox.open_of(session, ident)
                if row.state in NOT_SENT and not row.meaning.get(UNSURE)
            ]
            gone = [(row, why) for row in waiting if (why := self._untrue(session, row))]
        for row, why in gone:
            with self._desk.ledger.db.write() as session:
                session.add(row)
                outbox.finish(session, row, OperationState.DROPPED, now, why=f"not sent: {why}")

    def _untrue(self, session: Session, row: OperationRow) -> str | None:
        meaning = row.meaning
        if meaning["mail"] == MailKind.DIGEST:
            mapping = next((one for one in self._desk.mappings if of_team(one.team) == row.incident_id), None)
            today = latest_moment(mapping, self._desk.clock.now()) if mapping else None
            late = today is None or today.isoformat() != meaning["at"]
            return "its day is over, and a later digest says what is true then" if late else None
        if meaning["mail"] == MailKind.OPERATOR and meaning["matter"] == "alarm":
            known = [f"expires/{service}/{day}/" for service, day in self._desk.expires.items()]
            return None if str(meaning["alarm"]).startswith(tuple(known)) else "it was renewed"
        if meaning["mail"] == MailKind.OPERATOR:
            said = [one for one in self._matters(session) if _same(one, meaning)]
            return None if said else "it is over"
        return None

    def _digest(self, mapping: Mapping) -> bool:
        """Decide today's digest once; whether it has mails."""
        desk, now = self._desk, self._desk.clock.now()
        moment = latest_moment(mapping, now)
        if mapping.mails.mode is not Mode.ENFORCE or moment is None or desk.skewed():
            return False
        name, day = f"digest.{mapping.team}", moment.astimezone(ZoneInfo(mapping.zone)).date()
        with desk.ledger.db.read() as session:
            known = get_cursor(session, name).get("day")
            if known == day.isoformat():
                return False
            people = recipients(session, desk, mapping, moment)
        with desk.ledger.db.write() as session:
            set_cursor(session, name, day=day.isoformat())
            self._say_missed(session, mapping, str(known) if known else None, day)
            for address in people:
                enqueue(
                    session,
                    now,
                    kind=MailKind.DIGEST,
                    about=of_team(mapping.team),
                    moment=day.isoformat(),
                    recipient=address,
                    reason=f"the digest of {day.isoformat()}",
                    why="these are yours",
                    meaning={"at": moment.isoformat(), "moment": moment.isoformat()},
                    version=mapping.version,
                )
        return bool(people)

    def _say_missed(self, session: Session, mapping: Mapping, known: str | None, day: date) -> None:
        """The working days between the last digest and this one, on record as not sent."""
        if known is None:
            return
        last, missed = date.fromisoformat(known), []
        between = last + timedelta(days=1)
        while between < day:
            if digest_moment(mapping, between) is not None:
                missed.append(between.isoformat())
            between += timedelta(days=1)
        if missed:
            data: dict[str, JsonValue] = {
                "team": mapping.team,
                "days": [*missed],
                "why": "the daemon was away or held, and only the latest digest goes out",
            }
            audit.append(session, self._desk.clock.now(), "digest.not_sent", data=data)
            logger.warning("digests of {} for {} were missed: not sent", mapping.team, ", ".join(missed))

    def _tell_operator(self) -> bool:
        desk = self._desk
        post = desk.post
        if post is None or post.operator is None:
            return False
        with desk.ledger.db.read() as session:
            matters = [one for one in self._matters(session) if not self._told(session, one, post.operator)]
        if not matters:
            return False
        with desk.ledger.db.write() as session:
            for matter in matters:
                self._enqueue(session, matter, post.operator, _moment(matter, desk.ledger.instance))
        return True

    def _told(self, session: Session, matter: dict[str, JsonValue], to: str) -> bool:
        moment = _moment(matter, self._desk.ledger.instance)
        return outbox.on_record(session, mail_key(MailKind.OPERATOR, OPERATOR, moment, to))

    def _matters(self, session: Session) -> list[dict[str, JsonValue]]:
        """What the operator has to hear of now, each with since when."""
        found: list[dict[str, JsonValue]] = []
        held = holds.mass_data(session)
        if held is not None and held["since"]:
            found.append({"matter": "mass", "since": held["since"], "tickets": held["tickets"]})
        refused = set()
        for record in self._desk.health.down():
            if record.cause is Cause.CREDENTIALS and record.name in _SIDES and record.down_since:
                refused.add(record.name)
                since = record.down_since.isoformat()
                found.append({"matter": "credentials", "since": since, "service": record.name})
        for side in _SIDES:
            last = self._good.get(side, self._began)
            if side not in refused and self._desk.clock.now() - last > STALLED:
                found.append({"matter": "stalled", "since": last.isoformat(), "service": side})
        return found


def _moment(matter: dict[str, JsonValue], instance: str) -> str:
    return "/".join(
        str(part) for part in (instance, matter["matter"], matter.get("service", ""), matter["since"])
    )


def _same(one: dict[str, JsonValue], other: dict[str, JsonValue]) -> bool:
    return all(one.get(name) == other.get(name) for name in ("matter", "service", "since"))
