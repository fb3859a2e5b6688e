"""Postmortems for reading commands and mails: their keys, and the state of their duties with the reason.

The shapes are a promise to scripts (systemd/README.md, "For scripts").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, or_
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from syncd.domain.duty import OF_POSTMORTEM, OWED, RUNNING, Duty, DutyKind, DutyState, Waiver
from syncd.domain.incident import Incident
from syncd.domain.recurring import RecurringName, recurring_of, stand_in
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.identity import get_meta
from syncd.ledger.store.loaded_rules import changed_rules, not_asked, values_before
from syncd.ledger.store.loading import get, load, select_records
from syncd.ledger.store.lookups import addresses_of_in, items_in
from syncd.ledger.store.membership import known_state_changes
from syncd.ledger.store.postmortems import duties_of, waivers_of
from syncd.ledger.store.recurring import recurring_items_in
from syncd.ledger.store.tables import ActionItemRow, DutyRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.case import Case, PostmortemState, TicketState
from syncd.policy.duty_words import OWNER_LEFT, nth_of, owner_note, owner_words, waived, with_mode
from syncd.policy.notify.recipients import hidden_accounts
from syncd.policy.postmortem.explain import explain, notes_on, sight_of, summary
from syncd.policy.postmortem.resolved_periods import judged_since, resolved_periods

Data = dict[str, Any]
AT_ONCE = 500
"""How many incidents one statement names; SQLite limits the variables of a statement."""


@dataclass
class PostmortemView:
    """The postmortem of one incident, and the latest clock of each of its two duties, and of its filing.

    Of several filings with regulators it has the one that is due next.

    `late_items` counts its action items with an overdue duty.
    """

    key: str | None = None
    duties: dict[DutyKind, Duty] = field(default_factory=dict)
    late_items: int = 0

    @property
    def latest(self) -> Iterable[Duty]:
        """The duties of the postmortem, `scheduled` first; then the filing."""
        return [self.duties[kind] for kind in (*OF_POSTMORTEM, DutyKind.FILED) if kind in self.duties]

    @property
    def due_at(self) -> datetime | None:
        """The earliest deadline (UTC) of the duties that are owed, also a past one."""
        return min((duty.due_at for duty in self.latest if duty.state in OWED), default=None)


def postmortem_views(session: Session, incident_ids: Sequence[str] | None) -> dict[str, PostmortemView]:
    """Return the postmortems of these incidents with their duties, by incident id; None: of all incidents."""
    if incident_ids is None:
        return _postmortem_view(session, None)
    views: dict[str, PostmortemView] = {}
    for start in range(0, len(incident_ids), AT_ONCE):
        views |= _postmortem_view(session, incident_ids[start : start + AT_ONCE])
    return views


def _postmortem_view(session: Session, ids: Sequence[str] | None) -> dict[str, PostmortemView]:
    views: dict[str, PostmortemView] = {}
    postmortems = select(PostmortemRow.incident_id, PostmortemRow.key)
    # a postmortem's duties have the incident itself as their subject
    duties = select(DutyRow).where(
        or_(col(DutyRow.subject) == col(DutyRow.incident_id), col(DutyRow.kind) == DutyKind.FILED)
    )
    late_items = (
        select(DutyRow.incident_id, func.count(func.distinct(DutyRow.subject)))
        .where(
            col(DutyRow.subject) != col(DutyRow.incident_id),
            DutyRow.kind != DutyKind.FILED,
            DutyRow.state == DutyState.BREACHED,
        )
        .group_by(col(DutyRow.incident_id))
    )
    if ids is not None:
        postmortems = postmortems.where(col(PostmortemRow.incident_id).in_(ids))
        duties = duties.where(col(DutyRow.incident_id).in_(ids))
        late_items = late_items.where(col(DutyRow.incident_id).in_(ids))
    for incident_id, key in session.exec(postmortems).all():
        views[incident_id] = PostmortemView(key=key)
    for row in session.exec(duties.order_by(col(DutyRow.clock))).all():
        duty = Duty.model_validate(row, from_attributes=True)
        view = views.setdefault(row.incident_id, PostmortemView())
        other = view.duties.get(duty.kind)
        sooner = other is not None and other.subject != duty.subject and other.state in OWED
        if other is None or not sooner or (duty.state in OWED and duty.due_at < other.due_at):
            view.duties[duty.kind] = duty
    for incident_id, count in session.exec(late_items).all():
        views.setdefault(incident_id, PostmortemView()).late_items = count
    return views


def postmortem_data(session: Session, incident: IncidentRecord, now: datetime | None) -> Data | None:
    """Return the postmortem of an incident with its duties and their explanations.

    Return None if the incident has no postmortem and no duty asks for one.
    """
    postmortem = get(session, PostmortemState, incident.id)
    duties = [duty for duty in duties_of(session, incident.id) if duty.subject == incident.id]
    if postmortem is None and not duties:
        return None
    # policy explains a duty from a case, so that there is one explanation for all outputs
    case = Case(
        incident=Incident.model_validate(incident.snapshot),
        postmortem=postmortem,
        duties=tuple(duties),
        waivers=waivers_of(session, incident.id),
        now=now,
    )
    issue = postmortem.issue if postmortem else None
    unasked = not_asked(session, incident.team)
    return {
        "key": postmortem.key if postmortem else None,
        "issue_id": postmortem.issue_id if postmortem else None,
        "status": issue.status.name if issue else None,
        "owner": issue.assignee.name if issue and issue.assignee else None,
        "owner_words": _owner_words(postmortem),
        "deleted_by": postmortem.deleted_by if postmortem else None,
        "moved_by": postmortem.moved_by if postmortem else None,
        "out_of_sight_since": iso(postmortem.out_of_sight_since) if postmortem else None,
        **{str(kind): _duty_data(case.duty(kind), case, kind not in unasked) for kind in OF_POSTMORTEM},
        "earlier": [
            {**_bare(duty), "notes": notes_on(duty, sight_of(postmortem))}
            for duty in duties
            if duty != case.duty(duty.kind)
        ],
        "waivers": waivers_data(case.waivers, None, now),
    }


def filings_data(session: Session, incident: IncidentRecord, now: datetime | None) -> list[Data]:
    """Return the filings with regulators that an incident owes or owed, each with its explanation."""
    case = Case(
        incident=Incident.model_validate(incident.snapshot),
        ticket=get(session, TicketState, incident.id),
        duties=duties_of(session, incident.id),
        waivers=waivers_of(session, incident.id),
        now=now,
    )
    filings = [duty for duty in case.duties if duty.kind is DutyKind.FILED]
    return [{**_bare(duty), "name": duty.subject, "explained": list(explain(duty, case))} for duty in filings]


def _owner_words(postmortem: PostmortemState | None) -> str | None:
    """Return the owner of a postmortem with when they left, None before syncd has read it."""
    if postmortem is None or postmortem.issue is None:
        return None
    assignee = postmortem.issue.assignee
    wrong = (OWNER_LEFT,) if assignee is not None and not assignee.active else ()
    leave = postmortem.leaves.get(assignee.id) if assignee else None
    return owner_words(assignee.name if assignee else None, owner_note(wrong, leave))


def _duty_data(duty: Duty | None, case: Case, asked: bool) -> Data | None:
    if duty is None:
        return None
    return {
        **_bare(duty),
        "words": with_mode(duty.words, asked or duty.state not in RUNNING),
        "asked": asked,
        "summary": summary(duty),
        "explained": list(explain(duty, case, asked=asked)),
    }


def _bare(duty: Duty) -> Data:
    return {
        "duty": duty.kind,
        "clock": duty.clock,
        "state": duty.verdict,
        "words": duty.words,
        "started_at": iso(duty.started_at),
        "due_at": iso(duty.due_at),
        "was_due_at": iso(duty.was_due_at),
        "reason": duty.reason,
        "remedy": duty.remedy,
        "met_at": iso(duty.met_at),
        "met_by": duty.met_by,
        "breached_at": iso(duty.breached_at),
        "corrected": duty.corrected,
        "corrected_at": iso(duty.corrected_at),
        "corrected_by": duty.corrected_by,
        "claimed_met_at": iso(duty.claimed_met_at),
        "rebuilt": duty.rebuilt,
    }


def waivers_data(waivers: Sequence[Waiver], subject: str | None, now: datetime | None) -> list[Data]:
    """Return the waivers of the postmortem (`subject` None) or of an action item, oldest first."""
    return [
        {
            **_waiver_data(waiver),
            "words": waived(waiver, nth_of(waiver, waivers)),
            "runs": now is not None and waiver.runs(now),
        }
        for waiver in waivers
        if waiver.subject == subject
    ]


def _waiver_data(waiver: Waiver) -> Data:
    return {
        "given_at": iso(waiver.at),
        "duty": waiver.duty,
        "until": iso(waiver.until),
        "ended_at": iso(waiver.ended_at),
        "by": waiver.by,
        "reason": waiver.reason,
        "source": waiver.source,
        "rebuilt": waiver.rebuilt,
    }


def iso(at: datetime | None) -> str | None:
    """Return a time in ISO 8601."""
    return at.isoformat() if at else None


@dataclass(frozen=True, slots=True)
class Place:
    """Jira's address and the key of the ticket that a mail is about; each empty if unknown."""

    ticket: str
    jira: str

    def browse(self, key: str) -> str:
        """Return the address of an issue, empty if Jira's address or the key is unknown."""
        return f"{self.jira}/browse/{key}" if self.jira and key else ""


