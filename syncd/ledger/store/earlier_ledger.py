"""Other ledgers: rivals that make tickets for the same incidents, and lost ones whose duties are rebuilt."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from syncd.domain.base import JsonValue
from syncd.domain.duty import Duty, Waiver
from syncd.domain.operation import Operation, Target
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import audit, holds, outbox
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in
from syncd.ledger.store.lookups import ticket_projects_in
from syncd.ledger.store.postmortems import save_rebuilt
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow, TicketRow

KEY = "rivals"


@dataclass(frozen=True, slots=True)
class Rivals:
    """The rival ledgers by instance (`by_instance`), and whether all writes are paused (`stopped`).

    A rival's `first` and `latest` are issue ids of its tickets. `claimed` are those of the incidents asked
    for that belong to a team.
    """

    claimed: frozenset[str]
    by_instance: dict[str, Any]
    stopped: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a rival: this ledger is the younger one, and the rival is new."""

    younger: bool
    new: bool


def rivals(ledger: Transactions, incident_ids: Collection[str]) -> Rivals:
    """Return the rival ledgers on record, and which of these incidents belong to a team."""
    with ledger.read() as session:
        claimed = frozenset(session.connection().scalars(_CLAIMED, {"ids": list(incident_ids)}))
        paused = holds.pauses(session).keys()
        return Rivals(
            claimed=claimed,
            by_instance=get_cursor_in(session, KEY),
            stopped=paused >= {str(target) for target in Target},
        )


_CLAIMED = select(col(IncidentRow.id)).where(
    col(IncidentRow.id).in_(bindparam("ids", expanding=True)), col(IncidentRow.team).is_not(None)
)


def first_and_projects(ledger: Transactions) -> tuple[int | None, set[str]]:
    """Return the lowest issue id of a ticket that this ledger made, and the projects of all tickets."""
    with ledger.read() as session:
        return _our_first(session), ticket_projects_in(session)


def _our_first(session: Session) -> int | None:
    return min(map(int, session.connection().scalars(_MADE)), default=None)


_MADE = select(col(TicketRow.issue_id)).where(col(TicketRow.origin) == "operation")


def judge_rival(
    ledger: Transactions,
    instance: str,
    ticket: tuple[str, str],
    first: int,
    pause: tuple[str, str] | None,
    now: datetime,
) -> Verdict:
    """Record a ticket (id, key) of a rival ledger, whose first ticket has the issue id `first`.

    If this ledger is the younger one, pause all writes: `pause` holds the reason and the name for that.
    """
    with ledger.write() as session:
        ours = _our_first(session)
        # issue ids only grow: the ledger that made its first ticket later is the younger one
        younger = ours is None or first < ours
        rivals_on_record = get_cursor_in(session, KEY)
        before: Any = rivals_on_record.get(instance, {})
        issue_id, key = ticket
        rivals_on_record[instance] = {
            "first": str(first),
            "latest": issue_id,
            "key": key,
            "since": before.get("since", now.isoformat()),
            "younger": younger,
        }
        set_cursor_in(session, KEY, **rivals_on_record)
        # one event for each new verdict, not for each ticket
        if not before or before.get("younger") != younger:
            data: dict[str, JsonValue] = {"instance": instance, "key": key, "younger": younger}
            audit.append(session, now, "rival.found", issue=issue_id, data=data)
        if younger and pause is not None:
            holds.pause(session, list(Target), *pause, now)
        return Verdict(younger, not before)


@dataclass(frozen=True, slots=True)
class Written:
    """A comment of an earlier ledger: the operation that wrote it, its id, and when it was written (UTC)."""

    operation: Operation
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Recalled:
    """The facts that an earlier ledger stated in comments on a postmortem or an action item.

    `born` is the birth (UTC) of the ledger that reads them. `doubted` are comments whose facts
    syncd cannot verify. `agreed` completes what was agreed on for the postmortem.
    """

    incident_id: str
    issue_id: str
    is_item: bool
    born: datetime
    doubted: tuple[str, ...]
    duties: tuple[Duty, ...]
    waivers: tuple[Waiver, ...]
    agreed: dict[str, JsonValue]
    written: tuple[Written, ...]


def note_sought(ledger: Transactions, incident_id: str, born: datetime) -> None:
    """Store that the incident's postmortem was searched for by the ledger born at `born` (UTC)."""
    with ledger.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is not None:
            row.postmortem_searched_for = born
            session.add(row)


def store_recalled(ledger: Transactions, recalled: Recalled, now: datetime) -> None:
    """Store the duties and waivers that comments state, and the comments as written by this ledger."""
    incident_id = recalled.incident_id
    with ledger.write() as session:
        row: PostmortemRow | ActionItemRow | None
        if recalled.is_item:
            row = session.get(ActionItemRow, recalled.issue_id)
        else:
            row = session.get(PostmortemRow, incident_id)
        if row is None:
            return
        row.rebuilt_for = recalled.born
        for comment in recalled.doubted:
            data: dict[str, JsonValue] = {"comment": comment}
            kind = "comment.not_believed"
            audit.append(session, now, kind, incident=incident_id, issue=recalled.issue_id, data=data)
        save_rebuilt(session, incident_id, recalled.duties, recalled.waivers, now)
        if recalled.agreed and isinstance(row, PostmortemRow):
            # this ledger's own agreement is younger than the comments
            row.agreed = {**recalled.agreed, **row.agreed}
        session.add(row)
        # with the operations on record, syncd does not write the same comments again
        for written in recalled.written:
            outbox.note_done(session, written.operation, written.comment, written.at, now)
