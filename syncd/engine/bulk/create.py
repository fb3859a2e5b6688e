"""Create tickets in batches when many incidents wait at once; each operation happens exactly once, as alone.

A batch becomes in flight in one transaction with one `probe_from`. syncd reads the created issues back and
binds them by their marks, because Jira's answer names no input and promises no order. A refused create goes
on alone. After a lost answer syncd binds at once what it finds; the others wait for the settle time and go on
alone. Batches start at 10 and double while answers take less than 10 seconds. The two highest severities
never wait for a batch. Data Center has no bulk create.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Lock

from loguru import logger

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident
from syncd.domain.operation import CreateTicket, Kind, OperationState
from syncd.domain.operation.rendered import RenderedCreate
from syncd.domain.ticket import Issue
from syncd.engine.act.executor import Executor
from syncd.engine.act.find_created import highest_seen
from syncd.engine.act.kind import Outcome, mark_of
from syncd.engine.act.kinds.create_ticket import CreateTicketKind
from syncd.engine.bulk.initial_status import StatusAtBirth, Way
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.observe.issues import saw_numbers
from syncd.engine.observe.masking import storage_rules
from syncd.engine.observe.new_keys import keys_from
from syncd.engine.runtime.waits import TAKEN_TOO_LONG, awaited_after
from syncd.engine.work_queue import WorkQueue
from syncd.ledger.database.connection import concerns_all
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import leaving
from syncd.ledger.store.confirming import ReadBack, confirm_batch
from syncd.ledger.store.leaving import (
    Leaving,
    creates_to_render,
    incidents_in_need,
    incidents_with_ticket,
    waiting_creates,
)
from syncd.remote.answers import BulkAnswer, BulkItem
from syncd.remote.errors import Cause, NotDone, RemoteError, TooLate, Unknown
from syncd.remote.http.departure import departing
from syncd.remote.http.lanes import SHORT_WAIT, Lane, lane, prepaid

FROM = 10
"""Incidents that have to wait at once before batches are worth their overhead."""
FIRST, MOST = 10, 50
"""Size of the first and of the largest batch; Jira takes 50 issues in a bulk create."""
READ = 100
"""Issues in one bulk fetch: Jira's limit."""
QUICK_SECONDS = 10.0

CREATE = CreateTicketKind()


@dataclass
class _Item:
    operation: OperationRecord
    rendered: RenderedCreate
    incident: Incident
    team: str | None
    way: Way = field(default_factory=Way)


@dataclass
class _Made:
    """The created tickets that syncd has not read back yet; their incidents' slots stay taken."""

    items: list[_Item] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