@dataclass(frozen=True, slots=True)
class MailSubject(Place):
    """An incident that a mail is about."""

    incident: IncidentRecord


@dataclass(frozen=True, slots=True)
class OwingIncident:
    """An incident that a mail is about, with the case from which its duties are told.

    The issue of a recurring duty is such a case, too.
    """

    subject: Place
    case: Case


def jira_address(ledger: Transactions) -> str:
    """Return the address of the Jira site to which this ledger belongs, empty before the first contact."""
    with ledger.read() as session:
        return _jira(session)


def subject_of(ledger: Transactions, incident_id: str) -> MailSubject | None:
    """Return the incident that a mail is about, None if it is not on record."""
    with ledger.read() as session:
        incident = get(session, IncidentRecord, incident_id)
        return _subject(session, incident) if incident is not None else None


def owing_incident_of(ledger: Transactions, incident_id: str, now: datetime) -> OwingIncident | None:
    """Return an incident, or a recurring duty by its ident, with its duties; None if it is not on record."""
    recurring = recurring_of(incident_id)
    with ledger.read() as session:
        if recurring is not None:
            return _owing_recurring(session, recurring, now)
        incident = get(session, IncidentRecord, incident_id)
        return _owing_incident(session, incident, now) if incident is not None else None


def owing(ledger: Transactions, team: str, now: datetime) -> list[OwingIncident]:
    """Return a team's incidents that have an owed duty, by number, and its recurring duties."""
    asked = {"team": team, "states": sorted(OWED)}
    with ledger.read() as session:
        incidents = load(session, IncidentRecord, _OWING, asked)
        owed = [_owing_incident(session, incident, now) for incident in incidents]
        names = [item.recurring for item in recurring_items_in(session, team)]
        return [*owed, *(_owing_recurring(session, name, now) for name in names if name is not None)]


