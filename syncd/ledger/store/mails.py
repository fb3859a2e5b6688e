"""Mails in the outbox that no incident's decision asks for (alarms, digests), and mails that are dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, literal, or_
from sqlmodel import Session, col

from syncd.domain.base import JsonValue, texts_by_name, texts_in
from syncd.domain.mail import KEYS, MailKind, address_print
from syncd.domain.operation import OPEN_STATES, Kind, Operation, OperationState, SendMail
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import audit, operation_states, outbox
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in
from syncd.ledger.store.loading import load, select_records
from syncd.ledger.store.lookups import open_operations_in
from syncd.ledger.store.tables import OperationRow

_ALARMS = "alarms"
_EVENTS = "alarm_events"


def mail_kind(record: OperationRecord) -> MailKind | None:
    """Return the kind of an operation's mail, None if the operation sends none."""
    return record.typed(SendMail).content.mail if record.kind == Kind.SEND_MAIL else None


def of_keys(ledger: Transactions, keys: Iterable[str]) -> list[OperationRecord]:
    """Return the latest operation with each of these keys that is on record, in the order of the keys."""
    with ledger.read() as session:
        return [
            operation
            for key in keys
            for operation in load(session, OperationRecord, _OF_KEY, {"this_key": key})
        ]


_OF_KEY = (
    select_records(OperationRecord)
    .where(col(OperationRow.key) == bindparam("this_key"))
    .order_by(col(OperationRow.id).desc())
    .limit(1)
)


def mails_since(ledger: Transactions, since: datetime) -> list[OperationRecord]:
    """Return the mails that were claimed after a moment (UTC)."""
    with ledger.read() as session:
        return load(session, OperationRecord, _MAILS, {"since": since})


_MAILS = (
    select_records(OperationRecord)
    .where(
        # a range over the index of keys: "0" is the character after the "/" that ends `KEYS`
        col(OperationRow.key) >= KEYS,
        col(OperationRow.key) < KEYS[:-1] + "0",
        col(OperationRow.claimed_at) > bindparam("since"),
    )
    .order_by(col(OperationRow.id))
)


def mails_to(ledger: Transactions, recipient: str, since: datetime) -> list[OperationRecord]:
    """Return the mails to a person that are open, or were claimed after a moment (UTC), oldest first."""
    with ledger.read() as session:
        where = {"whose": f"{KEYS}%/{address_print(recipient)}", "since": since}
        return load(session, OperationRecord, _TO, where)


_TO = (
    select_records(OperationRecord)
    .where(
        col(OperationRow.key) >= KEYS,
        col(OperationRow.key) < KEYS[:-1] + "0",
        col(OperationRow.key).like(bindparam("whose")),
        or_(
            col(OperationRow.state).in_([literal(str(state)) for state in OPEN_STATES]),
            col(OperationRow.claimed_at) > bindparam("since"),
        ),
    )
    .order_by(col(OperationRow.id))
)


def drop(ledger: Transactions, operation: OperationRecord, now: datetime, why: str) -> None:
    """Drop a waiting operation; raise `OperationMoved` if it left the state in which it was read."""
    with ledger.write() as session:
        operation_states.finish(session, operation, OperationState.DROPPED, now, why=why)


@dataclass(frozen=True, slots=True)
class Told:
    """An alarm that the operator is told of, with its mails."""

    kind: str
    key: str
    mails: tuple[Operation, ...] = ()


def told_alarms(ledger: Transactions) -> list[str]:
    """Return the keys of the alarms that the operator was told of."""
    with ledger.read() as session:
        keys = get_cursor_in(session, _ALARMS).get("told")
    return texts_in(keys)


def tell_alarms(ledger: Transactions, alarms: Sequence[Told], told: Sequence[str], now: datetime) -> None:
    """Record alarms with their mails; `told` are all keys to remember from now on."""
    with ledger.write() as session:
        set_cursor_in(session, _ALARMS, told=[*told])
        for alarm in alarms:
            audit.append(session, now, "alarm", data={"kind": alarm.kind, "key": alarm.key})
            outbox.add(session, alarm.mails, now)


def open_events(ledger: Transactions) -> dict[str, str]:
    """Return the causes of alarms that PagerDuty counts as open, each with the key that it heard last."""
    with ledger.read() as session:
        causes = get_cursor_in(session, _EVENTS).get("open")
    return texts_by_name(causes)


def store_events(ledger: Transactions, causes: Mapping[str, str], cause: str, now: datetime) -> None:
    """Record that PagerDuty took an event about `cause`; `causes` are those that it counts as open now."""
    with ledger.write() as session:
        set_cursor_in(session, _EVENTS, open={**causes})
        action = "trigger" if cause in causes else "resolve"
        audit.append(session, now, "alarm.event", data={"cause": cause, "action": action})


def digest_day(ledger: Transactions, team: str) -> str | None:
    """Return the day of a team's last digest (ISO 8601), None if there was none."""
    with ledger.read_one() as session:
        day = get_cursor_in(session, _digest(team)).get("day")
    return str(day) if day else None


@dataclass(frozen=True, slots=True)
class Digest:
    """A team's digest of a day: its mails, the version of its rules, and the days before it without one."""

    team: str
    day: str
    mails: tuple[Operation, ...]
    version: str
    missed: tuple[str, ...] = ()


def store_digest(ledger: Transactions, digest: Digest, now: datetime) -> None:
    """Store a digest's mails in the outbox, and record the missed days as not sent."""
    with ledger.write() as session:
        set_cursor_in(session, _digest(digest.team), day=digest.day)
        if digest.missed:
            data: dict[str, JsonValue] = {
                "team": digest.team,
                "days": [*digest.missed],
                "why": "the daemon was away or held, and only the latest digest goes out",
            }
            audit.append(session, now, "digest.not_sent", data=data)
        outbox.add(session, digest.mails, now, digest.version)


def _digest(team: str) -> str:
    return f"digest.{team}"


def drop_waiting_in(
    session: Session, about: str, mail: str, states: Sequence[OperationState], now: datetime, why: str
) -> None:
    """Drop the mails of a kind that are in these states and certainly never left."""
    for record in open_operations_in(session, about):
        # a mail of unknown outcome may have been sent, so it is not dropped as unsent
        if record.state in states and mail_kind(record) == mail and not record.typed(SendMail).unsure:
            operation_states.finish(session, record, OperationState.DROPPED, now, why=why)
