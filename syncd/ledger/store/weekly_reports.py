"""Weekly reports: the week that was last decided, and each report with its mails in one transaction."""

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
    """The latest week of an edition, and the week after which counting begins; both by name (`2026-W47`).

    `born` is when this ledger was made (UTC).
    """

    week: str
    base: str | None
    born: datetime


def decided(ledger: Transactions, edition: str) -> Decided:
    """Return the weeks on record for an edition (a team's name, or empty for the report over all teams)."""
    with ledger.read() as session:
        entry = get_cursor_in(session, _cursor(edition))
        born = session.connection().scalar(_BORN)
    base = entry.get("base")
    return Decided(str(entry.get("week", "")), str(base) if base else None, datetime.fromisoformat(str(born)))


_BORN = columns(col(MetaRow.value)).where(col(MetaRow.key) == "born")


def pass_over(ledger: Transactions, edition: str, week: str) -> None:
    """Store that an edition's week is not mailed; counting begins after it."""
    with ledger.write() as session:
        set_cursor_in(session, _cursor(edition), week=week, base=week)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A report that leaves: the stored run, its mails, and the version of the rules for them.

    `about` takes the place of the incident id for its mails in the outbox.
    """

    run: ReportRun
    about: str
    mails: tuple[Operation, ...]
    version: str


def store_report(
    ledger: Transactions, outgoing: Outgoing, base: str, passed: Sequence[str], now: datetime
) -> None:
    """Store an edition's report of its latest week with its mails, and drop older mails that wait.

    `passed` are the weeks whose report never left, which this report names. Counting begins after the week
    `base`.
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
    """Store a report that a person asks for, with its mails; return the keys of the mails.

    If a mail was dropped and certainly never left, its counterpart in `again`, with another key, is sent.
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
    # a mail of unknown outcome may have been sent: its key must keep it from a second send
    return not record_of(OperationRecord, row).typed(SendMail).unsure


def _cursor(edition: str) -> str:
    return f"report/{edition}"


@dataclass(frozen=True, slots=True)
class ReportRun:
    """A report as it was made (`ReportRunRow`); `team` None: the report over all teams."""

    team: str | None
    week: str
    begins: datetime
    ends: datetime
    made_at: datetime
    figures: dict[str, Any]
    rows: list[dict[str, Any]]
    sent_at: datetime | None = None


def keep_in(session: Session, run: ReportRun) -> ReportRun:
    """Store a report and return it; if the week's report is on record, return that one unchanged."""
    row = _row(session, run.team, run.week)
    # a week's figures are frozen with its first report
    if row is not None:
        return _run(row)
    values = {field.name: getattr(run, field.name) for field in fields(run)}
    session.add(ReportRunRow(**{**values, "team": run.team or ""}))
    return run


def report_run(ledger: Transactions, team: str | None, week: str) -> ReportRun | None:
    """Return the report of a team and week as it was made, None if there is none."""
    with ledger.read() as session:
        row = _row(session, team, week)
        return _run(row) if row else None


def report_runs(ledger: Transactions, since: datetime, until: datetime) -> list[ReportRun]:
    """Return the reports that were made of weeks within [since, until), oldest first."""
    query = select(ReportRunRow).where(col(ReportRunRow.begins) >= since, col(ReportRunRow.ends) <= until)
    with ledger.read() as session:
        return [_run(row) for row in session.exec(query.order_by(col(ReportRunRow.id))).all()]


def note_sent_in(session: Session, team: str | None, week: str, now: datetime) -> None:
    """Store when a report was sent; the first of several recipients counts."""
    row = _row(session, team, week)
    if row is not None and row.sent_at is None:
        row.sent_at = now
        session.add(row)


def last_sent(ledger: Transactions, team: str | None) -> str | None:
    """Return the latest week (`2026-W47`) whose report was sent, None if none was."""
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
