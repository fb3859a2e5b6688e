"""The verbs for recurring duties: what is on record of one, and of what comes round in a team.

The issue is a row of the action items, the duty a row of the duties; both hold the ident in the place of an
incident's id (`syncd.domain.recurring`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from syncd.domain.duty import RUNNING, Duty, DutyKind, Waiver
from syncd.domain.history import SeverityPeriod
from syncd.domain.incident import IncidentStatus
from syncd.domain.operation import Kind, Operation, OperationClass
from syncd.domain.recurring import PREFIX
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import outbox
from syncd.ledger.store.change_queue import ChangeNotice, change_notices_of_in, drop_notices_in
from syncd.ledger.store.decisions import Amendment, amend, keep_duties
from syncd.ledger.store.key_values import get_value, set_value
from syncd.ledger.store.loaded_rules import changed_rules, modes_switched
from syncd.ledger.store.loading import load, select_records
from syncd.ledger.store.lookups import items_in, open_operations_in
from syncd.ledger.store.postmortems import duties_of, waivers_of
from syncd.ledger.store.tables import ActionItemRow, DutyRow, IncidentRow, OperationRow, TicketRow
from syncd.policy.case import Decision, ItemState
from syncd.policy.recurring.after import Major

NOTES = "recurring.notes"
"""The value that holds what recurring duties in mode `report` would have done, by ident."""


@dataclass(frozen=True, slots=True)
class RecurringFacts:
    """The record of one recurring duty; `operations` are all of its operations, `notices` its news.

    `switched` holds when (UTC) the mode of a section of the team's mapping last changed.
    """

    items: tuple[ItemState, ...]
    duties: tuple[Duty, ...]
    waivers: tuple[Waiver, ...]
    operations: tuple[OperationRecord, ...]
    notices: tuple[ChangeNotice, ...]
    switched: dict[str, datetime]

    @property
    def once(self) -> frozenset[str]:
        """The keys of the once-operations."""
        return frozenset(op.key for op in self.operations if op.op_class == OperationClass.ONCE)


def load_recurring(ledger: Transactions, ident: str, team: str) -> RecurringFacts:
    """Return what is on record of a recurring duty; `team` names the rules by which it is judged."""
    with ledger.read() as session:
        query = select_records(OperationRecord).where(col(OperationRow.incident_id) == ident)
        return RecurringFacts(
            items=items_in(session, ident),
            duties=duties_of(session, ident),
            waivers=waivers_of(session, ident),
            operations=tuple(load(session, OperationRecord, query.order_by(col(OperationRow.id)))),
            notices=tuple(change_notices_of_in(session, ident)),
            switched=modes_switched(changed_rules(session, team)),
        )


def record_recurring(
    ledger: Transactions,
    ident: str,
    decision: Decision,
    amendments: Callable[[Sequence[OperationRecord]], Iterable[Amendment]],
    notices: Sequence[ChangeNotice],
    now: datetime,
    version: str,
) -> None:
    """Store a decision on a recurring duty, and drop the change notices that it answers."""
    with ledger.write() as session:
        drop_notices_in(session, notices)
        waiting = open_operations_in(session, ident)
        rows = outbox.record(session, decision.operations, now, version, waiting=waiting)
        amend(session, rows, amendments(rows), now)
        keep_duties(session, ident, None, decision, now)


def plan_recurring(ledger: Transactions, operation: Operation, now: datetime, version: str) -> None:
    """Put the create of a recurring duty's issue into the outbox, once for its key."""
    with ledger.write() as session:
        outbox.add(session, [operation], now, version)


def made_idents(ledger: Transactions) -> set[str]:
    """Return the recurring duties whose create was ever decided."""
    with ledger.read_one() as session:
        return set(_MADE.scalars(session))


_MADE = Prepared(
    columns(col(OperationRow.incident_id)).where(
        # a range of ids, which their index answers
        col(OperationRow.incident_id) >= PREFIX,
        col(OperationRow.incident_id) < PREFIX[:-1] + ";",
        col(OperationRow.kind) == Kind.CREATE_RECURRING,
    )
)


def live_idents(ledger: Transactions) -> list[str]:
    """Return the recurring duties that time or people can still change: not judged yet, or running."""
    with ledger.read() as session:
        return sorted(set(session.connection().scalars(_LIVE)))


_HELD = col(DutyRow.kind) == DutyKind.HELD
_LIVE = (
    columns(col(ActionItemRow.incident_id))
    .join(DutyRow, (col(DutyRow.subject) == col(ActionItemRow.issue_id)) & _HELD, isouter=True)
    .where(
        col(ActionItemRow.team).is_not(None),
        col(DutyRow.state).is_(None) | col(DutyRow.state).in_([str(state) for state in RUNNING]),
    )
)


def recurring_items(ledger: Transactions, team: str) -> tuple[ItemState, ...]:
    """Return the issues of a team's recurring duties, the first seen first."""
    with ledger.read() as session:
        return recurring_items_in(session, team)


def recurring_items_in(session: Session, team: str) -> tuple[ItemState, ...]:
    """Return the issues of a team's recurring duties, the first seen first."""
    return tuple(load(session, ItemState, _ITEMS, {"team": team}))


_ITEMS = (
    select_records(ItemState)
    .where(col(ActionItemRow.team) == bindparam("team"))
    .order_by(col(ActionItemRow.first_seen_at), col(ActionItemRow.issue_id))
)


def majors(ledger: Transactions, team: str, since: datetime, until: datetime) -> list[Major]:
    """Return a team's incidents that were resolved in [since, until] and have a ticket, the oldest first."""
    query = (
        select(IncidentRow, TicketRow.issue_id)
        .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id))
        .where(
            IncidentRow.team == team,
            IncidentRow.status == IncidentStatus.RESOLVED,
            col(IncidentRow.merged_into).is_(None),
            col(IncidentRow.resolved_at) >= since,
            col(IncidentRow.resolved_at) <= until,
        )
        .order_by(col(IncidentRow.resolved_at), col(IncidentRow.number))
    )
    with ledger.read() as session:
        return [
            Major(
                id=row.id,
                number=row.number,
                resolved_at=row.resolved_at or until,
                severity_periods=tuple(SeverityPeriod.model_validate(each) for each in row.severity_periods),
                ticket=issue_id,
            )
            for row, issue_id in session.exec(query).all()
        ]


def note_dry_run(ledger: Transactions, notes: dict[str, list[str]]) -> None:
    """Store what recurring duties in mode `report` would do now, by ident."""
    if get_value(ledger, NOTES) != notes:
        set_value(ledger, NOTES, **notes)
