"""Hold back decided writes in an unaccepted first load, in a held mass of writes and in a pause.

A new ledger counts what it would make of incidents that began before its first start, before any of it
leaves. A write to a ticket whose incident did not
change (a reload, a resync, somebody's bulk change in Jira) begins as held; when all that was handed out
is decided, few such writes are let go and many wait for a person. Few is counted over the last hour, but for
what follows people's acts in Jira, one by one: that is only counted where it comes at once. Observing and
deciding always go on.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock
from typing import Any, NamedTuple

from loguru import logger

from syncd.domain.clock import Clock
from syncd.domain.operation import Kind, Operation, Target
from syncd.ledger.open import Ledger
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import first_load, holds
from syncd.ledger.store.change_queue import RESYNC, ChangeNotice
from syncd.ledger.store.first_load import FirstLoad
from syncd.policy.marks import mark_in
from syncd.policy.restricted import ASPECT as LEVEL

OURSELVES = "syncd"
EARLY = timedelta(seconds=1)
"""How much a timer may fire before its time: the stored time has no fractions of a second."""

Fingerprint = dict[str, Any]


class UpTo(NamedTuple):
    """The latest operation at one time, and how many operations had begun as held by then."""

    operation: int
    marks: int


class Brakes:
    """The brakes on one executor's writes: the held first load and held mass writes, stored in the ledger."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._passed = False
        self._to_count = False
        self._marks, self._judged = 1, 0
        self._by_people: set[str] = set()
        self._noting = Lock()

    def may_leave(self, target: str) -> bool:
        """Return True if everything may leave for a target now."""
        return holds.may_leave(self._ledger, target)

    def accepted(self) -> bool:
        """Return True if the first load is accepted or was small; then it never holds anything again."""
        self._passed = self._passed or first_load.is_accepted(self._ledger)
        return self._passed

    def read_whole(self) -> None:
        """Note that syncd read both services and queued the incidents: waiting creates can be counted."""
        self._to_count = not self._passed

    def unprovoked(
        self, row: IncidentRecord, has_ticket: bool, operations: Iterable[Operation], version: str
    ) -> frozenset[str]:
        """Return the keys of the operations that write to the ticket of an incident that did not change.

        A security level is never held: it protects texts.
        """
        if not has_ticket or not _same_as_at_rest(row, version, self._clock.now()):
            return frozenset()
        return frozenset(
            op.key
            for op in operations
            if (op.target is Target.JIRA or op.kind is Kind.CHANGE_INCIDENT)
            and op.kind is not Kind.CREATE_TICKET
            and op.aspect != LEVEL
        )

    def note_held(
        self, row: IncidentRecord, held: frozenset[str], version: str, notices: Iterable[ChangeNotice] = ()
    ) -> None:
        """Note that operations are stored as held and wait for a judgement.

        `notices` are the notices that their decision answers.
        """
        with self._noting:
            self._marks += bool(held)
            if _follows_people(row, version, notices):
                self._by_people |= held
            else:
                self._by_people -= held

    def latest(self) -> UpTo:
        """Return how far operations are decided; `judge` leaves out later ones."""
        marks = self._marks
        return UpTo(holds.latest_operation(self._ledger), marks)

    def to_judge(self) -> bool:
        """Return True if operations or a first load wait for a judgement."""
        return self._marks != self._judged or self._to_count

    def judge(self, up_to: UpTo) -> list[str]:
        """Judge the held operations up to a number: release them if they are few.

        Return the incidents whose operations may leave now.
        """
        now = self._clock.now()
        with self._noting:
            by_people = frozenset(self._by_people)
        judgement = holds.judge(
            self._ledger, now, OURSELVES, up_to.operation, count=self._to_count, by_people=by_people
        )
        if not judgement.more:
            with self._noting:
                self._by_people -= by_people
        self._judged = up_to.marks - judgement.more
        if judgement.first_load is not None:
            self._to_count = judgement.first_load is FirstLoad.COUNTING
            self._passed = self._passed or judgement.first_load is FirstLoad.PASSED
        if judgement.creates is not None:
            logger.error(
                "this new ledger would create {} tickets for incidents that began before its first start;"
                " syncd holds them: read `syncd status`, then run `syncd accept`",
                judgement.creates,
            )
        if judgement.mass is not None:
            logger.error(
                "syncd would write to {} tickets whose incidents did not change; syncd holds these writes:"
                " read `syncd outbox`, then run `syncd outbox release`",
                judgement.mass,
            )
        return judgement.freed


def settled_fingerprint(row: IncidentRecord, version: str, again: float | None, now: datetime) -> Fingerprint:
    """Return the fingerprint of an incident for which nothing is left to do: its facts, the rules, the end.

    `again`: seconds from `now` after which time alone may make something due.
    """
    until = None if again is None else (now + timedelta(seconds=again)).replace(microsecond=0).isoformat()
    unknown = [name for name in ONLY_BY_ID if row.snapshot.get(name) is None]
    return {"print": print_of(row, unknown), "rules": version, "until": until, "unknown": unknown}


ONLY_BY_ID = ("custom_fields", "incident_type")
"""Facts that lists of incidents leave out: a read by id that brings them shows no change."""


def print_of(row: IncidentRecord, unknown: Collection[str] | None = None) -> str:
    """Return a hash of the incident and of people's notes, without the facts that are `unknown`.

    None: without those that were unknown when nothing was left to do. Our own notes and the time of the last
    update do not count: each note of ours moves that time.
    """
    if unknown is None:
        unknown = (row.settled_fingerprint or {}).get("unknown", ())
    left_out = {"updated_at", *unknown}
    facts = {name: value for name, value in row.snapshot.items() if name not in left_out}
    notes = [note for note in row.notes or () if mark_in(str(note.get("text", ""))) is None]
    text = json.dumps([facts, notes, row.merged_into], sort_keys=True, ensure_ascii=True)
    return sha256(text.encode()).hexdigest()[:32]


def _same_as_at_rest(row: IncidentRecord, version: str, now: datetime) -> bool:
    """Return True if an incident looks as it did when nothing was left to do, and no clock of it is due."""
    fingerprint = row.settled_fingerprint
    if fingerprint is None or fingerprint["print"] != print_of(row):
        return False
    due = fingerprint["until"] is not None and now >= datetime.fromisoformat(fingerprint["until"]) - EARLY
    return not (due and fingerprint["rules"] == version)


def _follows_people(row: IncidentRecord, version: str, notices: Iterable[ChangeNotice]) -> bool:
    """Return True if the rules are unchanged and a read, not a resync, saw a change."""
    same_rules = row.settled_fingerprint is not None and row.settled_fingerprint["rules"] == version
    return same_rules and any(notice.why != RESYNC for notice in notices)
