"""Waivers and corrections as somebody asks for them: checked against the ledger, kept with their reason.

A waiver lasts 30 days at most and is never given by who owes the duty; a correction takes a breach back by
a second event, and both stay on record (rules: "The postmortem", Waivers).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from syncd.domain.clock import Clock, in_utc
from syncd.domain.duty import RUNNING, STATE_WORDS, DutyKind, DutyState
from syncd.ledger.store import audit
from syncd.ledger.store.lookups import find_incident_in
from syncd.ledger.store.tables import (
    ActionItemRow,
    DutyRow,
    IncidentRow,
    PostmortemRow,
    RequestRow,
    WaiverRow,
)

LONGEST = timedelta(days=30)


@dataclass(frozen=True)
class Place:
    """What somebody spoke of: an incident, or an action item of it."""

    incident: IncidentRow
    item: ActionItemRow | None = None

    @property
    def words(self) -> str:
        """How people call it."""
        return self.item.key if self.item else f"incident #{self.incident.number}"


class Refused(Exception):
    """What was asked for cannot be; the text says why and what to do."""


def waive(session: Session, request: RequestRow, clock: Clock) -> Result:
    """Let a duty, or both of a postmortem, rest until a moment."""
    return _answered(_waive, session, request, clock)


def unwaive(session: Session, request: RequestRow, clock: Clock) -> Result:
    """End the waivers that still run."""
    return _answered(_unwaive, session, request, clock)


def correct(session: Session, request: RequestRow, clock: Clock) -> Result:
    """Take a wrong breach back; both events stay."""
    return _answered(_correct, session, request, clock)


def _answered(act: Any, session: Session, request: RequestRow, clock: Clock) -> Result:
    try:
        place = _place(session, str(request.arguments["of"]))
        line = act(session, request.arguments, place, clock.now())
    except Refused as error:
        return {"lines": [str(error)], "incidents": [], "failed": True}
    return {"lines": [line], "incidents": [place.incident.id], "failed": False}


def _place(session: Session, wanted: str) -> Place:
    item = session.exec(select(ActionItemRow).where(ActionItemRow.key == wanted.upper())).first()
    postmortem = session.exec(select(PostmortemRow).where(PostmortemRow.key == wanted.upper())).first()
    known = item or postmortem
    incident = session.get(IncidentRow, known.incident_id) if known else find_incident_in(session, wanted)
    if incident is None:
        raise Refused(
            f"{wanted} is no incident, number, ticket, postmortem or action item in this ledger;"
            " see: syncd status --all"
        )
    return Place(incident, item)


def _last_day(end: datetime) -> date:
    """The last day (UTC) that is over by `end`."""
    return (end - timedelta(days=1)).date()


def _waive(session: Session, arguments: dict[str, Any], place: Place, now: datetime) -> str:
    until = datetime.fromisoformat(str(arguments["until"]))
    who, reason = str(arguments["by"]), str(arguments["reason"])
    if until <= now:
        raise Refused(f"{_last_day(until):%Y-%m-%d} is over (UTC); name a day to come")
    if until - now > LONGEST:
        latest = _last_day(now + LONGEST)
        raise Refused(f"a waiver lasts {LONGEST.days} days at most: until {latest:%Y-%m-%d}")
    duty = _duty_of(arguments, place)
    running = [one for one in _latest(session, place, duty) if one.state in RUNNING]
    if not running:
        raise Refused(f"nothing of that is owed for {place.words}; see: syncd show {place.incident.number}")
    if _is_owner(session, place, who):
        raise Refused(f"{who} owes it, and nobody waives their own duty; ask an approver")
    waiver = WaiverRow(
        incident_id=place.incident.id,
        duty=duty,
        subject=place.item.issue_id if place.item else None,
        until=until,
        reason=reason,
        by=who,
        at=now,
    )
    session.add(waiver)
    data = {"duty": duty, "subject": waiver.subject, "until": until.isoformat()}
    _audit(session, "waiver.given", place, now, who, reason, data)
    words = " and ".join(sorted({one.kind for one in running}))
    return f"waived for {place.words} until {in_utc(until)}: {words}"


def _unwaive(session: Session, arguments: dict[str, Any], place: Place, now: datetime) -> str:
    query = select(WaiverRow).where(
        WaiverRow.incident_id == place.incident.id,
        col(WaiverRow.ended_at).is_(None),
        col(WaiverRow.until) > now,
    )
    item = place.item.issue_id if place.item else None
    duty, who = arguments.get("duty"), str(arguments["by"])
    rows = [
        one
        for one in session.exec(query.order_by(col(WaiverRow.id))).all()
        if one.subject == item and (duty is None or one.duty in (None, duty))
    ]
    if not rows:
        raise Refused(f"no waiver of {place.words} runs now")
    for row in rows:
        row.ended_at, row.ended_by = now, who
        session.add(row)
        data = {"duty": row.duty, "subject": row.subject, "until": row.until.isoformat()}
        _audit(session, "waiver.ended", place, now, who, str(arguments["reason"]), data)
    return f"{len(rows)} waiver{'s' if len(rows) > 1 else ''} of {place.words} ended"


def _correct(session: Session, arguments: dict[str, Any], place: Place, now: datetime) -> str:
    who, reason = str(arguments["by"]), str(arguments["reason"])
    duty = _duty_of(arguments, place)
    wrong = [
        one for one in _latest(session, place, duty) if one.breached_at is not None and not one.corrected
    ]
    if not wrong:
        raise Refused(f"no breach of {place.words} is on record that was not corrected already")
    if len({one.kind for one in wrong}) > 1:
        raise Refused(f"{place.words} has breaches of {len(wrong)} duties: name one with --duty")
    for row in wrong:
        row.corrected = reason
        session.add(row)
        data = {"duty": row.kind, "subject": row.subject, "clock": row.clock}
        _audit(session, "duty.corrected", place, now, who, reason, data)
    stood = STATE_WORDS[DutyState(wrong[0].state)]
    return f"the breach of {wrong[0].kind} for {place.words} ({stood}) is corrected; both stay on record"


def _duty_of(arguments: dict[str, Any], place: Place) -> str | None:
    named = arguments.get("duty")
    if place.item is not None:
        return str(named or DutyKind.DONE)
    if named in (DutyKind.OWNED, DutyKind.DONE):
        raise Refused(f"{named} is owed by an action item: name its key instead of {place.words}")
    return str(named) if named else None


def _latest(session: Session, place: Place, duty: str | None) -> list[DutyRow]:
    """The latest clock of each duty that somebody speaks of."""
    subject = place.item.issue_id if place.item else place.incident.id
    query = select(DutyRow).where(DutyRow.incident_id == place.incident.id, DutyRow.subject == subject)
    latest: dict[str, DutyRow] = {}
    for row in session.exec(query.order_by(col(DutyRow.clock))).all():
        if duty is None or row.kind == duty:
            latest[row.kind] = row
    return list(latest.values())


def _is_owner(session: Session, place: Place, who: str) -> bool:
    """Whether who speaks is the owner of what is owed, by name, address or account id."""
    duty_issue = place.item or session.get(PostmortemRow, place.incident.id)
    owner = (duty_issue.snapshot or {}).get("assignee") if duty_issue else None
    known = {str(value).casefold() for value in (owner or {}).values() if isinstance(value, str) and value}
    return who.strip().casefold() in known


def _audit(
    session: Session, kind: str, place: Place, now: datetime, who: str, reason: str, data: dict[str, Any]
) -> None:
    said = {**data, "by": audit.salted(session, who), "why": audit.salted(session, reason)}
    issue = place.item.issue_id if place.item else None
    audit.append(session, now, kind, incident=place.incident.id, issue=issue, data=said)


Result = dict[str, Any]
