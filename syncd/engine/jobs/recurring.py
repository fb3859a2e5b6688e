"""Make the issues of GameDays and reviews when they are due, and judge and tell of their duty.

What is due follows from the mappings and the ledger each time, so a crash forgets none and repeats none. A
recurring duty has one slot in the work queue, as an incident has: its ident stands for the incident's id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from syncd.domain.mapping.mapping import Mapping, mapping_of_recurring
from syncd.domain.mapping.recurring import Recurring
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import (
    CreateRecurring,
    Kind,
    LinkActionItem,
    OperationState,
)
from syncd.domain.recurring import RecurringName, recurring_of, stand_in
from syncd.engine.act.attempts import Later
from syncd.engine.context import EngineContext
from syncd.engine.decide.case_builder import sent_in, with_addresses
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.observe.accounts import account_of, nobodies_of
from syncd.engine.observe.issues import read_duty_issues
from syncd.engine.record.decision import amendments, as_if_untried
from syncd.engine.rulebook import recurring_book
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import recurring
from syncd.ledger.store.decisions import Amendment
from syncd.ledger.store.recurring import RecurringFacts
from syncd.policy.case import Case, Decision, ItemState, Rulebook
from syncd.policy.decide import decide_recurring
from syncd.policy.judged_people import judged_people
from syncd.policy.postmortem.waiver_labels import LABEL as WAIVED
from syncd.policy.recurring.after import (
    RESTS,
    Major,
    asks_for_review,
    is_open,
    linked_in,
    links_of,
    review_after,
)
from syncd.policy.recurring.judge import removed
from syncd.policy.recurring.periods import Period, latest_period
from syncd.remote.errors import RemoteError

EVERY = 10.0
"""Seconds between two looks for what is due."""
AGAIN = 60.0
"""Seconds until syncd tries again what it could not read."""
READS = 3
"""How often in one go syncd reads the issue because a decision asks for it."""


class RecurringDuties:
    """The recurring duties of all teams; `send` tries the operations under an ident."""

    def __init__(self, context: EngineContext, send: Callable[[str], Later]) -> None:
        self._context = context
        self._send = send
        self._looked: float | None = None
        self._all = True
        self._notes: dict[str, list[str]] = {}
        self._dry_run: dict[str, list[str]] | None = None

    def take_up(self) -> None:
        """Work on all of them at the next look: the rules, the clock or the process changed."""
        self._all = True

    def due(self, *, at_once: bool = False) -> list[str]:
        """Put the creates that are due into the outbox; return the idents to work on."""
        boottime = self._context.clock.boottime()
        if not at_once and self._looked is not None and boottime - self._looked < EVERY:
            return []
        self._looked = boottime
        context, idents = self._context.pinned(), list[str]()
        if self._all:
            self._all, idents = False, recurring.live_idents(context.ledger)
        some = any(mapping.recurring for mapping in context.loaded)
        made, notes = recurring.made_idents(context.ledger) if some else set(), dict[str, list[str]]()
        for mapping in context.loaded:
            for name, entry in mapping.recurring.items():
                if entry.mode is Mode.OFF:
                    continue
                for create in self._wanted(context, mapping, name, entry, made, idents):
                    if entry.mode is Mode.REPORT:
                        notes[create.incident] = [f"make its issue, due {create.due}: {create.reason}"]
                        continue
                    recurring.plan_recurring(context.ledger, create, context.clock.now(), mapping.version)
                    made.add(create.incident)
                    idents.append(create.incident)
        if self._dry_run != (dry_run := self._notes | notes):
            recurring.note_dry_run(context.ledger, dry_run)
            self._dry_run = dry_run
        return idents

    def _wanted(
        self,
        context: EngineContext,
        mapping: Mapping,
        name: str,
        entry: Recurring,
        made: set[str],
        idents: list[str],
    ) -> Iterator[CreateRecurring]:
        """Yield the creates that were never decided; add the open reviews to which incidents are linked."""
        known = {
            (each.name, each.period)
            for each in map(recurring_of, made)
            # an issue that was made before the team was renamed is the same
            if each is not None and mapping_of_recurring(context.loaded, each) is mapping
        }
        period = latest_period(entry, mapping, context.clock.now())
        if period is not None and (name, period.name) not in known:
            yield from self._create(context, mapping, entry, name, period, "it comes round")
        for incident in self._fresh_majors(context, mapping, name, entry):
            review = review_after(incident, entry, mapping)
            if (name, review.name) in known:
                continue
            items = self._items(context, mapping, name)
            open_review = next((item for item in items if is_open(item)), None)
            if open_review is not None:
                idents.append(open_review.incident_id)
                return
            reason = f"incident #{incident.number} asks for a review"
            yield from self._create(context, mapping, entry, name, review, reason)
            # the next incident is linked to this review once it is made
            return

    def _create(
        self,
        context: EngineContext,
        mapping: Mapping,
        entry: Recurring,
        name: str,
        period: Period,
        reason: str,
    ) -> Iterator[CreateRecurring]:
        since = period.begins(entry, mapping)
        # its issue may be one of the lost ledger that Jira's index does not show yet
        if context.predates_ledger(since) and context.search_index.awaited:
            return
        yield CreateRecurring(
            incident=RecurringName(mapping.team, name, period.name).ident,
            due=period.due.isoformat(),
            since=since,
            reason=reason,
        )

    def _items(self, context: EngineContext, mapping: Mapping, name: str) -> list[ItemState]:
        items = recurring.recurring_items(context.ledger, mapping.team)
        return [item for item in items if item.recurring is not None and item.recurring.name == name]

    def _fresh_majors(
        self, context: EngineContext, mapping: Mapping, name: str, entry: Recurring
    ) -> list[Major]:
        """Return the incidents that ask for a review and are linked to none, the oldest first."""
        if not entry.after:
            return []
        now = context.clock.now()
        since = max(mapping.enforced_since, now - timedelta(days=entry.lead_days))
        incidents = recurring.majors(context.ledger, mapping.team, since, now - RESTS)
        linked = linked_in(self._items(context, mapping, name)) if incidents else set()
        return [each for each in incidents if asks_for_review(each, entry) and each.id not in linked]

    def work(self, ident: str) -> Later:
        """Judge a recurring duty, record what follows and send what may leave; return when to come back."""
        context, later = self._context.pinned(), Later()
        name = recurring_of(ident)
        # the rules of an unusable file are not known: nothing is judged by their absence
        if name is None or context.rules.current.unusable_for(None, name.team) is not None:
            return later
        try:
            again = self._work(context, ident, name)
        except RemoteError as error:
            # what waits already, such as a mail about a breach, does not wait for Jira
            context.health.failed(error.service, error)
            again = AGAIN
        except MappingMismatch:
            later.at(AGAIN)
            return later
        if again is not None:
            later.at(again)
        if context.dry_run:
            return later
        sent = self._send(ident)
        later.wake.update(sent.wake)
        if sent.seconds is not None:
            later.at(sent.seconds)
        return later

    def _work(self, context: EngineContext, ident: str, name: RecurringName) -> float | None:
        named = recurring_book(context, ident)
        if named is None:
            self._end(context, ident, name)
            return None
        _name, book = named
        for _ in range(READS):
            facts = recurring.load_recurring(context.ledger, ident, book.mapping.team)
            case = self._case(context, name, facts, book)
            decision = decide_recurring(case, book)
            if not decision.look:
                break
            read_duty_issues(context, [*case.items], book)
        else:
            return AGAIN
        decision = decision.plus(Decision(operations=self._links(context, case, book, name)))
        entry = book.mapping.recurring.get(name.name)
        self._notes.pop(ident, None)
        if decision.dry_run_notes:
            self._notes[ident] = [*decision.dry_run_notes]
        wanted = entry is not None and entry.mode is Mode.ENFORCE
        if entry is not None and entry.mode is not Mode.ENFORCE:
            # in `report` nothing leaves; the duty of an issue that exists is judged all the same
            decision = replace(decision, operations=())
        self._record(context, ident, case, decision, facts, book.mapping.version, wanted=wanted)
        return decision.again

    def _record(
        self,
        context: EngineContext,
        ident: str,
        case: Case,
        decision: Decision,
        facts: RecurringFacts,
        version: str,
        *,
        wanted: bool,
    ) -> None:
        def amended(operations: Sequence[OperationRecord]) -> Iterable[Amendment]:
            yield from amendments(case, decision, operations)
            if not wanted:
                yield from (
                    Amendment(operation, drop="not made: the mapping does not ask for it any more")
                    for operation in operations
                    if operation.kind == Kind.CREATE_RECURRING
                    and operation.state in (OperationState.PENDING, OperationState.PARKED)
                )

        now = context.clock.now()
        recurring.record_recurring(context.ledger, ident, decision, amended, facts.notices, now, version)

    def _end(self, context: EngineContext, ident: str, name: RecurringName) -> None:
        """Cancel what is owed: no mapping has the duty any more."""
        facts = recurring.load_recurring(context.ledger, ident, name.team)
        case = Case(incident=stand_in(name), items=facts.items, duties=facts.duties, now=context.clock.now())
        decision = Decision(duties=removed(case))
        self._record(context, ident, case, decision, facts, "", wanted=False)

    def _case(
        self, context: EngineContext, name: RecurringName, facts: RecurringFacts, book: Rulebook
    ) -> Case:
        labels = {label.casefold() for item in facts.items if item.issue for label in item.issue.labels}
        approvers: frozenset[str] | None = None
        if WAIVED in labels:
            accounts = [account_of(context, email, book) for email in book.mapping.people.may_approve]
            approvers = frozenset(account.id for account in accounts if account is not None)
        case = Case(
            incident=stand_in(name),
            items=facts.items,
            duties=facts.duties,
            waivers=facts.waivers,
            once=facts.once,
            now=context.clock.now(),
            skew=context.clock_skew(),
            sent=sent_in(op for op in facts.operations if op.kind == Kind.SEND_MAIL),
            switched=facts.switched,
            approvers=approvers,
        )
        case = with_addresses(context, judged_people(case, nobodies_of(context, book.mapping)))
        return as_if_untried(case, facts.operations)

    def _links(
        self, context: EngineContext, case: Case, book: Rulebook, name: RecurringName
    ) -> tuple[LinkActionItem, ...]:
        """Return the links to the incidents that asked for this review, its own and those since."""
        entry = book.mapping.recurring.get(name.name)
        if entry is None or not case.items or not is_open(case.items[0]):
            return ()
        return links_of(case, book.mapping, self._fresh_majors(context, book.mapping, name.name, entry))
