"""The facts that a report counts: incidents, duties, action items, events.

A report reads up to a hundred thousand incidents, so these queries read single columns, no ORM rows and no
snapshots. A fact about a restricted incident carries that flag, and no names or texts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import and_, case, func, literal, not_, or_
from sqlalchemy import select as columns
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, col, select

from syncd.domain.duty import RUNNING, DutyKind
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.functions import is_json_list, json_integer, json_source, json_text
from syncd.ledger.store import audit
from syncd.ledger.store.loaded_rules import not_asked_by_team
from syncd.ledger.store.tables import (
    ActionItemRow,
    AuditEventRow,
    DutyRow,
    IncidentRow,
    PostmortemRow,
    TicketRow,
)

Fact = TypeVar("Fact")


@dataclass(frozen=True, slots=True)
class IncidentFact:
    """One incident of a mapped service; times in UTC.

    `merged_into` is the incident that counts in its place: None also if no mapping claims that one.
    `longest_gap` (seconds), `updates_in_time` and `updates_owed` are its updates as recorded, None where none
    was owed. `exercise` is why it is an exercise, if it is one. `log_unread` is True if only the log, which
    syncd has not read, may hold its acknowledgement.
    """

    id: str
    number: int
    team: str
    service: str
    severity: str
    assumed: bool
    status: str
    created_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    merged_into: str | None
    noise_rule: str | None
    restricted: bool
    ticket: str | None
    longest_gap: int | None = None
    updates_in_time: int | None = None
    updates_owed: int | None = None
    exercise: str | None = None
    exercise_by: str | None = None
    exercise_at: datetime | None = None
    log_unread: bool = False


@dataclass(frozen=True, slots=True)
class DutyFact:
    """One clock of a duty, with its owner; `in_sight` is False while Jira does not show its issue to syncd.

    `wrong` is what is wrong with an action item, `account` the id of its owner, `leaves` are the owners whose
    accounts syncd saw inactive; both lists are JSON. Of a recurring duty, `incident` is its ident, `number`
    None, and `recurring` its kind (`game_day`, `review`). The others are as in `syncd.domain.duty.Duty`.
    """

    incident: str
    number: int | None
    team: str
    severity: str
    restricted: bool
    kind: str
    clock: int
    state: str
    started_at: datetime
    due_at: datetime
    reason: str
    met_at: datetime | None
    breached_at: datetime | None
    corrected: str | None
    key: str | None
    owner: str | None
    in_sight: bool
    was_due_at: datetime | None
    met_by: str | None
    unseen: bool
    deleted_by: str | None
    moved_by: str | None
    wrong: str | None
    account: str | None
    leaves: str | None
    recurring: str | None


@dataclass(frozen=True, slots=True)
class DutyMark:
    """The columns of a duty on which its verdict rests."""

    due_at: datetime
    state: str
    breached_at: datetime | None
    restricted: bool


@dataclass(frozen=True, slots=True)
class ItemFact:
    """One action item that is not done, or that was done in the period.

    `due_at` (UTC) is the end of `due_day` in the team's time zone. `stands` is `open`, `done` or `won't do`.
    """

    key: str
    incident: str
    number: int
    team: str
    restricted: bool
    summary: str
    status: str
    owner: str | None
    first_seen_at: datetime
    due_at: datetime | None
    done_at: datetime | None
    postponed: int
    gone: bool
    due_day: str | None = None
    wrong: str | None = None
    account: str | None = None
    leaves: str | None = None
    stands: str | None = None


@dataclass(frozen=True, slots=True)
class EventFact:
    """One event of the audit trail; `number`, `team` and `restricted` are its incident's."""

    at: datetime
    kind: str
    incident: str | None
    number: int | None
    team: str | None
    restricted: bool
    data: dict[str, Any]


LOG_UNREAD = and_(
    col(IncidentRow.acknowledged_at).is_(None),
    # an SQL null and a JSON null both mean that the log was never read
    not_(is_json_list(col(IncidentRow.log))),
)
"""The condition for incidents without an acknowledgement, whose log was never read."""
_SEVERITY = func.coalesce(col(IncidentRow.severity), "unknown")


def columns_of(fact: type[Fact], table: type[SQLModel], **others: Any) -> Any:
    """Return a SELECT of a fact's fields, from `others` or else from the columns with the same names."""
    incident = {
        "number": col(IncidentRow.number),
        "team": col(IncidentRow.team),
        "severity": _SEVERITY,
        "restricted": col(IncidentRow.restricted),
    }
    given = {**incident, **others}
    names = [field.name for field in fields(cast(Any, fact))]
    return columns(*((given[name] if name in given else getattr(table, name)).label(name) for name in names))


def _facts(ledger: Transactions, fact: type[Fact], query: Any) -> tuple[Fact, ...]:
    with ledger.read() as session:
        rows = session.connection().execute(query.execution_options(yield_per=2000))
        return tuple(fact(*row) for row in rows)


def incidents(
    ledger: Transactions, since: datetime, until: datetime, team: str | None
) -> tuple[IncidentFact, ...]:
    """Return the incidents of mapped services created in [since, until); `team` None: of all teams."""
    target = aliased(IncidentRow)
    # one that was never read counts as claimed
    unclaimed = select(target.id).where(target.id == IncidentRow.merged_into, col(target.team).is_(None))
    claimed = ~unclaimed.exists()
    query = (
        columns_of(
            IncidentFact,
            IncidentRow,
            service=json_text(col(IncidentRow.snapshot), "service", "name"),
            ticket=col(TicketRow.key),
            merged_into=case((claimed, col(IncidentRow.merged_into)), else_=None),
            longest_gap=json_integer(col(IncidentRow.cadence), "longest"),
            updates_in_time=json_integer(col(IncidentRow.cadence), "on_time"),
            updates_owed=json_integer(col(IncidentRow.cadence), "of"),
            log_unread=LOG_UNREAD,
        )
        .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
        .where(col(IncidentRow.created_at) >= since, col(IncidentRow.created_at) < until, of_team(team))
        .order_by(col(IncidentRow.created_at), col(IncidentRow.number))
    )
    return _facts(ledger, IncidentFact, query)


def of_team(team: str | None) -> Any:
    """Return the condition for incidents of a team, of any team if it is None."""
    return col(IncidentRow.team).is_not(None) if team is None else col(IncidentRow.team) == team


_TEAM = func.coalesce(col(IncidentRow.team), col(ActionItemRow.team))
_RESTRICTED = func.coalesce(col(IncidentRow.restricted), literal(value=False))


def of_team_or_recurring(team: str | None) -> Any:
    """Return the condition for an incident's or a recurring duty of a team, of any team if it is None."""
    return _TEAM.is_not(None) if team is None else team == _TEAM


def duties(ledger: Transactions, since: datetime, until: datetime, team: str | None) -> tuple[DutyFact, ...]:
    """Return the duties with a deadline in [since, until)."""
    return _duties(ledger, and_(col(DutyRow.due_at) >= since, col(DutyRow.due_at) < until), team)


def duty_marks(
    ledger: Transactions, since: datetime, until: datetime, team: str | None
) -> tuple[DutyMark, ...]:
    """Return the verdict columns of the duties with a deadline in [since, until), for many weeks at once."""
    query = (
        columns_of(DutyMark, DutyRow, restricted=_RESTRICTED)
        .join(IncidentRow, col(IncidentRow.id) == col(DutyRow.incident_id), isouter=True)
        .join(ActionItemRow, col(ActionItemRow.issue_id) == col(DutyRow.subject), isouter=True)
        .where(col(DutyRow.due_at) >= since, col(DutyRow.due_at) < until, of_team_or_recurring(team))
        .order_by(col(DutyRow.due_at), col(DutyRow.id))
    )
    return _facts(ledger, DutyMark, query)


def waived_duties(
    ledger: Transactions, since: datetime, until: datetime, team: str | None
) -> tuple[DutyFact, ...]:
    """Return the duties whose deadline lay in [since, until) until a waiver moved it out of that time."""
    was = col(DutyRow.was_due_at)
    return _duties(ledger, and_(was >= since, was < until, col(DutyRow.due_at) >= until), team)


def running_duties(ledger: Transactions, team: str | None) -> tuple[DutyFact, ...]:
    """Return the duties that a later act or the passing of time can change."""
    return _duties(ledger, col(DutyRow.state).in_([str(state) for state in RUNNING]), team)


def _duties(ledger: Transactions, where: Any, team: str | None) -> tuple[DutyFact, ...]:
    tables = (ActionItemRow, PostmortemRow)

    def of_issue(value: Callable[[Any], Any]) -> Any:
        return func.coalesce(*(value(table) for table in tables))

    query = (
        columns_of(
            DutyFact,
            DutyRow,
            incident=col(DutyRow.incident_id),
            team=_TEAM,
            restricted=_RESTRICTED,
            severity=case((col(IncidentRow.id).is_(None), ""), else_=_SEVERITY),
            key=of_issue(lambda table: table.key),
            owner=of_issue(lambda table: json_text(table.snapshot, "assignee", "name")),
            account=of_issue(lambda table: json_text(table.snapshot, "assignee", "id")),
            leaves=of_issue(lambda table: json_source(table.leaves)),
            in_sight=of_issue(lambda table: table.out_of_sight_since).is_(None),
            deleted_by=of_issue(lambda table: table.deleted_by),
            moved_by=of_issue(lambda table: table.moved_by),
            wrong=json_text(col(ActionItemRow.facts), "violations"),
            recurring=json_text(col(ActionItemRow.facts), "recurring"),
        )
        .join(IncidentRow, col(IncidentRow.id) == col(DutyRow.incident_id), isouter=True)
        # a duty's subject is an action item's issue, or the incident itself for the postmortem's duties
        .join(ActionItemRow, col(ActionItemRow.issue_id) == col(DutyRow.subject), isouter=True)
        .join(
            PostmortemRow,
            and_(
                col(PostmortemRow.incident_id) == col(DutyRow.incident_id),
                col(DutyRow.subject) == col(DutyRow.incident_id),
            ),
            isouter=True,
        )
        .where(where, of_team_or_recurring(team))
        .order_by(col(DutyRow.due_at), col(DutyRow.id))
    )
    return _facts(ledger, DutyFact, query)


def not_asked(ledger: Transactions) -> dict[str, frozenset[DutyKind]]:
    """Return for each team the duties that nobody is asked for, because their section only reports."""
    with ledger.read() as session:
        return not_asked_by_team(session)


def items(ledger: Transactions, since: datetime, until: datetime, team: str | None) -> tuple[ItemFact, ...]:
    """Return the action items that are still to be done, and those that were done in [since, until)."""
    done = _done_items()
    snapshot = col(ActionItemRow.snapshot)
    query = (
        columns_of(
            ItemFact,
            ActionItemRow,
            incident=col(ActionItemRow.incident_id),
            summary=func.coalesce(json_text(snapshot, "summary"), ""),
            status=func.coalesce(json_text(snapshot, "status", "name"), "not read yet"),
            owner=json_text(snapshot, "assignee", "name"),
            due_at=done.c.due_at,
            done_at=done.c.met_at,
            postponed=func.coalesce(json_integer(col(ActionItemRow.facts), "postponed"), 0),
            gone=col(ActionItemRow.out_of_sight_since).is_not(None),
            due_day=json_text(col(ActionItemRow.facts), "due"),
            wrong=json_text(col(ActionItemRow.facts), "violations"),
            account=json_text(snapshot, "assignee", "id"),
            leaves=json_source(col(ActionItemRow.leaves)),
            stands=json_text(col(ActionItemRow.facts), "stands"),
        )
        .join(IncidentRow, col(IncidentRow.id) == col(ActionItemRow.incident_id))
        .join(done, done.c.subject == ActionItemRow.issue_id, isouter=True)
        .where(
            of_team(team),
            col(ActionItemRow.ended_at).is_(None),
            or_(done.c.met_at.is_(None), and_(done.c.met_at >= since, done.c.met_at < until)),
        )
        .order_by(col(ActionItemRow.first_seen_at), col(ActionItemRow.issue_id))
    )
    return _facts(ledger, ItemFact, query)


def _done_items() -> Any:
    """Return a subquery for the latest clock of each action item's `done` duty."""
    latest = (
        columns(col(DutyRow.subject), func.max(DutyRow.clock).label("clock"))
        .where(col(DutyRow.kind) == DutyKind.DONE)
        .group_by(col(DutyRow.subject))
        .subquery()
    )
    return (
        columns(col(DutyRow.subject), col(DutyRow.due_at), col(DutyRow.met_at))
        .join(latest, and_(latest.c.subject == DutyRow.subject, latest.c.clock == DutyRow.clock))
        .where(col(DutyRow.kind) == DutyKind.DONE)
        .subquery()
    )


def events(
    ledger: Transactions, since: datetime, until: datetime, team: str | None, kinds: tuple[str, ...]
) -> tuple[EventFact, ...]:
    """Return the events of these kinds in [since, until); an event of no incident belongs to every team."""
    query = (
        columns_of(
            EventFact,
            AuditEventRow,
            incident=col(AuditEventRow.incident_id),
            restricted=func.coalesce(col(IncidentRow.restricted), False),
            data=col(AuditEventRow.text),
        )
        .join(IncidentRow, col(IncidentRow.id) == col(AuditEventRow.incident_id), isouter=True)
        .where(
            col(AuditEventRow.kind).in_(kinds), col(AuditEventRow.at) >= since, col(AuditEventRow.at) < until
        )
        .order_by(col(AuditEventRow.seq))
    )
    if team is not None:
        query = query.where(or_(col(IncidentRow.team) == team, col(AuditEventRow.incident_id).is_(None)))
    with ledger.read() as session:
        return tuple(
            _event(**row._mapping)
            for row in session.connection().execute(query.add_columns(col(AuditEventRow.seq)))
        )


def _event(seq: int, data: str, **values: Any) -> EventFact:
    return EventFact(data=audit.event_data(seq, data), **values)
