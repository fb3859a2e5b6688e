"""What is known of other ledgers that make tickets for the same incidents."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from syncd.domain.base import JsonValue
from syncd.domain.operation import Target
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import audit, holds
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in
from syncd.ledger.store.tables import IncidentRow, TicketRow

KEY = "rivals"


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """What is known of rivals by instance (`first`, `latest`: issue ids), and whether all writes are paused.

    `claimed` are those of the incidents asked for that belong to a team.
    """

    claimed: frozenset[str]
    known: dict[str, Any]
    stopped: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether this ledger is the younger one, and whether the other one was not known before."""

    younger: bool
    new: bool


def rivals(ledger: Transactions, incident_ids: Collection[str]) -> DaemonStatus:
    """Return what is known of rivals, and which of these incidents belong to a team."""
    with ledger.read() as session:
        claimed = session.connection().scalars(_CLAIMED, {"ids": list(incident_ids)})
        paused = holds.pauses(session).keys()
        return DaemonStatus(
            claimed=frozenset(claimed),
            known=get_cursor_in(session, KEY),
            stopped=paused >= {str(target) for target in Target},
        )


_CLAIMED = select(col(IncidentRow.id)).where(
    col(IncidentRow.id).in_(bindparam("ids", expanding=True)), col(IncidentRow.team).is_not(None)
)


def first_and_projects(ledger: Transactions) -> tuple[int | None, set[str]]:
    """Return the lowest issue id of a ticket that this ledger made, and the projects of all tickets."""
    with ledger.read() as session:
        return _our_first(session), set(session.connection().scalars(_PROJECTS))


def _our_first(session: Session) -> int | None:
    return min(map(int, session.connection().scalars(_MADE)), default=None)


_MADE = select(col(TicketRow.issue_id)).where(col(TicketRow.origin) == "operation")
_PROJECTS = select(col(TicketRow.project)).distinct()


def judge_rival(
    ledger: Transactions,
    instance: str,
    ticket: tuple[str, str],
    first: int,
    pause: tuple[str, str] | None,
    now: datetime,
) -> Verdict:
    """Put a ticket (id, key) of another ledger on record, whose first one has the issue id `first`.

    `pause`: the reason and the name under which all writes are paused where this ledger is the younger one.
    """
    with ledger.write() as session:
        ours = _our_first(session)
        younger = ours is None or first < ours
        known = get_cursor_in(session, KEY)
        before: Any = known.get(instance, {})
        issue_id, key = ticket
        known[instance] = {
            "first": str(first),
            "latest": issue_id,
            "key": key,
            "since": before.get("since", now.isoformat()),
            "younger": younger,
        }
        set_cursor_in(session, KEY, **known)
        if not before or before.get("younger") != younger:
            data: dict[str, JsonValue] = {"instance": instance, "key": key, "younger": younger}
            audit.append(session, now, "rival.found", issue=issue_id, data=data)
        if younger and pause is not None:
            holds.pause(session, list(Target), *pause, now)
        return Verdict(younger, not before)
