"""What happens to one incident while it has its slot: look, decide, record, act, and again until still.

Nothing here runs twice at once for the same incident; different incidents run in parallel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from loguru import logger

from syncd.domain.operation import Kind, OperationState, Target
from syncd.engine.act.executor import Executor, Verdict
from syncd.engine.act.mail_rate import MailRate
from syncd.engine.act.unknown_outcomes import (
    LOOK_EVERY,
    give_up,
    resolve_told_with_another,
    resolve_unknown,
)
from syncd.engine.context import EngineContext
from syncd.engine.decide.case_builder import case_of, facts_of
from syncd.engine.decide.notices_without_jira import notify_without_jira
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.notify.bundle import carrier_of, freed, told_with
from syncd.engine.observe.accounts import people_of
from syncd.engine.observe.incident import Seen, observe
from syncd.engine.observe.looks import look_at
from syncd.engine.record.decision import as_if_untried, news, nothing_to_write, record, record_unseen
from syncd.engine.runtime.brakes import settled_fingerprint
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.leaving import Basis, ready, render_anew
from syncd.ledger.store.lookups import open_operations
from syncd.ledger.store.outbox import incidents_waiting_for
from syncd.ledger.store.snapshots import is_restricted
from syncd.policy.decide import decide
from syncd.policy.restricted import ASPECT
from syncd.policy.rules_in_force import rules_in_force
from syncd.remote.errors import RemoteError

ROUNDS = 12
"""Rounds of look, decide and act in one go; more than a life needs, so more means a circle."""
SAME_READS = 3
"""How often in one go the same thing is read because a decision asks for it."""
RETRY_AFTER = 5.0
"""Seconds until an incident whose operation waits for its service is tried again; the service's own
pause counts where it is longer."""


@dataclass
class Later:
    """What the worker wants to come back for, in seconds; None: nothing."""

    seconds: float | None = None
    wake: set[str] = field(default_factory=set)

    def at(self, seconds: float) -> None:
        """Come back after `seconds` at the latest."""
        self.seconds = seconds if self.seconds is None else min(self.seconds, seconds)


class Reconciler:
    """Brings one incident at a time in line: observe, decide, record, act (in one thread)."""

    def __init__(
        self,
        context: EngineContext,
        left_to_batches: Callable[[OperationRecord, IncidentRecord], bool] = lambda _row, _incident: False,
    ) -> None:
        self._context = context
        self._executor = Executor(context)
        self._mail_rate = MailRate(context)
        self._left_to_batches = left_to_batches

    def work(self, incident_id: str) -> Later:
        """Bring one incident as far as it gets now; return when to come back and whom to wake."""
        later, seen_before = Later(), Counter[str]()
        for _ in range(ROUNDS):
            context, seen = self._context.pinned(), None
            if context.stop.is_set():
                return later
            try:
                seen = observe(context, incident_id)
                if seen is None:
                    return later
                later.wake.update(seen.wake)
                if not self._decide(context, seen, later, seen_before):
                    continue
            except RemoteError as error:
                self._wait_for_service(error, later)
                notify_without_jira(context, incident_id)
                if is_restricted(context.ledger, incident_id):
                    self._try_operations(incident_id, None, later, mails=True)
                    return later  # undecided, its security level may be what has to go first
            except MappingMismatch as error:
                logger.error("{} waits: {}", incident_id, error)
                later.at(60.0)
                notify_without_jira(context, incident_id)
                self._try_operations(incident_id, None, later, mails=True)
                return later
            if not self._try_operations(incident_id, seen, later):
                return later
        logger.error("{} does not come to rest after {} rounds", incident_id, ROUNDS)
        later.at(60.0)
        return later

    def send_mails(self, ident: str) -> Later:
        """Send what waits under an id that is no incident's."""
        later = Later()
        for _ in range(ROUNDS):
            if not self._try_operations(ident, None, later, mails=True):
                break
        return later

    def _wait_for_service(self, error: RemoteError, later: Later) -> None:
        health = self._context.health
        health.failed(error.service, error)
        later.at(max(RETRY_AFTER, health.wait(error.service)))

    def _decide(self, context: EngineContext, seen: Seen, later: Later, seen_before: Counter[str]) -> bool:
        """Decide on the present case and record the result, in one transaction with the looks it answers.

        `seen` knows the incident's open operations afterwards. False: something was read that the decision
        rests on, so it is taken again.
        """
        incident, book = seen.incident, seen.book
        people = people_of(context, incident, book)
        # what is at hand is not read once more; what changes meanwhile asks for another look
        facts = facts_of(context, incident.id, book, seen.at_hand)
        if facts is None:
            return True
        row, operations, now = facts.incident, facts.operations, context.clock.now()
        case = case_of(context, facts, book, people)
        book = rules_in_force(case, book)
        decision = decide(as_if_untried(case, operations), book)
        if decision.again is not None:
            later.at(decision.again)
        fingerprint = settled_fingerprint(row, book.mapping.version, decision.again, now)
        fingerprint_noted = bool(operations or decision.operations) or row.settled_fingerprint == fingerprint
        settled = fingerprint_noted and not facts.notices and not news(row, facts.items, case, decision, now)
        if settled and not decision.look and nothing_to_write(row, operations, decision, case):
            seen.operations = operations
            return True
        if decision.look and all(seen_before[name] >= SAME_READS for name in decision.look):
            # it cannot be seen now and is tried again later; neither the ticket nor who is to be told of the
            # incident itself waits for that, and what is on record stands
            notify_without_jira(context, incident.id)
            later.at(60.0)
            recorded = record_unseen(context, row, case, book)
            if recorded is not None:
                seen.row, seen.operations = recorded.incident, recorded.operations
            return True
        if decision.look:
            seen_before.update(decision.look)
            try:
                look_at(context, incident.id, book, decision.look)
            except RemoteError as error:
                self._wait_for_service(error, later)
                seen_before.update(dict.fromkeys(decision.look, SAME_READS))
            return False
        recorded = record(context, row, case, book, decision, facts.notices, fingerprint)
        if recorded is None:
            later.at(0.0)  # somebody said so meanwhile, and this decision may hold texts
            return True
        seen.row, seen.operations = recorded.incident, recorded.operations
        return True

    def _try_operations(
        self, incident_id: str, seen: Seen | None, later: Later, *, mails: bool = False
    ) -> bool:
        """Try each open operation that may leave, or only the mails; return whether anything changed."""
        context = self._context
        if context.dry_run:
            return False
        operations = seen.operations if seen else None
        if operations is None:
            operations = open_operations(context.ledger, incident_id)
        moved, batched = False, set[str]()
        for row in sorted(operations, key=lambda one: (one.target != Target.MAIL, one.aspect != ASPECT)):
            if mails and row.target != Target.MAIL:
                break
            if context.stop.is_set():
                return False
            if seen is not None and self._left_to_batches(row, seen.row):
                batched.add(row.key)
            if row.key in batched or not batched.isdisjoint(row.needs):
                continue
            verdict = self._try(row, later)
            moved = moved or verdict in (Verdict.DONE, Verdict.AGAIN, Verdict.ENDED, Verdict.PARKED)
            done = verdict in (Verdict.DONE, Verdict.PARKED) or row.state == OperationState.PARKED
            if row.aspect == ASPECT and not done:
                return moved  # the security level goes before everything else of its incident
            if verdict is Verdict.DONE and row.kind == Kind.CREATE_TICKET:
                later.wake.update(incidents_waiting_for(context.ledger, row.key))
        return moved

    def _try(self, row: OperationRecord, later: Later) -> Verdict | None:
        context, carrier = self._context, carrier_of(row)
        if carrier is not None:
            verdict = resolve_told_with_another(context, self._executor, row, carrier)
            if verdict is Verdict.WAIT:
                later.at(LOOK_EVERY)
            return verdict
        if row.state == OperationState.IN_FLIGHT:
            # who has the slot of an incident sends for it: this one's sending blew up before its end
            give_up(context, row)
            return Verdict.AGAIN
        if row.state not in (OperationState.PENDING, OperationState.UNKNOWN):
            return None
        if not context.health.may_ask(row.target):
            later.at(context.health.wait(row.target))
            return Verdict.WAIT
        if row.state == OperationState.UNKNOWN:
            verdict, seconds = resolve_unknown(context, self._executor, row)
        else:
            basis = ready(context.ledger, row, context.clock.now())
            if basis is None:
                return None
            if row.target == Target.MAIL:
                verdict, seconds = self._try_mail(row, basis, later)
            else:
                verdict, seconds = self._executor.attempt(row, basis), RETRY_AFTER
        if verdict is Verdict.WAIT:
            later.at(max(seconds, context.health.wait(row.target)))
        return verdict

    def _try_mail(self, row: OperationRecord, basis: Basis, later: Later) -> tuple[Verdict, float]:
        context = self._context
        if freed(row):
            row = render_anew(context.ledger, row)
        with self._mail_rate.place(row) as wait:
            if wait:
                return Verdict.WAIT, wait
            later.wake.update(other.incident_id for other in told_with(context, row))
            return self._executor.attempt(row, basis), RETRY_AFTER
