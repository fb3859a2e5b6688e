"""The first load: the writes of a new ledger about incidents that began before its first start.

It is held while it is counted, and if it is large until the operator accepts it. Writes about later incidents
leave at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, or_
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from syncd.domain.mail import OPERATOR, concerns_no_incident
from syncd.domain.operation import Kind, OperationState
from syncd.domain.recurring import PREFIX, recurring_of
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import audit
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in
from syncd.ledger.store.tables import ChangeNoticeRow, IncidentRow, MetaRow, OperationRow, TicketRow

FIRST_LOAD_AT_MOST = 50
"""How many tickets a new ledger may make without `syncd accept`."""
NAME = "first_load"
"""The name under which the ledger stores the state."""


class FirstLoad(StrEnum):
    """The state of a first load: being counted, held until the operator accepts it, or passed."""

    COUNTING = "counting"
    HELD = "held"
    PASSED = "passed"


def holds(session: Session, incident_id: str) -> bool:
    """Return True if an incident began before the ledger's first start, so that a first load holds it."""
    if concerns_no_incident(incident_id):
        # a mail to a whole team may tell of such incidents; what tells of none is not held
        return incident_id != OPERATOR and recurring_of(incident_id) is None
    created_at = session.connection().scalar(_CREATED_AT, {"incident": incident_id})
    # an incident that is not on record counts as old
    return created_at is None or created_at < _first_start(session)


_CREATED_AT = columns(col(IncidentRow.created_at)).where(col(IncidentRow.id) == bindparam("incident"))


def _first_start(session: Session) -> datetime:
    return datetime.fromisoformat(session.get_one(MetaRow, "born").value)


def is_accepted(ledger: Transactions) -> bool:
    """Return True if the first load has passed, so that it holds nothing; it never comes back."""
    with ledger.read_one() as session:
        return state_of(session) is FirstLoad.PASSED


def state_of(session: Session) -> FirstLoad:
    """Return the state of the first load."""
    return state_in(get_cursor_in(session, NAME))


def state_in(stored: Mapping[str, Any]) -> FirstLoad:
    """Return the state of a first load as the ledger stores it under `NAME`."""
    return FirstLoad(str(stored.get("state", FirstLoad.COUNTING)))


def data_of(session: Session) -> dict[str, Any]:
    """Return the first load for `status` and `plan`: its state, and while it is held the counts by kind."""
    stored = get_cursor_in(session, NAME)
    state = state_of(session)
    return {
        "state": state,
        "since": stored.get("since"),
        "counts": counts_by_kind(session) if state is FirstLoad.HELD else {},
    }


def held(ledger: Transactions) -> tuple[datetime, int] | None:
    """Return since when (UTC) and how many tickets wait for `syncd accept`, None if none do."""
    with ledger.read() as session:
        stored = get_cursor_in(session, NAME)
        if state_in(stored) is not FirstLoad.HELD:
            return None
        tickets = stored.get("tickets")
        return datetime.fromisoformat(str(stored["since"])), tickets if isinstance(tickets, int) else 0


def counts_by_kind(session: Session) -> dict[str, int]:
    """Return how many operations of each kind wait for incidents from before the ledger's first start."""
    states = [str(OperationState.PENDING), str(OperationState.HELD)]
    query = (
        select(OperationRow.kind, func.count())
        .join(IncidentRow, col(IncidentRow.id) == col(OperationRow.incident_id), isouter=True)
        .where(
            col(OperationRow.state).in_(states),
            OperationRow.incident_id != OPERATOR,
            col(OperationRow.incident_id).not_like(f"{PREFIX}%"),
            or_(col(IncidentRow.created_at).is_(None), col(IncidentRow.created_at) < _first_start(session)),
        )
        .group_by(col(OperationRow.kind))
        .order_by(col(OperationRow.kind))
    )
    return {kind: int(number) for kind, number in session.exec(query).all()}


def judge(session: Session, now: datetime) -> FirstLoad:
    """Count the tickets that a new ledger would make, and hold the first load or let it pass.

    Call this when both services have been read whole. Counting goes on while undecided incidents might still
    bring the count above `FIRST_LOAD_AT_MOST`.
    """
    state = state_of(session)
    if state is not FirstLoad.COUNTING:
        return state
    counts = counts_by_kind(session)
    creates = counts.get(Kind.CREATE_TICKET, 0)
    if creates > FIRST_LOAD_AT_MOST:
        since = now.isoformat()
        set_cursor_in(session, NAME, state=FirstLoad.HELD, since=since, tickets=creates)
        audit.append(session, now, "first_load.held", data={**counts})
        return FirstLoad.HELD
    if creates + _undecided(session) > FIRST_LOAD_AT_MOST:
        return FirstLoad.COUNTING
    set_cursor_in(session, NAME, state=FirstLoad.PASSED, since=now.isoformat())
    return FirstLoad.PASSED


def _undecided(session: Session) -> int:
    """Return how many claimed incidents from before the first start wait for a decision about a ticket."""
    creates = select(OperationRow.incident_id).where(OperationRow.kind == Kind.CREATE_TICKET)
    return session.exec(
        select(func.count(col(ChangeNoticeRow.incident_id).distinct()))
        .join(IncidentRow, col(IncidentRow.id) == col(ChangeNoticeRow.incident_id))
        .where(
            col(IncidentRow.team).is_not(None),
            col(IncidentRow.created_at) < _first_start(session),
            col(IncidentRow.id).not_in(select(TicketRow.incident_id)),
            col(IncidentRow.id).not_in(creates),
        )
    ).one()


def accept(session: Session, accepted_by: str, now: datetime) -> dict[str, int] | None:
    """Let a held first load pass; return the waiting operations by kind, None if it was not held."""
    if state_of(session) is not FirstLoad.HELD:
        return None
    counts = counts_by_kind(session)
    set_cursor_in(session, NAME, state=FirstLoad.PASSED, since=now.isoformat())
    by = audit.salted(session, accepted_by)
    audit.append(session, now, "first_load.accepted", data={"by": by, "counts": {**counts}})
    return counts
