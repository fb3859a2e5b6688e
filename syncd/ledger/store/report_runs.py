"""Weekly reports as they were made: their figures frozen with the rows behind them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.tables import ReportRunRow


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


def keep(ledger: Transactions, run: ReportRun) -> ReportRun:
    """Store a report as it is sent and return it; one that was kept before stays as it was."""
    with ledger.write() as session:
        return keep_in(session, run)


def keep_in(session: Session, run: ReportRun) -> ReportRun:
    """As `keep`, in the transaction that puts its mails into the outbox."""
    row = _row(session, run.team, run.week)
    if row is not None:
        return _run(row)
    session.add(
        ReportRunRow(
            team=run.team or "",
            week=run.week,
            begins=run.begins,
            ends=run.ends,
            made_at=run.made_at,
            figures=run.figures,
            rows=run.rows,
        )
    )
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
    return ReportRun(
        team=row.team or None,
        week=row.week,
        begins=row.begins,
        ends=row.ends,
        made_at=row.made_at,
        figures=dict(row.figures),
        rows=list(row.rows),
        sent_at=row.sent_at,
    )