class BulkCreates:
    """The batches of one engine."""

    def __init__(self, context: EngineContext, work_queue: WorkQueue, executor: Executor) -> None:
        self._context = context
        self._work_queue = work_queue
        self._executor = executor
        self._births = StatusAtBirth(context, executor)
        self._size = FIRST
        self._made = _Made()
        self._afterwards: set[str] = set()
        self._lock = Lock()
        self.enabled = True
        self.under_way = False

    def expect(self, incidents: int) -> None:
        """Start batches if many incidents are about to be worked on."""
        if self.enabled and incidents >= FROM and self._context.services.jira.server().edition == "cloud":
            self.under_way = True

    def takes(self, operation: OperationRecord, incident: IncidentRecord) -> bool:
        """Return True if a worker leaves this create to the batches; a held first load begins none."""
        if (
            not self.under_way
            or not self._context.brakes.accepted()
            or operation.kind != Kind.CREATE_TICKET
            # a create with an earlier attempt may exist already and is looked up alone
            or operation.attempts
            or not operation.typed(CreateTicket).is_plain
        ):
            return False
        return operation.state == OperationState.PENDING and not self._grave(incident.team, incident.severity)

    def _grave(self, team: str | None, severity: str | None) -> bool:
        return self._context.rules.current.is_grave(team, severity)

    def due(self, incident_ids: list[str]) -> list[str]:
        """Return the incidents to work on now, without those whose ticket a batch created.

        Those go on when all creates have left, so that no edit or comment delays a create.
        """
        return [incident_id for incident_id in incident_ids if incident_id not in self._afterwards]

    def run(self) -> None:
        """Send batches while creates wait; the rest goes alone."""
        if not self.under_way or not self._lock.acquire(blocking=False):
            return
        try:
            with lane(Lane.CREATE, SHORT_WAIT):
                self._run()
        finally:
            self._lock.release()

    def _run(self) -> None:
        try:
            while self._may_go_on() and self._one_batch():
                if len(self._made.ids) + self._size > READ:
                    self._read_back()
        finally:
            self._read_back()

    def _may_go_on(self) -> bool:
        context = self._context
        return not context.stop.is_set() and not context.dry_run and context.brakes.may_leave("jira")

    def end(self) -> None:
        """End the batches: the creates that they left go alone, and the tickets that they created go on."""
        self.under_way = False
        self._work_queue.submit(self._waiting(MOST * 100).values())
        self._work_queue.submit(incidents_in_need(self._context.ledger))
        self._work_queue.submit(self._afterwards)
        self._afterwards = set()

    def _waiting(self, limit: int, *, light: bool = False) -> dict[int, str]:
        """Return creates that never left, oldest first, and their incidents; `light`: not the gravest."""
        return {
            create.operation_id: create.incident_id
            for create in waiting_creates(self._context.ledger, limit)
            if not (light and self._grave(create.team, create.severity))
        }

    def _one_batch(self) -> bool:
        context = self._context
        # no slot is taken for a batch that has to wait
        if not context.health.may_ask("jira") or context.budgets.wait_for("jira") > SHORT_WAIT:
            return False
        waiting = self._waiting(self._size * 2, light=True)
        first = dict(list(waiting.items())[: self._size])
        taken = set(self._work_queue.reserve(first.values()))
        sent, kept = False, set[str]()
        try:
            items = self._rendered([number for number, incident in first.items() if incident in taken])
            # one create alone costs less than a bulk create and a bulk fetch
            if len(items) < 2:
                return False
            sent = True
            kept = self._send(items)
            return True
        except RemoteError as error:
            context.health.failed(error.service, error)
            return False
        except MappingMismatch:
            return False
        finally:
            # unsent creates wait for `end`: if they were queued again now, the queue would never be empty
            self._let_go(taken - kept, again=sent)

    def _let_go(self, incident_ids: set[str], *, again: bool) -> None:
        """Give slots back; incidents that need more work wait until all creates have left."""
        self._afterwards |= (
            incident_ids if again else incidents_with_ticket(self._context.ledger, [*incident_ids])
        )
        self._work_queue.release(incident_ids)

    def _rendered(self, numbers: list[int]) -> list[_Item]:
        """Return the creates that can be rendered, all of the first one's project; workers do the others."""
        items: list[_Item] = []
        for operation, record in creates_to_render(self._context.ledger, numbers):
            try:
                rendered = CREATE.render_for(self._context.pinned(), operation, record)
            except (CannotRender, DecideAgain, MappingMismatch):
                # a worker tries it alone: it parks it with the reason, or waits while its team is stopped
                continue
            except Exception as error:
                if isinstance(error, RemoteError) or concerns_all(error):
                    raise
                # likewise: one create on which syncd fails holds up no other
                continue
            # a worker tries it alone, and it says what it waits for
            if self._context.ledger_age.unproved({rendered.project}):
                continue
            # one batch, one project: `probe_from` is a project's highest issue number
            if not items or items[0].rendered.project == rendered.project:
                incident = Incident.model_validate(record.snapshot)
                items.append(_Item(operation, rendered, incident, record.team))
        return self._with_transitions(items)

    def _with_transitions(self, items: list[_Item]) -> list[_Item]:
        for item in list(items):
            way = self._births.transition_for(item.operation, item.incident, item.team)
            if way.alone:
                items.remove(item)
            item.way = way
        return items

    def _send(self, items: list[_Item]) -> set[str]:
        """Send one batch; return the incidents of the created tickets, whose slots stay taken."""
        context = self._context
        project = items[0].rendered.project
        base = highest_seen(context, project)
        context.budgets.take("jira")
        claimed_at = context.clock.boottime()
        claimed = self._claim(items, base)
        if not claimed:
            return set()
        began = context.clock.boottime()
        asked = [
            BulkItem(item.rendered.fields, mark_of(context, item.operation), item.way.transition)
            for item in claimed
        ]
        try:
            with prepaid(), departing(claimed_at):
                answer = context.services.jira.create_many(asked)
        except NotDone as error:
            self._none_done(claimed, error)
            return set()
        except Unknown as error:
            self._lost(claimed, project, base, error)
            return set()
        took = context.clock.boottime() - began
        # a slow answer means that Jira struggles: halve the batch
        self._size = min(MOST, self._size * 2) if took < QUICK_SECONDS else max(FIRST, self._size // 2)
        context.health.succeeded("jira")
        return self._answered(claimed, project, answer)

    def _claim(self, items: list[_Item], base: int) -> list[_Item]:
        context, run = self._context, self._context.ledger.run_name
        leavings = [Leaving(item.operation.id, item.rendered) for item in items]
        # None: an operator paused Jira while syncd prepared the batch
        claims = leaving.claim(context.ledger, leavings, "jira", run, context.clock.now(), base) or []
        claimed = {operation.id: operation for operation in claims}
        return [
            replace(item, operation=claimed[item.operation.id])
            for item in items
            if item.operation.id in claimed
        ]

    def _none_done(self, items: list[_Item], error: NotDone) -> None:
        context = self._context
        too_late = isinstance(error, TooLate)
        if not too_late:
            context.health.failed(error.service, error)
        operations, anew = [item.operation for item in items], error.cause is Cause.REJECTED
        leaving.put_back(context.ledger, operations, context.clock.now(), error.describe(), anew=anew)
        for operation in operations:
            context.waits.store(operation, TAKEN_TOO_LONG if too_late else awaited_after(error))
        logger.warning("Jira did not create a batch of {} tickets: {}", len(items), error.describe())

    def _lost(self, items: list[_Item], project: str, base: int, error: Unknown) -> None:
        """Mark a batch without an answer as unknown; look its tickets up and bind those that exist."""
        context = self._context
        context.health.failed(error.service, error)
        items = self._mark_unknown(items, error.describe())
        logger.warning(
            "unknown whether Jira created a batch of {} tickets ({}); syncd looks them up",
            len(items),
            error.describe(),
        )
        try:
            self._bind(items, list(keys_from(context, project, base)), read_seq=0)
        except RemoteError as worse:
            context.health.failed(worse.service, worse)

    def _mark_unknown(self, items: list[_Item], words: str) -> list[_Item]:
        """Mark the creates as unknown, so that syncd looks them up; return them with that state."""
        context, operations = self._context, [item.operation for item in items]
        settling = leaving.mark_unknown(
            context.ledger, operations, context.clock.now(), context.gave_up(), words
        )
        return [replace(item, operation=operation) for item, operation in zip(items, settling, strict=True)]

    def _answered(self, items: list[_Item], project: str, answer: BulkAnswer) -> set[str]:
        """Sort a batch's answer: refused creates go on alone, created tickets wait to be read back."""
        numbers = [int(created.key.rpartition("-")[2]) for created in answer.created]
        saw_numbers(self._context, project, numbers)
        made = [item for number, item in enumerate(items) if number not in answer.refused]
        self._made.items += made
        self._made.ids += [created.id for created in answer.created]
        for number, error in answer.refused.items():
            if number < len(items):
                self._refused(items[number], error)
        return {item.operation.incident_id for item in made}

    def _refused(self, item: _Item, error: NotDone) -> None:
        if item.way.transition is None:
            self._executor.refuse(CREATE, item.operation, error)
            return
        # Jira may have refused the transition only: create it alone and without a transition
        self._births.forget(item.incident, item.team)
        context = self._context
        leaving.put_back(context.ledger, [item.operation], context.clock.now(), error.describe())

    def _read_back(self) -> None:
        """Read the created tickets back and bind them by their marks; mark missing ones as unknown."""
        context, made, self._made = self._context, self._made, _Made()
        if not made.items:
            return
        try:
            read_seq = context.ledger.logical_clock.next()
            try:
                issues = context.fetch(made.ids).issues
            except RemoteError as error:
                context.health.failed(error.service, error)
                self._mark_unknown(made.items, f"made, but not read back: {error.describe()}")
                return
            bound = self._bind(made.items, list(issues), read_seq)
            unbound = [item for item in made.items if item.operation.id not in bound]
            if unbound:
                self._mark_unknown(unbound, "not among the issues that the answer named")
        finally:
            self._let_go({item.operation.incident_id for item in made.items}, again=True)

    def _bind(self, items: list[_Item], issues: list[Issue], read_seq: int) -> set[int]:
        """Confirm the issues with our marks in one transaction; `read_seq` 0: they were not read whole."""
        context = self._context
        by_op = {issue.mark.op: issue for issue in issues if issue.mark is not None}
        now, jira_now = context.clock.now(), context.date_of("jira")
        try:
            made = [
                self._read_of(item, by_op[item.operation.op]) for item in items if item.operation.op in by_op
            ]
            confirm_batch(context.ledger, storage_rules(context), made, read_seq, now, jira_now)
        except Exception as error:
            if concerns_all(error):
                raise
            # each is looked up and recorded by itself, so that the one at fault is parked alone
            logger.opt(exception=error).debug("a batch of {}", len(items))
            logger.warning("syncd could not record a batch of {} tickets: it takes each alone", len(items))
            return set()
        logger.info("created {} of {} tickets in one batch", len(made), len(items))
        return {read_back.operation.id for read_back in made}

    def _read_of(self, item: _Item, issue: Issue) -> ReadBack:
        """Return a create with its issue as read back; the issue may have its final status already."""
        outcome = Outcome(issue.id, key=issue.key)
        CREATE.learn(self._context, item.operation, outcome)
        confirmation = CREATE.confirmation(self._context, item.operation, outcome)
        state: dict[str, JsonValue] = {"state": item.incident.state}
        return ReadBack(item.operation, confirmation, issue, item.way.goal, state)
