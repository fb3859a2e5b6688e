"""Weekly reports: which week was decided, each report kept in one transaction with its mails, its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from syncd.domain.base import JsonValue
from syncd.domain.mail import MailKind
from syncd.domain.operation import Operation, OperationState, SendMail
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import audit, outbox
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.mails import drop_waiting_in
from syncd.ledger.store.tables import MetaRow, ReportRunRow

_OPEN = (OperationState.PENDING, OperationState.HELD)


@dataclass(frozen=True, slots=True)
class Decided:
    """What is on record of an edition: its latest week and the week that counting begins after (by name).

    `born` is when this ledger was made (UTC).
    """

    week: str
    base: str | None
    born: datetime


def decided(ledger: Transactions, edition: str) -> Decided:
    """Return what is on record of an edition (a team, or empty for the one over all)."""
    with ledger.read() as session:
        known = get_cursor_in(session, _cursor(edition))
        born = session.connection().scalar(_BORN)
    base = known.get("base")
    return Decided(str(known.get("week", "")), str(base) if base else None, datetime.fromisoformat(str(born)))


_BORN = columns(col(MetaRow.value)).where(col(MetaRow.key) == "born")


def pass_over(ledger: Transactions, edition: str, week: str) -> None:
    """Note that an edition's week is not mailed; counting begins after it."""
    with ledger.write() as session:
        set_cursor_in(session, _cursor(edition), week=week, base=week)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A report that leaves: as it is kept, its mails and the version of the rules they are sent by.

    `about` is under which id its mails stand in the outbox.
    """

    run: ReportRun
    about: str
    mails: tuple[Operation, ...]
    version: str


def store_report(
    ledger: Transactions, outgoing: Outgoing, base: str, passed: Sequence[str], now: datetime
) -> None:
    """Keep an edition's report of its latest week, with its mails; what is older and waits is dropped.

    `passed` are the weeks whose report never left, which this one names; `base` is the week that counting
    begins after.
    """
    run = outgoing.run
    with ledger.write() as session:
        set_cursor_in(session, _cursor(run.team or ""), week=run.week, base=base)
        why = "not sent: the report of a later week leaves, and names this one"
        drop_waiting_in(session, outgoing.about, MailKind.WEEKLY_REPORT, _OPEN, now, why)
        if passed:
            data: dict[str, JsonValue] = {"team": run.team, "weeks": [*passed], "named_in": run.week}
            audit.append(session, now, "report.not_sent", data=data)
        keep_in(session, run)
        outbox.add(session, outgoing.mails, now, outgoing.version)


def store_asked_report(
    ledger: Transactions, outgoing: Outgoing, again: Sequence[Operation], now: datetime
) -> list[str]:
    """Keep a report that a person asks for, with its mails; return the keys of the mails.

    A mail that was dropped and certainly did not leave is replaced by the one of `again` in its place.
    """
    keys = []
    with ledger.write() as session:
        keep_in(session, outgoing.run)
        for mail, other in zip(outgoing.mails, again, strict=True):
            chosen = other if _was_dropped(session, mail.key) else mail
            outbox.add(session, [chosen], now, outgoing.version)
            keys.append(chosen.key)
    return keys


def _was_dropped(session: Session, key: str) -> bool:
    row = outbox.of_key(session, key)
    if row is None or row.state != OperationState.DROPPED:
        return False
    return not record_of(OperationRecord, row).typed(SendMail).unsure


def _cursor(edition: str) -> str:
    return f"report/{edition}"


@dataclass(frozen=True, slots=True)
class ReportRun:
    """A report as it was made (`ReportRunRow`); `team` None: over all teams."""

    team: str | None
    week: str
    begins: datetime
    ends: datetime
    made_at: datetime
    figures: dict[str, Any]
    rows: list[dict[str, Any]]
    sent_at: datetime | None = None


def keep_in(session: Session, run: ReportRun) -> ReportRun:
    """Store a report as it is sent and return it; one that was kept before stays as it was."""
    row = _row(session, run.team, run.week)
    if row is not None:
        return _run(row)
    values = {field.name: getattr(run, field.name) for field in fields(run)}
    session.add(ReportRunRow(**{**values, "team": run.team or ""}))
    return run


def report_run(ledger: Transactions, team: str | None, week: str) -> ReportRun | None:
    """Return the report of a team and week as it was made, None where it never was."""
    with ledger.read() as session:
        row = _row(session, team, week)
        return _run(row) if row else None


def note_sent_in(session: Session, team: str | None, week: str, now: datetime) -> None:
    """Note with the figures that they were sent; the first of several recipients counts."""
    row = _row(session, team, week)
    if row is not None and row.sent_at is None:
        row.sent_at = now
        session.add(row)


def last_sent(ledger: Transactions, team: str | None) -> str | None:
    """Return the latest week whose report left, by its name; None: none ever did."""
    query = select(func.max(ReportRunRow.week)).where(
        ReportRunRow.team == (team or ""), col(ReportRunRow.sent_at).is_not(None)
    )
    with ledger.read() as session:
        return session.exec(query).one()


def _row(session: Session, team: str | None, week: str) -> ReportRunRow | None:
    query = select(ReportRunRow).where(ReportRunRow.team == (team or ""), ReportRunRow.week == week)
    return session.exec(query).first()


def _run(row: ReportRunRow) -> ReportRun:
    return replace(record_of(ReportRun, row), team=row.team or None)
