"""Postmortems, action items, duties and waivers in the ledger: stored with what they were read from.

A duty's row is written where it stands otherwise than before, each time with an audit event that says since
when, until when and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from syncd.domain.base import JsonValue, Reference
from syncd.domain.duty import Duty, DutyKind, DutyState, Waiver
from syncd.domain.history import Change, Spell
from syncd.domain.incident import LogEntry
from syncd.domain.ticket import Issue
from syncd.ledger import audit
from syncd.ledger.tables import ActionItemRow, DutyRow, IncidentRow, PostmortemRow, WaiverRow
from syncd.policy.case import PostmortemState

PaperRow = PostmortemRow | ActionItemRow

GENERATIONS = 5
"""Merges of merges that are followed."""

_OF_A_DUTY = (
    "state",
    "started_at",
    "due_at",
    "was_due_at",
    "reason",
    "way_out",
    "rule",
    "met_at",
    "met_by",
    "breached_at",
    "corrected",
    "rebuilt",
)


def papers_by_issue(session: Session, issue_ids: Iterable[str]) -> dict[str, PaperRow]:
    """Which of these issues are postmortems or action items, by issue id."""
    ids = list(issue_ids)
    found: dict[str, PaperRow] = {}
    for row in session.exec(_POSTMORTEMS_BY_ISSUE, params={"issues": ids}).all():
        found[row.issue_id] = row
    for item in session.exec(_ITEMS_BY_ISSUE, params={"issues": ids}).all():
        found[item.issue_id] = item
    return found


_ISSUES: BindParameter[list[str]] = bindparam("issues", expanding=True)
_POSTMORTEMS_BY_ISSUE = select(PostmortemRow).where(col(PostmortemRow.issue_id).in_(_ISSUES))
_ITEMS_BY_ISSUE = select(ActionItemRow).where(col(ActionItemRow.issue_id).in_(_ISSUES))


def items_of(session: Session, incident_id: str) -> list[ActionItemRow]:
    """The action items of an incident, in the order in which they were first seen."""
    return list(session.exec(_ITEMS, params={"incident": incident_id}).all())


_ITEMS = (
    select(ActionItemRow)
    .where(ActionItemRow.incident_id == bindparam("incident"))
    .order_by(col(ActionItemRow.first_seen_at))
)


def postmortem_state(row: PostmortemRow) -> PostmortemState:
    """A postmortem's row as the rules see it."""
    return PostmortemState(
        issue_id=row.issue_id,
        key=row.key,
        origin=row.origin,
        agreed=row.agreed,
        issue=Issue.model_validate(row.snapshot) if row.snapshot else None,
        changes=tuple(Change.model_validate(one) for one in row.changes),
        changes_until=row.changes_until,
        follow_ups=tuple(row.follow_ups),
        follow_ups_since=row.follow_ups_since,
        gone_since=row.out_of_sight_since,
        created_at=row.created_at,
    )


def save_changes(row: PaperRow, changes: Iterable[Change], until: datetime) -> None:
    """Keep what an issue's changelog says, which is complete up to `until`."""
    row.changes = [one.model_dump(mode="json") for one in changes]
    row.changes_until = until


def save_log(row: IncidentRow, entries: Iterable[LogEntry], moment: int) -> None:
    """Keep an incident's log; of a restricted one only what happened when, without words."""
    if moment <= row.log_moment:
        return
    entries = list(entries)
    row.log = [_entry(one, row.restricted) for one in entries]
    row.log_moment = moment
    for entry in entries:
        note_acknowledged(row, entry)


def note_acknowledged(row: IncidentRow, entry: LogEntry) -> None:
    """Keep when an incident was first acknowledged: the time to acknowledge ends there."""
    if entry.kind == "acknowledge" and (row.acknowledged_at is None or entry.at < row.acknowledged_at):
        row.acknowledged_at = entry.at


def _entry(entry: LogEntry, restricted: bool) -> dict[str, Any]:
    kept: dict[str, Any] = {"id": entry.id, "kind": entry.kind, "at": entry.at.isoformat()}
    if entry.agent is not None:
        kept["agent"] = entry.agent.name
        kept["agent_id"] = entry.agent.id
        kept["person"] = entry.by_person
    if not restricted:
        kept["summary"] = entry.summary
    return kept


def log_of(row: IncidentRow) -> tuple[LogEntry, ...]:
    """An incident's log as it is kept, oldest first; empty where it was never read."""
    return tuple(
        LogEntry(
            id=one["id"],
            kind=one["kind"],
            at=one["at"],
            incident_id=row.id,
            agent=Reference(id=one["agent_id"], name=one["agent"]) if one.get("agent_id") else None,
            by_person=one.get("person", False),
            summary=one.get("summary", ""),
        )
        for one in row.log or ()
    )


def add_spell(row: IncidentRow, severity: str, since: datetime) -> None:
    """The incident has another severity since then."""
    if not row.spells or row.spells[-1]["severity"] != severity:
        row.spells = [*row.spells, Spell(severity=severity, since=since).model_dump(mode="json")]


def absorbed_rows(session: Session, incident_id: str) -> list[IncidentRow]:
    """What was merged into an incident, then what was merged into that, and so on."""
    found: list[IncidentRow] = []
    seen, fresh = {incident_id}, [incident_id]
    for _ in range(GENERATIONS):
        query = select(IncidentRow).where(col(IncidentRow.merged_into).in_(fresh))
        rows = session.exec(query.order_by(col(IncidentRow.created_at))).all()
        sources = [one for one in rows if one.id not in seen]
        if not sources:
            break
        found += sources
        fresh = [one.id for one in sources]
        seen.update(fresh)
    return found


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
        _say(session, incident_id, duty, before, now)
        changed.append(duty)
    return changed


def _say(session: Session, incident_id: str, duty: Duty, before: str | None, now: datetime) -> None:
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
        _say_waiver(session, incident_id, waiver, kind, now)


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
        _say_waiver(session, incident_id, waiver, "waiver.rebuilt", now)


def _say_waiver(session: Session, incident_id: str, waiver: Waiver, kind: str, now: datetime) -> None:
    said: dict[str, JsonValue] = {
        "duty": waiver.duty,
        "until": waiver.end.isoformat(),
        "by": audit.salted(session, waiver.by),
        "why": audit.salted(session, waiver.reason),
    }
    audit.append(session, now, kind, incident=incident_id, data=said)


def next_due(session: Session, after: datetime) -> datetime | None:
    """The next moment at which the passing of time alone asks for a decision on any incident."""
    query = select(func.min(IncidentRow.due_at)).where(col(IncidentRow.due_at) > after)
    return session.exec(query).first()


def due_incidents(session: Session, now: datetime, limit: int = 200) -> Sequence[str]:
    """Claimed incidents for which the passing of time alone asks for another decision by now."""
    return session.connection().scalars(_DUE, {"now": now, "most": limit}).all()


_DUE = (
    columns(col(IncidentRow.id))
    .where(col(IncidentRow.due_at) <= bindparam("now"))
    .order_by(col(IncidentRow.due_at))
    .limit(bindparam("most"))
)
