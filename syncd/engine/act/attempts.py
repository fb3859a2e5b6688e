"""Try the open operations of one incident: which may leave now, what the others wait for, and how they end.

`Later` tells the worker when to come back to the incident, and which other incidents go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from syncd.domain.operation import Kind, OperationState, Target
from syncd.engine.act.executor import Executor, Verdict
from syncd.engine.act.faults import park
from syncd.engine.act.lane_of import lane_of, tells_a_verdict
from syncd.engine.act.mail_rate import MailRate
from syncd.engine.act.notes_refused import seconds_held
from syncd.engine.act.refusals import trouble_of
from syncd.engine.act.unknown_outcomes import (
    LOOK_EVERY,
    give_up,
    resolve_told_with_another,
    resolve_unknown,
)
from syncd.engine.context import EngineContext
from syncd.engine.notify.bundle import carrier_of, freed, told_with
from syncd.engine.observe.incident import Seen
from syncd.engine.rulebook import projects_of
from syncd.engine.runtime.ledger_age import WAITS_FOR
from syncd.engine.runtime.waits import UNMAPPED, awaited
from syncd.ledger.database.connection import concerns_all
from syncd.ledger.errors import OperationMoved
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.leaving import Basis, basis_of, ready, render_anew
from syncd.ledger.store.lookups import open_operations
from syncd.ledger.store.outbox import incidents_waiting_for
from syncd.policy.restricted import ASPECT
from syncd.remote.errors import Cause, RemoteError
from syncd.remote.http.budget import PROBE_EVERY
from syncd.remote.http.lanes import lane

SOON = 1.0
"""Seconds until syncd looks again if the ledger's age is proved, in the first cycle after a start."""
RETRY_AFTER = 5.0
"""Seconds until syncd tries again an operation that waits for its service; a longer pause counts instead."""


@dataclass
class Later:
    """When the worker comes back, in seconds (None: never), and which incidents it wakes."""

    seconds: float | None = None
    wake: set[str] = field(default_factory=set)

    def at(self, seconds: float) -> None:
        """Come back after `seconds` at the latest."""
        self.seconds = seconds if self.seconds is None else min(self.seconds, seconds)


