"""The brakes that keep decided writes from leaving: a first load, a mass of writes, a pause.

The ledger stores all brakes, so that they survive a restart and every command sees the same. Each change has
its audit event in the same transaction. What a first load holds, and how long, is in `first_load`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import literal
from sqlalchemy import select as columns
from sqlmodel import Session, col, func

from syncd.domain.base import JsonValue
from syncd.domain.operation import WORKING_STATES, Kind, OperationState, Target
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.store import audit, first_load, operation_states, outbox
from syncd.ledger.store.first_load import FirstLoad
from syncd.ledger.store.key_values import drop_cursor_in, get_cursor_in, set_cursor_in
from syncd.ledger.store.tables import KeyValueRow, OperationRow

MASS_AT_MOST = 25
"""How many unchanged incidents' tickets syncd may write to in an `HOUR` without `syncd outbox release`."""
HOUR = timedelta(hours=1)

_MASS, _PAUSE = "mass_of_writes", "pause"
_UNASKED = "unasked_writes"

Data = dict[str, Any]


@dataclass(frozen=True)
class DaemonStatus:
    """The brakes now: the state of the first load, since when a mass is held, the pauses by target."""

    first_load: FirstLoad
    mass_since: str | None
    pauses: dict[str, Data]


def standing(ledger: Transactions) -> DaemonStatus:
    """Return the brakes as they are now."""
    with ledger.read() as session:
        return DaemonStatus(first_load.state_of(session), mass_since(session), pauses(session))


def may_leave(ledger: Transactions, target: str) -> bool:
    """Return True if the first load holds nothing and the target is not paused."""
    with ledger.read() as session:
        return may_leave_in(session, target, ())


def may_leave_in(session: Session, target: str, incident_ids: Iterable[str]) -> bool:
    """Return True if the target is not paused and the first load holds none of these incidents.

    Without `incident_ids` the question is about all incidents.
    """
    # one statement for both brakes, because each request that leaves asks for them
    values: dict[str, Data] = dict(_BRAKES.all(session))
    if isinstance((values.get(_PAUSE) or {}).get(target), dict):
        return False
    if first_load.state_in(values.get(first_load.NAME) or {}) is FirstLoad.PASSED:
        return True
    asked = set(incident_ids)
    return bool(asked) and not any(first_load.holds(session, incident_id) for incident_id in asked)


def awaited_command(session: Session, target: str) -> str:
    """Return the command that lets operations for a target leave again."""
    return f"`syncd resume {target}`" if target in pauses(session) else "`syncd accept`"


_BRAKES = Prepared(
    columns(col(KeyValueRow.name), col(KeyValueRow.value)).where(
        col(KeyValueRow.name).in_([literal(first_load.NAME), literal(_PAUSE)])
    )
)


def held_tickets(session: Session) -> int:
    """Return how many tickets have a held operation."""
    return int(_HELD_TICKETS.scalar(session) or 0)


_HELD_TICKETS = Prepared(
    columns(func.count(col(OperationRow.incident_id).distinct())).where(
        col(OperationRow.state) == OperationState.HELD
    )
)


def mass_since(session: Session) -> str | None:
    """Return since when (ISO 8601, UTC) a mass of writes waits for a release, None if none does."""
    since = get_cursor_in(session, _MASS).get("since")
    return str(since) if since else None


def mass_data(session: Session) -> Data | None:
    """Return the held mass of writes as `status` shows it, None if none is held."""
    since = mass_since(session)
    tickets = held_tickets(session) if since else 0
    return {"since": since, "tickets": tickets} if tickets else None


def mass_held(ledger: Transactions) -> Data | None:
    """Return the held mass of writes as `status` shows it, None if none is held."""
    with ledger.read() as session:
        return mass_data(session)


def hold_mass(session: Session, now: datetime) -> None:
    """Store that the held operations are a mass, which waits for `syncd outbox release`."""
    set_cursor_in(session, _MASS, since=now.isoformat())
    audit.append(session, now, "mass.held", data={"tickets": held_tickets(session)})


def end_mass_if_gone(session: Session) -> None:
    """End a mass of which nothing is held any more: later held operations are judged by themselves."""
    if mass_since(session) and not held_tickets(session):
        drop_cursor_in(session, _MASS)


def latest_operation(ledger: Transactions) -> int:
    """Return the number of the latest operation, 0 if there is none."""
    with ledger.read() as session:
        return session.connection().scalar(_HIGHEST) or 0


_HIGHEST = columns(func.max(col(OperationRow.id)))


def pauses(session: Session) -> dict[str, Data]:
    """Return the paused targets, each with `reason`, `by` and `since`."""
    return {
        name: dict(value) for name, value in get_cursor_in(session, _PAUSE).items() if isinstance(value, dict)
    }


def pause(session: Session, targets: Iterable[Target], reason: str, by: str, now: datetime) -> None:
    """Pause these targets; this replaces an earlier pause of the same target."""
    names = [str(target) for target in targets]
    entry = {"reason": reason, "by": by, "since": now.isoformat()}
    set_cursor_in(session, _PAUSE, **{**pauses(session), **dict.fromkeys(names, entry)})
    data: dict[str, JsonValue] = {
        "targets": [*names],
        "by": audit.salted(session, by),
        # the words stay in the entry and the request, where `syncd forget` can delete them
        "why": audit.salted(session, reason),
    }
    audit.append(session, now, "paused", data=data)


