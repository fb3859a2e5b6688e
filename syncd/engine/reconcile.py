"""Reconcile one incident while it has its slot: observe, decide, record, act, and repeat until nothing
changes.

syncd never works twice at once on the same incident; different incidents run in parallel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Set
from dataclasses import replace
from datetime import datetime

from loguru import logger

from syncd.domain.operation import OperationState
from syncd.engine.act.attempts import Attempts, Later
from syncd.engine.context import EngineContext
from syncd.engine.decide.case_builder import case_of, facts_of
from syncd.engine.decide.notices_without_jira import notify_without_jira
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch, MappingUnusable
from syncd.engine.observe.accounts import people_of
from syncd.engine.observe.incident import Seen, observe
from syncd.engine.observe.looks import LOOKS, look_at
from syncd.engine.observe.roles import with_roles
from syncd.engine.record.decision import as_if_untried, news, nothing_to_write, record, record_unseen
from syncd.engine.runtime.brakes import settled_fingerprint
from syncd.engine.runtime.troubles import DECIDE
from syncd.engine.runtime.waits import STOPPED, awaited_after
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.lookups import display_name, open_operations
from syncd.ledger.store.names import log_about
from syncd.ledger.store.snapshots import is_restricted
from syncd.policy.case import Case, Rulebook
from syncd.policy.decide import decide
from syncd.policy.rules_in_force import rules_in_force
from syncd.remote.errors import RemoteError

ROUNDS = 12
"""Rounds of observe, decide and act in one go; an incident's whole life needs fewer, so more is a loop."""
SAME_READS = 3
"""How often in one go syncd reads the same part because a decision asks for it."""
UNREAD_AGAIN = 60.0
"""Seconds until syncd decides again on an incident beside which an issue cannot be read."""


