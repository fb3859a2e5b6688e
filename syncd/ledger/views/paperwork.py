"""What is known of an incident and its paperwork when a mail is written about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlmodel import Session, col

from syncd.domain.duty import DutyState
from syncd.domain.incident import Incident
from syncd.ledger.database.connection import Transactions
from syncd.ledger.open import get_meta
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.duties import duties_of
from syncd.ledger.store.known import addresses_of_in
from syncd.ledger.store.loading import get, load, select_records
from syncd.ledger.store.postmortems import earlier, item_state, items_of, postmortem_state
from syncd.ledger.store.tables import DutyRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.case import Case
from syncd.policy.notify.recipients import account_of_duty


@dataclass(frozen=True, slots=True)
class MailSubject:
    """An incident that a mail speaks of: the key of its ticket (or empty), and Jira's address (or empty)."""

    incident: IncidentRecord
    ticket: str
    jira: str

    def browse(self, key: str) -> str:
        """Return the address of an issue, empty where it cannot be told."""
        return f"{self.jira}/browse/{key}" if self.jira and key else ""


@dataclass(frozen=True, slots=True)
class Paperwork:
    """An incident that a mail speaks of, with all that is owed after it."""

    subject: MailSubject
    case: Case


def jira_address(ledger: Transactions) -> str:
    """Return the address of the Jira site that this ledger belongs to, empty where it has none yet."""
    with ledger.read() as session:
        return _jira(session)


def team_of(ledger: Transactions, incident_id: str) -> str | None:
    """Return the team of an incident, None where it has none or is not on record."""
    with ledger.read() as session:
        team: str | None = session.connection().scalar(_TEAM, {"incident": incident_id})
        return team


_TEAM = columns(col(IncidentRow.team)).where(col(IncidentRow.id) == bindparam("incident"))


def subject_of(ledger: Transactions, incident_id: str) -> MailSubject | None:
    """Return an incident that a mail speaks of, None where it is not on record."""
    with ledger.read() as session:
        incident = get(session, IncidentRecord, incident_id)
        return _subject(session, incident) if incident is not None else None


def paperwork_of(ledger: Transactions, incident_id: str, now: datetime) -> Paperwork | None:
    """Return an incident and what is owed after it, None where it is not on record."""
    with ledger.read() as session:
        incident = get(session, IncidentRecord, incident_id)
        return _paperwork(session, incident, now) if incident is not None else None


def owing(ledger: Transactions, team: str, states: Sequence[DutyState], now: datetime) -> list[Paperwork]:
    """Return a team's incidents with a duty in one of these states, by number."""
    asked = {"team": team, "states": [str(state) for state in states]}
    with ledger.read() as session:
        incidents = load(session, IncidentRecord, _OWING, asked)
        return [_paperwork(session, incident, now) for incident in incidents]


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


def _subject(session: Session, incident: IncidentRecord) -> MailSubject:
    key = session.connection().scalar(_TICKET, {"incident": incident.id})
    return MailSubject(incident, key or "", _jira(session))


_TICKET = columns(col(TicketRow.key)).where(col(TicketRow.incident_id) == bindparam("incident"))


def _jira(session: Session) -> str:
    return (get_meta(session, "owner.jira") or "").rstrip("/")


def _paperwork(session: Session, incident: IncidentRecord, now: datetime) -> Paperwork:
    postmortem = session.get(PostmortemRow, incident.id)
    read = Incident.model_validate(incident.snapshot)
    case = Case(
        incident=read,
        restricted=incident.restricted,
        postmortem=postmortem_state(postmortem) if postmortem else None,
        items=tuple(item_state(row) for row in items_of(session, incident.id)),
        duties=duties_of(session, incident.id),
        now=now,
        earlier=earlier(session, read, incident.team or ""),
    )
    case = case.model_copy(update={"addresses": _addresses(session, case)})
    return Paperwork(_subject(session, incident), case)


def _addresses(session: Session, case: Case) -> dict[str, str]:
    """What the look-ups of people have found of the accounts that owe something and hide their address."""
    accounts = [account_of_duty(case, duty) for duty in case.duties]
    hidden = {account.id for account in accounts if account is not None and not account.email}
    return addresses_of_in(session, hidden) if hidden else {}
