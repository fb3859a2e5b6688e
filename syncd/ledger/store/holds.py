"""What keeps decided writes from leaving: a first load, a mass of writes, a pause (rules: "brakes").

All of it stands in the ledger, so that it survives a restart and every command sees the same. The functions
that change something write their audit event in the same transaction.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from syncd.domain.base import JsonValue
from syncd.domain.operation import Kind, OperationState, Target
from syncd.ledger.store import audit, outbox
from syncd.ledger.store.key_values import drop_cursor, get_cursor, set_cursor
from syncd.ledger.store.tables import IncidentRow, LookAgainRow, OperationRow, TicketRow

FIRST_LOAD_AT_MOST = 50
"""Tickets that a new ledger may make unasked."""
MASS_AT_MOST = 25
"""Existing tickets of unchanged incidents that may be written to unasked."""

_FIRST_LOAD, _MASS, _PAUSE = "first_load", "mass_of_writes", "pause"

Data = dict[str, Any]


class FirstLoad(StrEnum):
    """How far a new ledger has come: what it would make is counted, held for an acceptance, or let go."""

    COUNTING = "counting"
    HELD = "held"
    PASSED = "passed"


def first_load(session: Session) -> FirstLoad:
    """Where the first load stands."""
    return FirstLoad(str(get_cursor(session, _FIRST_LOAD).get("state", FirstLoad.COUNTING)))


def first_load_data(session: Session) -> Data:
    """The first load as `status` and `plan` show it: its state, and while it is held, what waits by kind."""
    known = get_cursor(session, _FIRST_LOAD)
    state = first_load(session)
    return {
        "state": state,
        "since": known.get("since"),
        "counts": counts_by_kind(session) if state is FirstLoad.HELD else {},
    }


def counts_by_kind(session: Session) -> dict[str, int]:
    """How many operations of each kind wait to leave."""
    states = [str(OperationState.PENDING), str(OperationState.HELD)]
    query = (
        select(OperationRow.kind, func.count())
        .where(col(OperationRow.state).in_(states))
        .group_by(col(OperationRow.kind))
        .order_by(col(OperationRow.kind))
    )
    return {kind: int(number) for kind, number in session.exec(query).all()}


def judge_first_load(session: Session, now: datetime) -> FirstLoad:
    """Count what a new ledger would make, once all of it was read, and decide whether that is too much.

    Where some incidents could not be decided on yet and might tip the scales, it goes on counting.
    """
    state = first_load(session)
    if state is not FirstLoad.COUNTING:
        return state
    creates = _tickets_to_make(session)
    if creates > FIRST_LOAD_AT_MOST:
        counts: dict[str, JsonValue] = {**counts_by_kind(session)}
        set_cursor(session, _FIRST_LOAD, state=FirstLoad.HELD, since=now.isoformat())
        audit.append(session, now, "first_load.held", data=counts)
        return FirstLoad.HELD
    if creates + _undecided(session) > FIRST_LOAD_AT_MOST:
        return FirstLoad.COUNTING
    set_cursor(session, _FIRST_LOAD, state=FirstLoad.PASSED, since=now.isoformat())
    return FirstLoad.PASSED


def _tickets_to_make(session: Session) -> int:
    return session.exec(
        select(func.count())
        .select_from(OperationRow)
        .where(OperationRow.kind == Kind.CREATE_TICKET, OperationRow.state == OperationState.PENDING)
    ).one()


def _undecided(session: Session) -> int:
    """Claimed incidents without a ticket that nobody has decided on."""
    creates = select(OperationRow.incident_id).where(OperationRow.kind == Kind.CREATE_TICKET)
    return session.exec(
        select(func.count(col(LookAgainRow.incident_id).distinct()))
        .join(IncidentRow, col(IncidentRow.id) == col(LookAgainRow.incident_id))
        .where(
            col(IncidentRow.team).is_not(None),
            col(IncidentRow.id).not_in(select(TicketRow.incident_id)),
            col(IncidentRow.id).not_in(creates),
        )
    ).one()


def accept_first_load(session: Session, who: str, now: datetime) -> dict[str, int] | None:
    """A person accepts the first load; return what was waiting by kind, None where nothing was held."""
    if first_load(session) is not FirstLoad.HELD:
        return None
    counts = counts_by_kind(session)
    set_cursor(session, _FIRST_LOAD, state=FirstLoad.PASSED, since=now.isoformat())
    by = audit.salted(session, who)
    audit.append(session, now, "first_load.accepted", data={"by": by, "counts": {**counts}})
    return counts


def held_tickets(session: Session, up_to: int | None = None) -> int:
    """How many tickets have a held operation, of those decided up to operation `up_to`."""
    found = session.connection().scalar(_HELD_TICKETS, {"up_to": sys.maxsize if up_to is None else up_to})
    return int(found or 0)


_HELD_TICKETS = columns(func.count(col(OperationRow.object).distinct())).where(
    col(OperationRow.state) == OperationState.HELD, col(OperationRow.id) <= bindparam("up_to")
)


def mass_since(session: Session) -> str | None:
    """Since when a mass of writes waits for a release; None: none does."""
    since = get_cursor(session, _MASS).get("since")
    return str(since) if since else None


def mass_data(session: Session) -> Data | None:
    """The mass of writes that is held, as `status` shows it; None: none is."""
    since, tickets = mass_since(session), held_tickets(session)
    return {"since": since, "tickets": tickets} if since and tickets else None


def hold_mass(session: Session, now: datetime) -> None:
    """What is held now waits for a person."""
    set_cursor(session, _MASS, since=now.isoformat())
    audit.append(session, now, "mass.held", data={"tickets": held_tickets(session)})


def end_mass(session: Session) -> None:
    """Nothing is held any more."""
    drop_cursor(session, _MASS)


def highest_operation(session: Session) -> int:
    """The number of the latest operation: what was decided up to now."""
    return session.connection().scalar(_HIGHEST) or 0


_HIGHEST = columns(func.max(col(OperationRow.id)))


def pauses(session: Session) -> dict[str, Data]:
    """The targets that nothing leaves for: each with `reason`, `by` and `since`."""
    return {
        name: dict(value) for name, value in get_cursor(session, _PAUSE).items() if isinstance(value, dict)
    }


def pause(session: Session, targets: Iterable[Target], reason: str, who: str, now: datetime) -> None:
    """Nothing of these targets leaves from now on; who paused one already is replaced."""
    named = [str(target) for target in targets]
    said = {"reason": reason, "by": who, "since": now.isoformat()}
    set_cursor(session, _PAUSE, **{**pauses(session), **dict.fromkeys(named, said)})
    data: dict[str, JsonValue] = {
        "targets": [*named],
        "reason": reason,
        "by": audit.salted(session, who),
    }
    audit.append(session, now, "paused", data=data)


def resume(session: Session, targets: Iterable[Target], who: str, now: datetime) -> list[str]:
    """What is decided for these targets may leave again; return those that had been paused."""
    standing = pauses(session)
    lifted = [str(target) for target in targets if str(target) in standing]
    if lifted:
        set_cursor(session, _PAUSE, **{name: one for name, one in standing.items() if name not in lifted})
        data: dict[str, JsonValue] = {"targets": [*lifted], "by": audit.salted(session, who)}
        audit.append(session, now, "resumed", data=data)
    return lifted


def release(
    session: Session, now: datetime, who: str, *, up_to: int | None = None, ids: Iterable[int] | None = None
) -> list[str]:
    """Held operations may leave: all, those up to a number, or these; return their incidents."""
    rows = outbox.listing(session, [OperationState.HELD])
    wanted = None if ids is None else set(ids)
    chosen = [
        row
        for row in rows
        if (up_to is None or (row.id or 0) <= up_to) and (wanted is None or row.id in wanted)
    ]
    outbox.release(session, chosen, now, who)
    if len(chosen) == len(rows):
        end_mass(session)
    return sorted({row.incident_id for row in chosen})
