"""Where what was read of the services enters the ledger: masked, and without texts where it is restricted.

Every read goes through here. Texts are masked before they are stored (rules: "The ticket"), so that nothing
later can forget it; whether an incident is restricted is found in the same transaction, so that no command
sees a title in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from loguru import logger
from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident, Note
from syncd.domain.mapping.after_incident import FollowUps
from syncd.domain.ticket import Issue
from syncd.ledger.store.membership import store_membership
from syncd.ledger.store.postmortems import DutyIssueRow
from syncd.ledger.store.restrict import restrict
from syncd.ledger.store.snapshots import save_issue
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow, TicketRow


class StorageRules(Protocol):
    """What of a read may be stored, by the rules of a team. Pure: no I/O, so that a transaction may ask."""

    def claimed_by(self, incident: Incident) -> str | None:
        """Return the team whose mapping names the incident's service, None where none does."""
        ...

    def incident(self, incident: Incident, team: str | None, restricted: bool) -> tuple[Incident, str | None]:
        """Return what is stored of an incident, and why it becomes restricted (None: it does not)."""
        ...

    def withheld(self, incident: Incident, team: str | None) -> Incident:
        """Return a restricted incident without its texts."""
        ...

    def restricted_by_person(self, issue: Issue, team: str | None) -> str | None:
        """Return how a person said on the ticket that its incident is restricted, None where nobody did."""
        ...

    def issue(self, issue: Issue, team: str | None) -> Issue:
        """Return what is stored of an issue."""
        ...

    def notes(self, notes: Iterable[Note], team: str | None) -> Sequence[Note]:
        """Return what is stored of notes."""
        ...

    def follow_ups(self, description: str, team: str | None) -> list[dict[str, JsonValue]]:
        """Return the rows of the table of follow-ups in a postmortem's description."""
        ...

    def membership(self, team: str | None) -> FollowUps | None:
        """Return the team's rules about follow-ups, None where it has no mapping."""
        ...


def store_issue_in(
    session: Session,
    rules: StorageRules,
    row: TicketRow,
    issue: Issue,
    read_seq: int,
    now: datetime,
    jira_now: datetime | None,
    *,
    fresh: bool = False,
) -> bool:
    """Store a ticket as read; return whether that was news. A person may have said that it is restricted.

    `jira_now` is Jira's own time, where it is known; `fresh` as for `save_issue`.
    """
    incident = session.get(IncidentRow, row.incident_id)
    team = incident.team if incident else None
    if incident is not None and not incident.restricted:
        why = rules.restricted_by_person(issue, team)
        if why is not None:
            _restrict_known(session, rules, incident, why, now)
    return save_issue(session, row, rules.issue(issue, team), read_seq, now, jira_now, fresh=fresh)


def store_duty_issue_in(
    session: Session,
    rules: StorageRules,
    row: DutyIssueRow,
    issue: Issue,
    read_seq: int,
    now: datetime,
    *,
    fresh: bool = False,
) -> bool:
    """Store a postmortem or an action item as read; return whether that was news.

    Of a description only the rows of the table of follow-ups are kept, and none of a restricted incident.
    """
    incident = session.get(IncidentRow, row.incident_id)
    team = incident.team if incident else None
    asked, text = "description" in issue.fields, issue.fields.get("description")
    fields = {name: value for name, value in issue.fields.items() if name != "description"}
    masked = rules.issue(issue.model_copy(update={"fields": fields}), team)
    news = save_issue(session, row, masked, read_seq, now, fresh=fresh)
    membership = rules.membership(team)
    if membership is not None and isinstance(row, ActionItemRow) and row.read_seq == read_seq:
        news = store_membership(session, row, issue, membership, now) or news
    if asked and isinstance(row, PostmortemRow) and incident is not None and row.read_seq == read_seq:
        follow_ups: list[dict[str, JsonValue]] = []
        if isinstance(text, str) and not incident.restricted:
            follow_ups = rules.follow_ups(text, team)
        if follow_ups != row.follow_ups:
            row.follow_ups, row.follow_ups_since = follow_ups, now
            news = True
    return news


def _restrict_known(session: Session, rules: StorageRules, row: IncidentRow, why: str, now: datetime) -> None:
    """An incident that is on record becomes restricted."""
    kept = rules.withheld(Incident.model_validate(row.snapshot), row.team)
    row.snapshot = kept.model_dump(mode="json")
    if restrict(session, row, why, now):
        logger.bind(incident=row.id).warning("{} is restricted from now on ({})", row.id, why)