def resume(session: Session, targets: Iterable[Target], by: str, now: datetime) -> list[str]:
    """End the pauses of these targets; return the targets that were paused."""
    paused = pauses(session)
    lifted = [str(target) for target in targets if str(target) in paused]
    if lifted:
        left = {name: entry for name, entry in paused.items() if name not in lifted}
        set_cursor_in(session, _PAUSE, **left)
        data: dict[str, JsonValue] = {"targets": [*lifted], "by": audit.salted(session, by)}
        audit.append(session, now, "resumed", data=data)
    return lifted


def release(session: Session, now: datetime, by: str, *, ids: Iterable[int] | None = None) -> list[str]:
    """Release held operations (all, or these ids); return their incidents."""
    rows = outbox.listing(session, [OperationState.HELD])
    chosen_ids = None if ids is None else set(ids)
    chosen = [row for row in rows if chosen_ids is None or row.id in chosen_ids]
    operation_states.release(session, chosen, now, by)
    end_mass_if_gone(session)
    return sorted({row.incident_id for row in chosen})


@dataclass(frozen=True)
class Judgement:
    """The verdict on the writes that were held until all incidents were decided on.

    `freed` are incidents whose operations may leave now. `first_load` is the state of the first load, None if
    it was not judged; `creates` counts its tickets if it is held from now on. `mass` counts the tickets of a
    mass that is held from now on. `more`: later operations are held and wait for another judgement.
    """

    freed: list[str]
    first_load: FirstLoad | None = None
    creates: int | None = None
    mass: int | None = None
    more: bool = False


def judge(
    ledger: Transactions, now: datetime, by: str, up_to: int, *, count: bool, by_people: Container[str] = ()
) -> Judgement:
    """Release the held operations up to a number if they are few, and hold them as a mass if they are many.

    `count`: both services were read whole, so judge the first load, too. `by_people` are the keys of
    operations that follow a person's change in Jira: they count for this judgement, not for the hour.
    """
    with ledger.write() as session:
        first, creates, begun = _judge_counted(session, now) if count else (None, None, list[str]())
        freed, mass, more = _judge_mass(session, now, by, up_to, by_people)
        return Judgement([*begun, *freed], first, creates, mass, more)


def _judge_counted(session: Session, now: datetime) -> tuple[FirstLoad, int | None, list[str]]:
    """Return the state of the first load, its tickets if it is newly held, and the incidents set free."""
    before, after = first_load.state_of(session), first_load.judge(session, now)
    if after is FirstLoad.PASSED:
        return after, None, outbox.incidents_with_work(session)
    newly = after is FirstLoad.HELD and before is FirstLoad.COUNTING
    return after, first_load.counts_by_kind(session).get(Kind.CREATE_TICKET, 0) if newly else None, []


def _judge_mass(
    session: Session, now: datetime, by: str, up_to: int, by_people: Container[str]
) -> tuple[list[str], int | None, bool]:
    """Return the incidents set free, the tickets of a newly held mass, and True if more is to be judged."""
    end_mass_if_gone(session)
    # a held mass waits for a person, and what comes now waits with it
    if mass_since(session):
        return [], None, False
    held = outbox.listing(session, [OperationState.HELD])
    judged = [row for row in held if (row.id or 0) <= up_to]
    chosen = _let_go(session, judged, now, by_people)
    freed = release(session, now, by, ids=[row.id or 0 for row in chosen]) if chosen else []
    left = {row.incident_id for row in judged if row not in chosen}
    if left:
        hold_mass(session, now)
        return freed, len(left), False
    return freed, None, len(held) > len(judged)


def _let_go(
    session: Session, judged: Sequence[OperationRow], now: datetime, by_people: Container[str]
) -> list[OperationRow]:
    """Choose the held operations that may leave without a person, oldest first, and count them for the hour.

    A mass is held as a whole. If the writes come bit by bit, the 26th ticket within the hour is the first
    that is held.
    """
    # a wrong rule that reaches some of the tickets is no better than one that reaches all
    if len({row.incident_id for row in judged}) > MASS_AT_MOST:
        return []
    counted = _unasked_of_the_hour(session, now)
    written = {row.incident_id for row in counted}
    chosen = []
    for row in judged:
        if row.key not in by_people:
            if row.incident_id not in written and len(written) >= MASS_AT_MOST:
                continue
            written.add(row.incident_id)
            counted.append(row)
        chosen.append(row)
    set_cursor_in(session, _UNASKED, operations=[row.id for row in counted])
    return chosen


def _unasked_of_the_hour(session: Session, now: datetime) -> list[OperationRow]:
    """Return the operations released without a person that are on their way, or left within the last hour.

    A pause can keep a released operation back.
    """
    ids = get_cursor_in(session, _UNASKED).get("operations")
    rows = [session.get(OperationRow, number) for number in ids] if isinstance(ids, list) else []
    return [row for row in rows if row is not None and (row.state in WORKING_STATES or _left(row, now))]


def _left(row: OperationRow, now: datetime) -> bool:
    return row.claimed_at is not None and row.claimed_at > now - HOUR