class Attempts:
    """Tries the operations of one incident after the other; the arguments are those of `Reconciler`."""

    def __init__(
        self,
        context: EngineContext,
        left_to_batches: Callable[[OperationRecord, IncidentRecord], bool],
        read_until: Callable[[], datetime | None],
        give_way: Callable[[str], None],
    ) -> None:
        self._context = context
        self._executor = Executor(context)
        self._mail_rate = MailRate(context)
        self._left_to_batches = left_to_batches
        self._read_until = read_until
        self._give_way = give_way

    def try_operations(self, incident_id: str, seen: Seen | None, later: Later, *, mails: str = "") -> bool:
        """Try each open operation that may leave; return True if anything changed.

        `mails`: try only the mails; it says what all else waits for.
        """
        context = self._context
        # `plan` and `--dry-run` decide and record on a copy, and send nothing
        if context.dry_run:
            return False
        operations = seen.operations if seen else None
        if operations is None:
            operations = open_operations(context.ledger, incident_id)
        context.troubles.keep_operations(incident_id, {trouble_of(row) for row in operations})
        moved, batched = False, set[str]()
        for row in sorted(operations, key=_turn):
            if context.stop.is_set():
                return False
            held = self._held(row, mails)
            if held:
                self._wait_for(row, held)
                continue
            if seen is not None and self._left_to_batches(row, seen.row):
                batched.add(row.key)
            if row.key in batched or not batched.isdisjoint(row.needs):
                continue
            self._give_way(incident_id)
            verdict = self._try(row, later)
            moved = moved or verdict in (Verdict.DONE, Verdict.AGAIN, Verdict.ENDED, Verdict.PARKED)
            done = verdict in (Verdict.DONE, Verdict.PARKED) or row.state == OperationState.PARKED
            if row.aspect == ASPECT and not done:
                # no text of a restricted incident leaves before its security level stands
                mails = "the security level of its ticket"
            # other incidents may wait for this ticket: a merge links to it
            if verdict is Verdict.DONE and row.kind == Kind.CREATE_TICKET:
                later.wake.update(incidents_waiting_for(context.ledger, row.key))
        return moved

    def wait_for_mapping(self, incident_id: str) -> None:
        """Store that the open operations of an incident wait, because no mapping claims it any more."""
        for row in open_operations(self._context.ledger, incident_id):
            self._wait_for(row, UNMAPPED)

    def wait_for_service(self, error: RemoteError, later: Later) -> None:
        """Come back when the service of a failed request may be asked again."""
        health = self._context.health
        health.failed(error.service, error)
        limited = error.retry_after or 0.0 if error.cause is Cause.LIMITED else 0.0
        later.at(max(RETRY_AFTER, health.wait(error.service), min(PROBE_EVERY, limited)))

    def _held(self, row: OperationRecord, mails: str) -> str:
        """Return what holds an operation although its service may be there, empty if nothing does."""
        if mails and row.target != Target.MAIL:
            return mails
        # its verdict may rest on what was on record before the start
        if self._read_until() is None and tells_a_verdict(row):
            return "the first read of both services after the start"
        return ""

    def _try(self, row: OperationRecord, later: Later) -> Verdict | None:
        """Try one operation; one on which syncd itself fails is parked, and the others go on."""
        try:
            return self._try_one(row, later)
        except OperationMoved:
            # an operator retried or dropped it meanwhile: read it again
            return Verdict.AGAIN
        except RemoteError as error:
            self.wait_for_service(error, later)
            return Verdict.WAIT
        except Exception as error:
            if concerns_all(error):
                raise
            return Verdict.PARKED if park(self._context, row, error) else Verdict.AGAIN

    def _try_one(self, row: OperationRecord, later: Later) -> Verdict | None:
        context, carrier = self._context, carrier_of(row)
        if carrier is not None:
            return self._told_with(row, carrier, later)
        if row.state == OperationState.IN_FLIGHT:
            # only the owner of the slot sends for an incident, so an earlier attempt failed before its end
            give_up(context, row)
            return Verdict.AGAIN
        if row.state not in (OperationState.PENDING, OperationState.UNKNOWN):
            return None
        wait = max(
            context.health.wait(row.service),
            context.troubles.wait_for(row.incident_id, trouble_of(row)),
            seconds_held(context, row) if row.state == OperationState.PENDING else 0.0,
        )
        if wait > 0:
            self._wait_for(row, self._awaited(row))
            later.at(wait)
            return Verdict.WAIT
        unknown = row.state == OperationState.UNKNOWN
        basis = basis_of(context.ledger, row.incident_id) if unknown else self._ready(row)
        if isinstance(basis, str):
            if basis == WAITS_FOR:
                later.at(SOON)
            self._wait_for(row, basis)
            return None
        with lane(lane_of(context, row, basis.incident)):
            if unknown:
                verdict, seconds = resolve_unknown(context, self._executor, row)
            elif row.target == Target.MAIL:
                verdict, seconds = self._try_mail(row, basis, later)
            else:
                verdict, seconds = self._executor.attempt(row, basis), RETRY_AFTER
            if verdict is Verdict.WAIT:
                budget = min(PROBE_EVERY, context.transport.budget.wait_for(row.service))
                trouble = context.troubles.wait_for(row.incident_id, trouble_of(row))
                later.at(max(seconds, context.health.wait(row.service), budget, trouble))
        return verdict

    def _told_with(self, notice: OperationRecord, carrier_key: str, later: Later) -> Verdict:
        verdict = resolve_told_with_another(self._context, self._executor, notice, carrier_key)
        if verdict is Verdict.WAIT:
            later.at(LOOK_EVERY)
        return verdict

    def _awaited(self, row: OperationRecord) -> str:
        health = self._context.health
        if health.wait(row.service):
            return awaited(row.service, health.of(row.service).cause)
        if row.state == OperationState.PENDING and seconds_held(self._context, row):
            return "PagerDuty to take notes again"
        # the try in vain stored the reason
        return row.waits_for or "its next try"

    def _wait_for(self, row: OperationRecord, why: str) -> None:
        if row.state in (OperationState.PENDING, OperationState.UNKNOWN):
            self._context.waits.store(row, why)

    def _ready(self, row: OperationRecord) -> Basis | str:
        """Return the basis of an operation that may leave now, else what it waits for."""
        context = self._context
        basis = ready(context.ledger, row, context.clock.now())
        if isinstance(basis, str):
            return basis
        team = basis.incident.team if basis.incident is not None else None
        held = context.ledger_age.holds(row, basis.incident, projects_of(context, team))
        return WAITS_FOR if held else basis

    def _try_mail(self, row: OperationRecord, basis: Basis, later: Later) -> tuple[Verdict, float]:
        context = self._context
        # its stored message lists notices that may leave elsewhere meanwhile
        if freed(row):
            row = render_anew(context.ledger, row)
        with self._mail_rate.place(row) as wait:
            if wait:
                return Verdict.WAIT, wait
            later.wake.update(other.incident_id for other in told_with(context, row))
            return self._executor.attempt(row, basis), RETRY_AFTER


def _turn(row: OperationRecord) -> tuple[bool, bool, bool]:
    # mails first: a slow Jira must not delay a notice; then the security level; a slow chat delays nothing
    return row.target != Target.MAIL, row.target == Target.CHAT, row.aspect != ASPECT