_OWING = (
    select_records(IncidentRecord)
    .where(
        col(IncidentRow.team) == bindparam("team"),
        col(IncidentRow.id).in_(
            columns(col(DutyRow.incident_id)).where(
                col(DutyRow.state).in_(bindparam("states", expanding=True))
            )
        ),
    )
    .order_by(col(IncidentRow.number))
)


def _owing_recurring(session: Session, name: RecurringName, now: datetime) -> OwingIncident:
    case = Case(
        incident=stand_in(name),
        items=items_in(session, name.ident),
        duties=duties_of(session, name.ident),
        now=now,
    )
    case = case.model_copy(update={"addresses": _addresses(session, case)})
    return OwingIncident(Place("", _jira(session)), case)


def _subject(session: Session, incident: IncidentRecord) -> MailSubject:
    key = session.connection().scalar(_TICKET, {"incident": incident.id})
    return MailSubject(key or "", _jira(session), incident)


_TICKET = columns(col(TicketRow.key)).where(col(TicketRow.incident_id) == bindparam("incident"))


def _jira(session: Session) -> str:
    return (get_meta(session, "owner.jira") or "").rstrip("/")


def _owing_incident(session: Session, incident: IncidentRecord, now: datetime) -> OwingIncident:
    read = Incident.model_validate(incident.snapshot)
    case = Case(
        incident=read,
        restricted=incident.restricted,
        postmortem=get(session, PostmortemState, incident.id),
        items=items_in(session, incident.id),
        duties=duties_of(session, incident.id),
        now=now,
        earlier=_earlier(session, incident, read, now),
    )
    case = case.model_copy(update={"addresses": _addresses(session, case)})
    return OwingIncident(_subject(session, incident), case)


def _earlier(
    session: Session, incident: IncidentRecord, read: Incident, now: datetime
) -> dict[str, str | None]:
    """Return the values of the team's rules from before the changes since the incident was resolved."""
    since = judged_since(read, resolved_periods(known_state_changes(incident, read) or (), now))
    return {} if since is None else values_before(changed_rules(session, incident.team or ""), since)


def _addresses(session: Session, case: Case) -> dict[str, str]:
    """Return the looked-up addresses of the accounts that owe a duty and hide their address in Jira."""
    hidden = hidden_accounts(case)
    return addresses_of_in(session, hidden) if hidden else {}


def unseen_issues(ledger: Transactions) -> list[tuple[str, int, datetime, str | None, str | None]]:
    """Return the issues that syncd could not see at a deadline: key, incident's number, since when (UTC).

    The last values are who deleted and who moved the issue, as in `syncd.policy.duty_words.out_of_sight`.
    """
    with ledger.read() as session:
        return [
            (key, number, since, deleted_by, moved_by)
            for query in _UNSEEN
            for key, number, since, deleted_by, moved_by in query.all(session)
        ]


_UNSEEN_DUTY = (col(DutyRow.unseen).is_(True), col(DutyRow.state) == DutyState.BREACHED)
_UNSEEN = tuple(
    Prepared(
        columns(
            col(table.key),
            col(IncidentRow.number),
            func.min(col(DutyRow.breached_at)).label("since"),
            col(table.deleted_by),
            col(table.moved_by),
        )
        .join(DutyRow, on)
        .join(IncidentRow, col(IncidentRow.id) == col(table.incident_id))
        .where(*_UNSEEN_DUTY)
        .group_by(col(table.key), col(IncidentRow.number), col(table.deleted_by), col(table.moved_by))
    )
    for table, on in (
        (PostmortemRow, col(DutyRow.subject) == col(PostmortemRow.incident_id)),
        (ActionItemRow, col(DutyRow.subject) == col(ActionItemRow.issue_id)),
    )
)