class Reconciler:
    """Brings one incident at a time in line with the rules: observe, decide, record, act (in one thread).

    `read_until` returns up to when both services were read in this run (UTC), None before both were.
    `give_way` is called between the steps of an incident: a light one may have to wait for grave ones.
    """

    def __init__(
        self,
        context: EngineContext,
        left_to_batches: Callable[[OperationRecord, IncidentRecord], bool],
        read_until: Callable[[], datetime | None],
        give_way: Callable[[str], None] = lambda _incident: None,
    ) -> None:
        self._context = context
        self._attempts = Attempts(context, left_to_batches, read_until, give_way)
        self._read_until = read_until
        self._give_way = give_way

    def work(self, incident_id: str) -> Later:
        """Work on one incident until nothing can leave now; return when to come back and whom to wake."""
        later = self._work(incident_id)
        next_try = self._context.troubles.next_try(incident_id)
        if next_try is not None:
            later.at(next_try)
        return later

    def _work(self, incident_id: str) -> Later:
        later, seen_before = Later(), Counter[str]()
        for number in range(ROUNDS):
            context, seen = self._context.pinned(), None
            if context.stop.is_set():
                return later
            try:
                seen = observe(context, incident_id)
                if seen is None:
                    self._attempts.wait_for_mapping(incident_id)
                    return later
                later.wake.update(seen.wake)
                self._give_way(incident_id)
                # later in the same turn all was tried that could leave
                went_on = number == 0 and seen.just_made and self._go_on(context, seen, later)
                if went_on or not self._decide(context, seen, later, seen_before):
                    continue
                context.troubles.over(incident_id, DECIDE)
            except RemoteError as error:
                # whatever read failed: no trouble is silent, and its tries become rare
                if not context.troubles.failed(incident_id, DECIDE, error):
                    self._attempts.wait_for_service(error, later)
                # notices never wait for Jira
                notify_without_jira(context, incident_id)
                if is_restricted(context.ledger, incident_id):
                    self._attempts.try_operations(incident_id, None, later, mails=awaited_after(error))
                    # nothing is decided, and its security level may have to go before all else
                    return later
            except MappingMismatch as error:
                self._wait_for_team(context, incident_id, error, later)
                return later
            if not self._attempts.try_operations(incident_id, seen, later):
                return later
        log_about(self._context.ledger, incident_id).error(
            "{}: still changing after {} rounds; syncd goes on in a minute", self._name(incident_id), ROUNDS
        )
        later.at(60.0)
        return later

    def _wait_for_team(
        self, context: EngineContext, incident_id: str, error: MappingMismatch, later: Later
    ) -> None:
        """Send the mails of a stopped team's incident; all else waits."""
        # why the team is stopped is logged once, when it is stopped
        logger.debug("{} waits, its team is stopped: {}", self._name(incident_id), error)
        # its rules are not known, so not even a mail may leave; a reload takes the incident up
        if isinstance(error, MappingUnusable):
            return
        later.at(60.0)
        notify_without_jira(context, incident_id)
        self._attempts.try_operations(incident_id, None, later, mails=STOPPED)

    def _name(self, incident_id: str) -> str:
        return display_name(self._context.ledger, incident_id)

    def send_mails(self, ident: str) -> Later:
        """Send the mails that wait under an id that is no incident's (digests, reports, alarms)."""
        later = Later()
        for _ in range(ROUNDS):
            if not self._attempts.try_operations(ident, None, later):
                break
        return later

    def _decide(self, context: EngineContext, seen: Seen, later: Later, seen_before: Counter[str]) -> bool:
        """Decide on the present case and record the result, in one transaction with the notices it answers.

        Afterwards `seen` holds the incident's open operations. Return False if syncd read something that the
        decision needs, so that it has to decide again.
        """
        incident, book = seen.incident, seen.book
        people = people_of(context, incident, book)
        next_search = context.troubles.next_try(book.project.key) if None in people[0].values() else None
        if next_search is not None:
            later.at(next_search)
        # `at_hand` is not read again: a change since then has its own change notice
        facts = facts_of(context, incident.id, book, seen.at_hand)
        if facts is None:
            return True
        row, operations, now = facts.incident, facts.operations, context.clock.now()
        case = with_roles(context, case_of(context, facts, book, people, self._read_until()), book)
        book = rules_in_force(case, book)
        if case.read_until is None:
            # the loop takes the incident up again after the first good read of both services
            seen.operations = operations
            if operations or facts.notices:
                self._decide_unseen(context, seen, case, book)
            return True
        decision = decide(as_if_untried(case, operations), book)
        if decision.again is not None:
            later.at(decision.again)
        if case.unread:
            # their tries are spread over up to 15 minutes; by then one of them may be readable
            later.at(UNREAD_AGAIN)
        fingerprint = settled_fingerprint(row, book.mapping.version, decision.again, now)
        fingerprint_noted = bool(operations or decision.operations) or row.settled_fingerprint == fingerprint
        settled = (
            fingerprint_noted and not facts.notices and not news(row, facts.items, case, book, decision, now)
        )
        if settled and not decision.look and nothing_to_write(row, operations, decision, case):
            seen.operations = operations
            return True
        if decision.look:
            return self._look_first(context, seen, case, book, decision.look, later, seen_before)
        recorded = record(context, row, case, book, decision, facts.notices, fingerprint)
        if recorded is None:
            # somebody restricted or changed the incident meanwhile, and this decision may hold texts
            later.at(0.0)
            return True
        seen.row, seen.operations = recorded.incident, recorded.operations
        return True

    def _look_first(
        self,
        context: EngineContext,
        seen: Seen,
        case: Case,
        book: Rulebook,
        wanted: Set[str],
        later: Later,
        seen_before: Counter[str],
    ) -> bool:
        """Read the parts that the decision has to see first; return True if they cannot be read now."""
        incident_id = seen.incident.id
        look = {part for part in wanted if context.troubles.may_try(incident_id, LOOKS[part])}
        if any(seen_before[part] < SAME_READS for part in look):
            seen_before.update(look)
            self._look_at(context, incident_id, book, look, later)
            return False
        self._decide_unseen(context, seen, case, book)
        if look:
            later.at(60.0)
        return True

    def _look_at(
        self, context: EngineContext, incident_id: str, book: Rulebook, look: Set[str], later: Later
    ) -> None:
        try:
            look_at(context, incident_id, book, look)
        except RemoteError as error:
            self._attempts.wait_for_service(error, later)

    @staticmethod
    def _decide_unseen(context: EngineContext, seen: Seen, case: Case, book: Rulebook) -> None:
        """Record what does not wait for a part that syncd cannot read now: the ticket and the notices."""
        notify_without_jira(context, seen.incident.id)
        recorded = record_unseen(context, seen.row, case, book)
        if recorded is not None:
            seen.row, seen.operations = recorded.incident, recorded.operations

    def _go_on(self, context: EngineContext, seen: Seen, later: Later) -> bool:
        """Try the operations that needed the ticket which a batch made; return True if anything changed.

        The decision that recorded them still holds: one decision follows when they are carried out.
        """
        due, version = seen.row.due_at, seen.book.mapping.version
        if seen.row.restricted or (due is not None and due <= context.clock.now()):
            return False
        operations = open_operations(context.ledger, seen.row.id)
        if any(row.state != OperationState.PENDING or row.mapping_version != version for row in operations):
            return False
        return self._attempts.try_operations(seen.row.id, replace(seen, operations=operations), later)
