"""Duties and waivers in the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.domain.duty import Duty, DutyKind, DutyState, Waiver
from syncd.ledger.store import audit
from syncd.ledger.store.tables import DutyRow, WaiverRow

_OF_A_DUTY = (
    "state",
    "started_at",
    "due_at",
    "was_due_at",
    "reason",
    "remedy",
    "rule",
    "met_at",
    "met_by",
    "breached_at",
    "corrected",
    "rebuilt",
)


def duties_of(session: Session, incident_id: str) -> tuple[Duty, ...]:
    """The duties that arose from an incident, clocks in order."""
    return tuple(as_duty(row) for row in session.exec(_DUTIES, params={"incident": incident_id}).all())


_DUTIES = select(DutyRow).where(DutyRow.incident_id == bindparam("incident")).order_by(col(DutyRow.id))


def as_duty(row: DutyRow) -> Duty:
    """A duty's row as the rules see it."""
    data: dict[str, Any] = {name: getattr(row, name) for name in _OF_A_DUTY}
    return Duty(kind=DutyKind(row.kind), subject=row.subject, clock=row.clock, **data)


def _new_row(incident_id: str, duty: Duty) -> DutyRow:
    return DutyRow(
        incident_id=incident_id,
        kind=duty.kind,
        subject=duty.subject,
        clock=duty.clock,
        state=duty.state,
        started_at=duty.started_at,
        due_at=duty.due_at,
    )


def save_duties(session: Session, incident_id: str, duties: Iterable[Duty], now: datetime) -> list[Duty]:
    """Write the duties that stand otherwise than on record; return them."""
    duties, changed = list(duties), []
    rows = session.exec(_DUTIES, params={"incident": incident_id}).all() if duties else ()
    known = {(row.kind, row.subject, row.clock): row for row in rows}
    for duty in duties:
        row = known.get((duty.kind, duty.subject, duty.clock))
        if row is not None and as_duty(row) == duty:
            continue
        before = row.state if row else None
        if row is None:
            row = _new_row(incident_id, duty)
        for name in _OF_A_DUTY:
            setattr(row, name, getattr(duty, name))
        session.add(row)
        _audit(session, incident_id, duty, before, now)
        changed.append(duty)
    return changed


def _audit(session: Session, incident_id: str, duty: Duty, before: str | None, now: datetime) -> None:
    data: dict[str, JsonValue] = {
        "duty": duty.kind,
        "subject": duty.subject,
        "clock": duty.clock,
        "before": before,
        "started_at": duty.started_at.isoformat(),
        "due_at": duty.due_at.isoformat(),
        "rule": duty.rule,
        "reason": duty.reason,
    }
    if duty.met_at is not None:
        data["met_at"] = duty.met_at.isoformat()
    if duty.met_by is not None:
        data["by"] = audit.salted(session, duty.met_by)
    if duty.corrected is not None:
        data["corrected"] = audit.salted(session, duty.corrected)
    audit.append(session, now, f"duty.{DutyState(duty.state)}", incident=incident_id, data=data)


def waivers_of(session: Session, incident_id: str) -> tuple[Waiver, ...]:
    """The waivers of an incident, also those that are over."""
    return tuple(as_waiver(row) for row in session.exec(_WAIVERS, params={"incident": incident_id}).all())


_WAIVERS = select(WaiverRow).where(WaiverRow.incident_id == bindparam("incident")).order_by(col(WaiverRow.id))


def as_waiver(row: WaiverRow) -> Waiver:
    """A waiver's row as the rules see it."""
    return Waiver(
        duty=DutyKind(row.duty) if row.duty else None,
        subject=row.subject,
        until=row.until,
        reason=row.reason,
        by=row.by,
        at=row.at,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        source=row.source,
        rebuilt=row.rebuilt,
    )


def save_label_waivers(session: Session, incident_id: str, waivers: Iterable[Waiver], now: datetime) -> None:
    """Write the waivers that a label gave, and the end of those whose label went."""
    for waiver in waivers:
        query = select(WaiverRow).where(
            WaiverRow.incident_id == incident_id, WaiverRow.source == waiver.source, WaiverRow.at == waiver.at
        )
        row = session.exec(query).first()
        if row is not None and as_waiver(row) == waiver:
            continue
        kind = "waiver.given" if row is None else "waiver.ended"
        row = row or WaiverRow(incident_id=incident_id, **waiver.model_dump())
        row.ended_at = waiver.ended_at
        session.add(row)
        _audit_waiver(session, incident_id, waiver, kind, now)


def save_rebuilt(
    session: Session, incident_id: str, duties: Iterable[Duty], waivers: Iterable[Waiver], now: datetime
) -> None:
    """Write the duties and waivers that an earlier ledger left word of, where this one does not know them.

    A duty that is on record takes over that it was overdue, and stands as it was judged otherwise.
    """
    for duty in duties:
        query = select(DutyRow).where(DutyRow.incident_id == incident_id, DutyRow.kind == duty.kind)
        query = query.where(DutyRow.subject == duty.subject, DutyRow.clock == duty.clock)
        row = session.exec(query).first()
        if row is not None and row.breached_at is not None and (row.corrected or not duty.corrected):
            continue
        known = as_duty(row) if row is not None else duty
        update = {"breached_at": duty.breached_at, "corrected": duty.corrected, "rebuilt": True}
        row = row or _new_row(incident_id, duty)
        for name, value in known.model_copy(update=update):
            if name in _OF_A_DUTY:
                setattr(row, name, value)
        session.add(row)
        said: dict[str, JsonValue] = {
            "duty": duty.kind,
            "subject": duty.subject,
            "clock": duty.clock,
            "due_at": duty.due_at.isoformat(),
            "breached_at": duty.breached_at.isoformat() if duty.breached_at else None,
        }
        audit.append(session, now, "duty.rebuilt", incident=incident_id, data=said)
    known_waivers = {(one.duty, one.subject, one.at) for one in waivers_of(session, incident_id)}
    for waiver in waivers:
        if (waiver.duty, waiver.subject, waiver.at) in known_waivers:
            continue
        session.add(WaiverRow(incident_id=incident_id, **waiver.model_dump()))
        _audit_waiver(session, incident_id, waiver, "waiver.rebuilt", now)


def _audit_waiver(session: Session, incident_id: str, waiver: Waiver, kind: str, now: datetime) -> None:
    said: dict[str, JsonValue] = {
        "duty": waiver.duty,
        "until": waiver.end.isoformat(),
        "by": audit.salted(session, waiver.by),
        "why": audit.salted(session, waiver.reason),
    }
    audit.append(session, now, kind, incident=incident_id, data=said)
