"""The decisions of people about duties, for a report: waivers, corrections, and closes against the gate.

The audit trail holds people's names and reasons only as hashes, so these facts come from the tables that
syncd can empty when it forgets a person. A fact about a restricted incident carries that flag.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_
from sqlmodel import Session, col, select

from syncd.domain.duty import AFTER_A_WAIVER, Waiver
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.functions import is_json_list
from syncd.ledger.store import audit
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.postmortems import waivers_of
from syncd.ledger.store.tables import (
    ActionItemRow,
    AuditEventRow,
    DutyRow,
    IncidentRow,
    PostmortemRow,
    TicketRow,
    WaiverRow,
)
from syncd.ledger.views.report_facts import of_team, of_team_or_recurring
from syncd.policy.duty_words import SEEN_AGAIN, nth_of
from syncd.policy.ticket.close_gate import OVERRIDES


@dataclass(frozen=True, slots=True)
class About:
    """The incident and the issue that a decision is about; `key` is None where no issue is known.

    Of a recurring duty `incident` is its ident, and `number` is None.
    """

    incident: str
    number: int | None
    team: str
    severity: str
    restricted: bool
    key: str | None


@dataclass(frozen=True, slots=True)
class WaiverFact:
    """A waiver; `nth` counts the waivers of the same duty from 1."""

    about: About
    waiver: Waiver
    nth: int


@dataclass(frozen=True, slots=True)
class TakenBackFact:
    """A breach that was taken back: by an approver, or by syncd when it saw an issue again (`itself`)."""

    about: About
    duty: str
    clock: int
    due_at: datetime
    at: datetime
    reason: str
    by: str | None = None
    claimed_met_at: datetime | None = None
    itself: bool = False


@dataclass(frozen=True, slots=True)
class OverrideFact:
    """A close of a ticket against the gate: by whom, when, and what was missing."""

    about: About
    by: str
    at: datetime
    missing: str


def waivers(
    ledger: Transactions, since: datetime, until: datetime, team: str | None
) -> tuple[WaiverFact, ...]:
    """Return the waivers that were in force in [since, until), or that moved a deadline into that time."""
    ends = func.coalesce(col(WaiverRow.ended_at), col(WaiverRow.until))
    query = (
        select(WaiverRow, IncidentRow)
        .join(IncidentRow, col(IncidentRow.id) == col(WaiverRow.incident_id), isouter=True)
        .join(ActionItemRow, col(ActionItemRow.issue_id) == col(WaiverRow.subject), isouter=True)
        .where(of_team_or_recurring(team), col(WaiverRow.at) < until, ends >= since - AFTER_A_WAIVER)
        .order_by(col(WaiverRow.at), col(WaiverRow.id))
    )
    with ledger.read() as session:
        return tuple(
            _waiver(session, record_of(Waiver, row), incident, row.incident_id)
            for row, incident in session.exec(query).all()
        )


def _waiver(session: Session, waiver: Waiver, incident: IncidentRow | None, ident: str) -> WaiverFact:
    nth = nth_of(waiver, waivers_of(session, ident))
    return WaiverFact(_about(session, incident, waiver.subject), waiver, nth)


def taken_back(
    ledger: Transactions, since: datetime, until: datetime, team: str | None
) -> tuple[TakenBackFact, ...]:
    """Return the breaches taken back in [since, until), and those of duties with a deadline in that time."""
    within = or_(
        and_(col(DutyRow.corrected_at) >= since, col(DutyRow.corrected_at) < until),
        and_(col(DutyRow.due_at) >= since, col(DutyRow.due_at) < until),
    )
    query = (
        select(DutyRow, IncidentRow)
        .join(IncidentRow, col(IncidentRow.id) == col(DutyRow.incident_id), isouter=True)
        .join(ActionItemRow, col(ActionItemRow.issue_id) == col(DutyRow.subject), isouter=True)
        .where(of_team_or_recurring(team), col(DutyRow.corrected).is_not(None), within)
        .order_by(col(DutyRow.corrected_at), col(DutyRow.id))
    )
    with ledger.read() as session:
        corrected = [
            TakenBackFact(
                about=_about(session, incident, row.subject),
                duty=row.kind,
                clock=row.clock,
                due_at=row.due_at,
                at=row.corrected_at or row.due_at,
                reason=row.corrected or "",
                by=row.corrected_by,
                claimed_met_at=row.claimed_met_at,
            )
            for row, incident in session.exec(query).all()
        ]
        return (*corrected, *_seen_again(session, since, until, team))


def _seen_again(
    session: Session, since: datetime, until: datetime, team: str | None
) -> Iterator[TakenBackFact]:
    """Yield the breaches that syncd took back in [since, until), because it saw an issue again."""
    query = (
        select(AuditEventRow, IncidentRow)
        .join(IncidentRow, col(IncidentRow.id) == col(AuditEventRow.incident_id), isouter=True)
        .join(ActionItemRow, _OF_RECURRING, isouter=True)
        .where(
            of_team_or_recurring(team),
            col(AuditEventRow.at) >= since,
            col(AuditEventRow.at) < until,
            col(AuditEventRow.kind).like("duty.%"),
            col(AuditEventRow.text).contains('"before":"breached"'),
            col(AuditEventRow.text).contains(SEEN_AGAIN),
        )
        .order_by(col(AuditEventRow.seq))
    )
    for event, incident in session.exec(query).all():
        data: dict[str, Any] = audit.event_data(event.seq, event.text)
        yield TakenBackFact(
            about=_about(session, incident, data["subject"]),
            duty=data["duty"],
            clock=data["clock"],
            due_at=datetime.fromisoformat(data["due_at"]),
            at=event.at,
            reason=SEEN_AGAIN,
            itself=True,
        )


def overrides(
    ledger: Transactions, since: datetime, until: datetime, team: str | None
) -> tuple[OverrideFact, ...]:
    """Return the closes against the gate that syncd put on record in [since, until)."""
    query = (
        select(TicketRow, IncidentRow)
        .join(IncidentRow, col(IncidentRow.id) == col(TicketRow.incident_id))
        .where(of_team(team), is_json_list(col(TicketRow.agreed), OVERRIDES))
        .order_by(col(IncidentRow.number))
    )
    facts = []
    with ledger.read() as session:
        for ticket, incident in session.exec(query).all():
            for entry in ticket.agreed[OVERRIDES]:
                at = datetime.fromisoformat(entry["at"])
                recorded = datetime.fromisoformat(entry["recorded_at"])
                if since <= recorded < until:
                    about = _about(session, incident, None, ticket.key)
                    facts.append(OverrideFact(about, entry["by"], at, entry["missing"]))
    return tuple(facts)


_OF_RECURRING = and_(
    col(ActionItemRow.incident_id) == col(AuditEventRow.incident_id), col(ActionItemRow.team).is_not(None)
)


def _about(
    session: Session, incident: IncidentRow | None, subject: str | None, key: str | None = None
) -> About:
    """Return what a decision is about; `subject` is an action item's issue id, else the postmortem counts.

    Without an incident, it is the issue of a recurring duty.
    """
    if incident is None:
        recurring = session.get_one(ActionItemRow, subject)
        return About(recurring.incident_id, None, recurring.team or "", "", False, recurring.key)
    item = session.get(ActionItemRow, subject) if subject and subject != incident.id else None
    postmortem = session.get(PostmortemRow, incident.id)
    issue = item or postmortem
    return About(
        incident=incident.id,
        number=incident.number,
        team=incident.team or "",
        severity=incident.severity or "unknown",
        restricted=incident.restricted,
        key=key or (issue.key if issue is not None else None),
    )
