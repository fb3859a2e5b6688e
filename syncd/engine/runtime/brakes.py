"""Whether a decided write may leave: not in an unaccepted first load, not in a held mass, not in a pause.

A new ledger counts what it would make before anything leaves. A write to a ticket whose incident did not
change (a reload, a resync, somebody's bulk change in Jira) begins as held; when all that was handed out
is decided, few such writes are let go and many wait for a person. Observing and deciding always go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from loguru import logger
from sqlmodel import Session

from syncd.domain.clock import Clock
from syncd.domain.operation import Kind, Operation, Target
from syncd.ledger.open import Ledger
from syncd.ledger.store import holds, outbox
from syncd.ledger.store.holds import FirstLoad
from syncd.ledger.store.tables import IncidentRow
from syncd.policy.marks import mark_in
from syncd.policy.restricted import ASPECT as LEVEL

OURSELVES = "syncd"
EARLY = timedelta(seconds=1)
"""A timer may be this much before its moment: seconds are rounded."""

Rest = dict[str, Any]


class Brakes:
    """What one executor's writes are held by; all of it stands in the ledger."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._passed = False
        self._to_count = False
        self._unjudged = True

    def may_leave(self, session: Session, target: str) -> bool:
        """Whether anything may leave for a target now."""
        return self.accepted(session) and target not in holds.pauses(session)

    def may_leave_now(self, target: str) -> bool:
        """As `may_leave`, in a transaction of its own."""
        with self._ledger.db.read() as session:
            return self.may_leave(session, target)

    def accepted(self, session: Session) -> bool:
        """Whether the first load is behind us; it never comes back."""
        self._passed = self._passed or holds.first_load(session) is FirstLoad.PASSED
        return self._passed

    def accepted_now(self) -> bool:
        """As `accepted`, in a transaction of its own where it has to be read."""
        if self._passed:
            return True
        with self._ledger.db.read() as session:
            return self.accepted(session)

    def read_whole(self) -> None:
        """Both services were read and what was found is handed out: what waits can be counted."""
        self._to_count = not self._passed

    def unprovoked(
        self, row: IncidentRow, has_ticket: bool, operations: Iterable[Operation], version: str
    ) -> frozenset[str]:
        """The keys of those operations that write to the ticket of an incident that did not change.

        A security level is never held.
        """
        if not has_ticket or not _same_as_at_rest(row, version, self._clock.now()):
            return frozenset()
        held = frozenset(
            op.key
            for op in operations
            if (op.target is Target.JIRA or op.kind is Kind.CHANGE_INCIDENT)
            and op.kind is not Kind.CREATE_TICKET
            and op.aspect != LEVEL
        )
        self._unjudged = self._unjudged or bool(held)
        return held

    def latest(self) -> int:
        """The number of the latest operation; what is decided after it is not judged with it."""
        with self._ledger.db.read() as session:
            return holds.highest_operation(session)

    def to_judge(self) -> bool:
        """Whether there is anything to judge."""
        return self._unjudged or self._to_count

    def judge(self, up_to: int) -> list[str]:
        """All operations up to a number are decided: let go what is few; return whose may leave now."""
        now = self._clock.now()
        with self._ledger.db.write() as session:
            freed = self._judge_first_load(session, now) if self._to_count else []
            return freed + self._judge_mass(session, up_to, now)

    def _judge_first_load(self, session: Session, now: datetime) -> list[str]:
        before, after = holds.first_load(session), holds.judge_first_load(session, now)
        self._to_count = after is FirstLoad.COUNTING
        if after is FirstLoad.HELD and before is FirstLoad.COUNTING:
            count = holds.counts_by_kind(session).get(Kind.CREATE_TICKET, 0)
            logger.error(
                "this new ledger would make {} tickets, so it writes nothing: see `syncd status`, then"
                " `syncd accept`",
                count,
            )
        if after is not FirstLoad.PASSED:
            return []
        self._passed = True
        return outbox.incidents_with_work(session)

    def _judge_mass(self, session: Session, up_to: int, now: datetime) -> list[str]:
        self._unjudged = False
        tickets = holds.held_tickets(session, up_to)
        if holds.mass_since(session):
            if not tickets and not holds.held_tickets(session):
                holds.end_mass(session)
            return []
        if tickets <= holds.MASS_AT_MOST:
            self._unjudged = holds.held_tickets(session) > tickets
            return holds.release(session, now, OURSELVES, up_to=up_to) if tickets else []
        holds.hold_mass(session, now)
        logger.error(
            "{} tickets whose incidents did not change would be written to: held, see `syncd outbox`, then"
            " `syncd outbox release`",
            tickets,
        )
        return []


def rest_of(row: IncidentRow, version: str, again: float | None, now: datetime) -> Rest:
    """What an incident looks like for which nothing is left to do, under which rules, and until when.

    `again`: seconds from `now` after which the passing of time alone may ask for something.
    """
    until = None if again is None else (now + timedelta(seconds=again)).replace(microsecond=0).isoformat()
    return {"print": print_of(row), "rules": version, "until": until}


def print_of(row: IncidentRow) -> str:
    """The incident and what people wrote on it; our own notes change nothing, though they move its clock."""
    told = {name: value for name, value in row.snapshot.items() if name != "updated_at"}
    theirs = [note for note in row.notes or () if mark_in(str(note.get("text", ""))) is None]
    text = json.dumps([told, theirs, row.merged_into], sort_keys=True, ensure_ascii=True)
    return sha256(text.encode()).hexdigest()[:32]


def _same_as_at_rest(row: IncidentRow, version: str, now: datetime) -> bool:
    """Whether an incident looks as it did when nothing was left to do, and it is not time that passed."""
    rest = row.rest
    if rest is None or rest["print"] != print_of(row):
        return False
    due = rest["until"] is not None and now >= datetime.fromisoformat(rest["until"]) - EARLY
    return not (due and rest["rules"] == version)
