"""Store issues as read from Jira: masked, and without texts if their incident is restricted.

Texts are masked before they are stored, so that no later code can forget to mask them. The same transaction
decides whether an incident is restricted, so that no command sees its title in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from sqlmodel import Session

from syncd.domain.base import JsonValue, Reference
from syncd.domain.incident import Incident, Note, Restriction
from syncd.domain.mapping.after_incident import FollowUps
from syncd.domain.ticket import Issue
from syncd.ledger.store.membership import store_membership
from syncd.ledger.store.names import log_after_commit, names_in
from syncd.ledger.store.restrict import restrict
from syncd.ledger.store.snapshots import save_issue
from syncd.ledger.store.tables import ActionItemRow, DutyIssueRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.recurring.exercise import TIMES, exercise_times


class StorageRules(Protocol):
    """A team's rules for storing what was read. They do no I/O, so that a transaction may call them."""

    def claimed_by(self, incident: Incident) -> str | None:
        """Return the team whose mapping names the incident's service, None if no mapping does."""
        ...

    def stopped(self, team: str | None, service: Reference | None = None) -> bool:
        """Return True if the rules for a service, or else of a team, are not known now: nothing is stored."""
        ...

    def incident(
        self, incident: Incident, team: str | None, restricted: bool, provisional: bool
    ) -> tuple[Incident, Restriction | None]:
        """Return the incident as it is stored, and why its rules restrict it (None: they do not).

        `restricted`: it is so for ever and needs no reason. `provisional`: this judgement may end it.
        """
        ...

    def withheld(self, incident: Incident, team: str | None) -> Incident:
        """Return a restricted incident without its texts."""
        ...

    def restricted_by_person(self, issue: Issue, team: str | None) -> str | None:
        """Return how a person marked the ticket's incident as restricted, None if nobody did."""
        ...

    def issue(self, issue: Issue, team: str | None) -> Issue:
        """Return the issue as it is stored."""
        ...

    def notes(self, notes: Iterable[Note], team: str | None) -> Sequence[Note]:
        """Return the notes as they are stored."""
        ...

    def follow_ups(self, description: str, team: str | None) -> list[dict[str, JsonValue]]:
        """Return the rows of the table of follow-ups in a postmortem's description."""
        ...

    def membership(self, team: str | None) -> FollowUps | None:
        """Return the team's rules about follow-ups, None if it has no mapping."""
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
    by_id: bool = False,
) -> bool:
    """Store a ticket as read; return True if that was news.

    If a person marked it as restricted, its incident becomes restricted first. `jira_now` is the time of
    Jira's own clock (UTC), if it is known; `fresh` and `by_id` as for `save_issue`.
    """
    incident = session.get(IncidentRow, row.incident_id)
    team = incident.team if incident else None
    if rules.stopped(team):
        return False
    # restrict first, so that the texts never enter the row
    if incident is not None and (not incident.restricted or incident.provisional):
        why = rules.restricted_by_person(issue, team)
        if why is not None:
            restrict_known(session, rules, incident, Restriction(why=why), now)
    stored = rules.issue(issue, team)
    return save_issue(session, row, stored, read_seq, now, jira_now, fresh=fresh, by_id=by_id)


def store_duty_issue_in(
    session: Session,
    rules: StorageRules,
    row: DutyIssueRow,
    issue: Issue,
    read_seq: int,
    now: datetime,
    *,
    fresh: bool = False,
    by_id: bool = False,
) -> bool:
    """Store a postmortem or an action item as read; return True if that was news.

    Of a description only the rows of its follow-up table are stored, and none of a restricted incident; of a
    recurring issue only the times of an exercise.
    """
    incident = session.get(IncidentRow, row.incident_id)
    team = incident.team if incident else row.team if isinstance(row, ActionItemRow) else None
    if rules.stopped(team):
        return False
    # a read without the description says nothing about the follow-up table
    asked, text = "description" in issue.fields, issue.fields.get("description")
    fields = {name: value for name, value in issue.fields.items() if name != "description"}
    masked = rules.issue(issue.model_copy(update={"fields": fields}), team)
    news = save_issue(session, row, masked, read_seq, now, fresh=fresh, by_id=by_id)
    membership = rules.membership(team)
    # another moment means that `save_issue` refused an older answer: it says nothing about today
    if membership is not None and isinstance(row, ActionItemRow) and row.read_seq == read_seq:
        news = store_membership(session, row, issue, membership, now) or news
    if asked and isinstance(row, PostmortemRow) and incident is not None and row.read_seq == read_seq:
        follow_ups: list[dict[str, JsonValue]] = []
        if isinstance(text, str) and not incident.restricted:
            follow_ups = rules.follow_ups(text, team)
        # a row becomes an issue when the table has rested for a while (`follow_ups_since`)
        if follow_ups != row.follow_ups:
            row.follow_ups, row.follow_ups_since = follow_ups, now
            news = True
    if asked and isinstance(row, ActionItemRow) and row.team is not None and row.read_seq == read_seq:
        row.facts = {**row.facts, TIMES: exercise_times(text if isinstance(text, str) else "")}
    return news


def restrict_known(
    session: Session, rules: StorageRules, row: IncidentRow, why: Restriction, now: datetime
) -> None:
    """Restrict an incident that is on record with its texts."""
    kept = rules.withheld(Incident.model_validate(row.snapshot), row.team)
    row.snapshot = kept.model_dump(mode="json")
    if restrict(session, row, why, now):
        until = "for now" if why.provisional else "from now on"
        name = names_in(session, {row.id})[row.id][2]
        log_after_commit(session, row.id, "WARNING", "{} is restricted {} ({})", name, until, why.why)
