"""Answer requests for waivers and corrections: check them against the ledger, store them with their reason.

A waiver lasts 30 days at most. Approvers give waivers and corrections, never the owner of the duty. A
correction takes a breach back by a second event; both events stay on record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func
from sqlmodel import Session, col, select

from syncd.domain.clock import Clock, in_utc
from syncd.domain.duty import (
    BY_ONE_APPROVER,
    LONGEST_WAIVER,
    RUNNING,
    STATE_WORDS,
    DutyKind,
    DutyState,
    verdict_of,
)
from syncd.domain.text import counted
from syncd.ledger.store import audit
from syncd.ledger.store.loaded_rules import may_approve, zone_of
from syncd.ledger.store.lookups import find_incident_in, name_in
from syncd.ledger.store.tables import (
    ActionItemRow,
    DutyRow,
    PersonRow,
    PostmortemRow,
    RequestRow,
    WaiverRow,
)
from syncd.policy.time.working_time import end_of_day


@dataclass(frozen=True)
class Place:
    """The incident, the action item of an incident, or the recurring issue that a request names.

    `ident` is the incident's id or the recurring duty's ident, `words` what people call it (`OPS-9`, or
    `incident #12 OPS-7`), and `syncd show` takes `shown`. `filing` is the clock that `filed:NAME` names.
    """

    ident: str
    team: str
    item: ActionItemRow | None
    words: str
    shown: str
    filing: str | None = None

    @property
    def subject(self) -> str | None:
        """The subject of a waiver: the action item's issue id, or the name of a filing's clock."""
        return self.item.issue_id if self.item else self.filing


class Refused(Exception):
    """A request that cannot be met; the text says why and what to do."""


def waive(session: Session, request: RequestRow, clock: Clock) -> Result:
    """Waive one duty, or both duties of a postmortem, until a moment."""
    return _answered(_waive, session, request, clock)


def unwaive(session: Session, request: RequestRow, clock: Clock) -> Result:
    """End the waivers that still run."""
    return _answered(_unwaive, session, request, clock)


def correct(session: Session, request: RequestRow, clock: Clock) -> Result:
    """Take a wrong breach back; both events stay on record."""
    return _answered(_correct, session, request, clock)


def _answered(act: Any, session: Session, request: RequestRow, clock: Clock) -> Result:
    try:
        place = _place(session, str(request.arguments["of"]))
        arguments = {**request.arguments, "typed_by": request.asked_by}
        kind, colon, name = str(arguments.get("duty") or "").partition(":")
        if colon:
            arguments, place = {**arguments, "duty": kind}, replace(place, filing=name)
        line = act(session, arguments, place, clock.now())
    except Refused as error:
        return {"lines": [str(error)], "incidents": [], "failed": True}
    return {"lines": [line], "incidents": [place.ident], "failed": False}


def _place(session: Session, name: str) -> Place:
    item = session.exec(select(ActionItemRow).where(ActionItemRow.key == name.upper())).first()
    if item is not None and item.team is not None:
        return Place(item.incident_id, item.team, item, item.key, item.key)
    incident = find_incident_in(session, name)
    if incident is None:
        raise Refused(
            f"{name} is no incident, number, ticket, postmortem, action item, GameDay or review in this"
            " ledger; see: syncd status --all"
        )
    words = item.key if item else f"incident {name_in(session, incident.id)}"
    return Place(incident.id, incident.team or "", item, words, str(incident.number))


def _waived_until(asked: str, zone: str, now: datetime) -> datetime:
    """Return the end (UTC) of the day, or the moment, until which a waiver is asked for; raise `Refused`."""
    limit = now + LONGEST_WAIVER
    today, latest = (moment.astimezone(ZoneInfo(zone)).date() for moment in (now, limit))
    while end_of_day(latest, zone) > limit:
        latest -= timedelta(days=1)
    try:
        day, until = date.fromisoformat(asked), None
    except ValueError:
        until = datetime.fromisoformat(asked)
        day = until.astimezone(ZoneInfo(zone)).date()
    if day < today or (until is not None and until <= now):
        raise Refused(f"{day} is over ({zone}); name a day to come")
    if (day > latest) if until is None else (until > limit):
        raise Refused(f"a waiver lasts {LONGEST_WAIVER.days} days at most: until {latest} ({zone})")
    return until or end_of_day(day, zone)


def _waive(session: Session, arguments: dict[str, Any], place: Place, now: datetime) -> str:
    by, reason = str(arguments["by"]), str(arguments["reason"])
    until = _waived_until(str(arguments["until"]), zone_of(session, place.team), now)
    duty = _duty_of(arguments, place)
    running = [row for row in _latest(session, place, duty) if row.state in RUNNING]
    if not running:
        raise Refused(f"no such duty of {place.words} is owed; see: syncd show {place.shown}")
    _check_approver(session, place, by, "waives")
    and_by = arguments.get("and_by")
    if and_by is not None:
        _check_approver(session, place, str(and_by), "waives")
    second = and_by is not None and str(and_by).strip().casefold() != by.strip().casefold()
    if _given_before(session, place, {row.kind for row in running}) >= BY_ONE_APPROVER and not second:
        raise Refused(
            f"a duty of {place.words} was waived {BY_ONE_APPROVER} times already:"
            " a second approver must agree (--and-by)"
        )
    waiver = WaiverRow(
        incident_id=place.ident,
        duty=duty,
        subject=place.subject,
        until=until,
        reason=reason,
        by=f"{by} and {and_by}" if second else by,
        at=now,
    )
    session.add(waiver)
    data = {"duty": duty, "subject": waiver.subject, "until": until.isoformat()}
    _audit(session, "waiver.given", place, now, arguments, data)
    words = " and ".join(sorted({row.kind for row in running}))
    return f"waived for {place.words} until {in_utc(until)}: {words}"


def _unwaive(session: Session, arguments: dict[str, Any], place: Place, now: datetime) -> str:
    query = select(WaiverRow).where(
        WaiverRow.incident_id == place.ident,
        col(WaiverRow.ended_at).is_(None),
        col(WaiverRow.until) > now,
    )
    duty, by = arguments.get("duty"), str(arguments["by"])
    _check_may_approve(session, place, by)
    rows = [
        row
        for row in session.exec(query.order_by(col(WaiverRow.id))).all()
        # a waiver without a duty waives both duties, so it ends with either
        if row.subject == place.subject and (duty is None or row.duty in (None, duty))
    ]
    if not rows:
        raise Refused(f"no waiver of {place.words} runs now")
    for row in rows:
        row.ended_at, row.ended_by = now, by
        session.add(row)
        data = {"duty": row.duty, "subject": row.subject, "until": row.until.isoformat()}
        _audit(session, "waiver.ended", place, now, arguments, data)
    return f"{counted(len(rows), 'waiver')} of {place.words} ended"


def _correct(session: Session, arguments: dict[str, Any], place: Place, now: datetime) -> str:
    by, reason = str(arguments["by"]), str(arguments["reason"])
    duty = _duty_of(arguments, place)
    met_at = arguments.get("met_at")
    claimed = datetime.fromisoformat(str(met_at)) if met_at else None
    wrong = [
        row
        for row in _latest(session, place, duty)
        if row.breached_at is not None and row.state != DutyState.VOID
    ]
    if not wrong:
        raise Refused(f"no breach of {place.words} is on record that was not corrected already")
    # one command must not take back a breach that nobody named
    if len(wrong) > 1:
        raise Refused(f"{place.words} has breaches of {len(wrong)} duties: name one with --duty")
    (row,) = wrong
    _check_approver(session, place, by, "takes back a breach of")
    if claimed is not None and claimed > row.due_at:
        raise Refused(f"it was due {in_utc(row.due_at)}: by {in_utc(claimed)} it was missed")
    state_words = STATE_WORDS[verdict_of(DutyState(row.state), row.breached_at)]
    row.state, row.remedy = DutyState.VOID, ""
    row.corrected, row.corrected_at, row.corrected_by, row.claimed_met_at = reason, now, by, claimed
    session.add(row)
    data = {"duty": row.kind, "subject": row.subject, "clock": row.clock}
    data |= {"met_at": claimed.isoformat()} if claimed is not None else {}
    _audit(session, "duty.corrected", place, now, arguments, data)
    then = "nothing more is owed" if claimed is not None else "it is owed anew, due in 24 hours"
    return (
        f"the breach of {row.kind} for {place.words} ({state_words}) is taken back; both stay on record,"
        f" and {then}"
    )


def _duty_of(arguments: dict[str, Any], place: Place) -> str | None:
    named = arguments.get("duty")
    if place.item is not None:
        # an item's usual duty
        return str(named or (DutyKind.DONE if place.item.team is None else DutyKind.HELD))
    if named in (DutyKind.OWNED, DutyKind.DONE, DutyKind.HELD):
        raise Refused(f"{named} is a duty of an issue of its own: name its key instead of {place.words}")
    return str(named) if named else None


def _latest(session: Session, place: Place, duty: str | None) -> list[DutyRow]:
    """Return the row of the latest clock of each duty that a request names."""
    query = select(DutyRow).where(DutyRow.incident_id == place.ident)
    latest: dict[tuple[str, str], DutyRow] = {}
    for row in session.exec(query.order_by(col(DutyRow.clock))).all():
        # `filed` without a name means all filings of the incident
        subject = place.subject or (row.subject if duty == DutyKind.FILED else place.ident)
        if row.subject == subject and (duty is None or row.kind == duty):
            latest[row.kind, row.subject] = row
    return list(latest.values())


def _given_before(session: Session, place: Place, kinds: set[str]) -> int:
    """Return how often one of these duties was waived so far."""
    query = select(WaiverRow).where(WaiverRow.incident_id == place.ident)
    rows = [row for row in session.exec(query).all() if row.subject == place.subject]
    both = (None,) if DutyKind.FILED not in kinds else ()
    return max((sum(row.duty in (*both, kind) for row in rows) for kind in kinds), default=0)


def _check_approver(session: Session, place: Place, person: str, does: str) -> None:
    """Raise `Refused` unless a person may approve and is not the owner of the duty."""
    if _is_owner(session, place, person):
        raise Refused(f"{person} owns this duty, and nobody {does} their own duty; ask an approver")
    _check_may_approve(session, place, person)


def _check_may_approve(session: Session, place: Place, person: str) -> None:
    if not may_approve(session, place.team, person):
        raise Refused(
            f"{person} is no approver of {place.team or 'its team'}; name the address of one:"
            " people.approvers in the mapping, and where it is empty people.process_owner"
        )


def _is_owner(session: Session, place: Place, person: str) -> bool:
    """Return True if a person, by name, address or account id, owns the postmortem or action item."""
    duty_issue = place.item or session.get(PostmortemRow, place.ident)
    owner = (duty_issue.snapshot or {}).get("assignee") if duty_issue else None
    if not owner:
        return False
    names = {str(value).casefold() for value in owner.values() if isinstance(value, str) and value}
    # Jira may hide the address of an account that syncd looked up by it.
    query = select(PersonRow).where(func.lower(PersonRow.email) == person.strip().lower())
    accounts = {(row.account or {}).get("id") for row in session.exec(query).all()}
    return person.strip().casefold() in names or owner.get("id") in accounts


def _audit(
    session: Session,
    kind: str,
    place: Place,
    now: datetime,
    arguments: dict[str, Any],
    data: dict[str, Any],
) -> None:
    words = {"by": "by", "and_by": "and_by", "why": "reason", "typed_by": "typed_by"}
    given = {name: str(arguments[key]) for name, key in words.items() if arguments.get(key)}
    event = {**data, **{name: audit.salted(session, value) for name, value in given.items()}}
    issue = place.item.issue_id if place.item else None
    audit.append(session, now, kind, incident=place.ident, issue=issue, data=event)


Result = dict[str, Any]
