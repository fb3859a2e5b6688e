"""Create tickets in batches when many creates wait; each operation happens exactly once, as alone.

A batch becomes in flight in one transaction with one `probe_from`. syncd reads the created issues back and
binds them by their marks. A refused create goes on alone. After a lost answer syncd binds at once what it
finds; the others wait for the settle time and go on alone. Batches start at 10 and double while answers take
less than 10 seconds. Which creates may leave in a batch is decided in `waiting`. Data Center has no bulk
create.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from threading import Lock

from loguru import logger

from syncd.engine.act.executor import Executor
from syncd.engine.act.find_created import highest_seen
from syncd.engine.act.kind import mark_of
from syncd.engine.act.refusals import LATER, is_unspoken
from syncd.engine.act.unknown_outcomes import ANSWERED, HIDDEN
from syncd.engine.bulk.binding import CREATE, READ, bind, doubt, find_lost, look_up
from syncd.engine.bulk.initial_status import StatusAtBirth, Way
from syncd.engine.bulk.rendering import Item, rendered_creates
from syncd.engine.bulk.waiting import FROM, WaitingCreates
from syncd.engine.context import EngineContext
from syncd.engine.observe.issues import saw_numbers
from syncd.engine.runtime.waits import TAKEN_TOO_LONG, awaited_after
from syncd.engine.work_queue import WorkQueue
from syncd.ledger.errors import LedgerUnwritable
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import leaving
from syncd.ledger.store.leaving import Leaving
from syncd.ledger.store.waiting_creates import (
    incidents_in_need,
    incidents_with_ticket,
    lost_creates,
)
from syncd.remote.answers import BulkAnswer, BulkItem
from syncd.remote.errors import Cause, NotDone, RemoteError, TooLate, Unknown
from syncd.remote.http.departure import departing
from syncd.remote.http.lanes import SHORT_WAIT, Lane, lane, prepaid

FIRST, MOST = 10, 50
"""Size of the first and of the largest batch; Jira takes 50 issues in a bulk create."""
FEWEST = 3
"""Creates of a refused batch that leave alone, instead of in two batches."""
QUICK_SECONDS = 10.0
LONGEST_PAUSE, MOST_LIMITED = 60.0, 3
"""Seconds that batches wait for a limit of Jira's at most, and how often in a row before creates go alone."""
AGAIN_AFTER = 5.0
"""Seconds without batches after one that failed; creates that are due meanwhile say what they wait for."""


@dataclass
class _Made:
    """The created tickets that syncd has not read back yet; their incidents' slots stay taken."""

    items: list[Item] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


class BulkCreates:
    """The batches of one engine."""

    def __init__(self, context: EngineContext, work_queue: WorkQueue, executor: Executor) -> None:
        self._context = context
        self._work_queue = work_queue
        self._executor = executor
        self._births = StatusAtBirth(context, executor)
        self._waiting = WaitingCreates(context)
        self._size = FIRST
        self._made = _Made()
        self._read_soon = False
        self._not_before = self._pause = 0.0
        self._limited = 0
        self._afterwards: set[str] = set()
        self._lock = Lock()
        self.enabled = True
        self.under_way = False
        self.lost = False

    def expect(self, incidents: int) -> None:
        """Start batches if many incidents are about to be worked on."""
        if self.enabled and incidents >= FROM and self._usable():
            self.under_way = True

    def takes(self, operation: OperationRecord, incident: IncidentRecord) -> bool:
        """Return True if a worker leaves this create to the batches; many creates that wait start them.

        A held first load begins none.
        """
        if (
            not self.enabled
            or not self._waiting.may_ride(operation, incident)
            or not self._context.brakes.accepted()
        ):
            return False
        if not self.under_way and self._usable():
            self.under_way = self._work_queue.queued() >= FROM or self._waiting.many()
        return self.under_way

    def _usable(self) -> bool:
        """Return True if a batch could leave now."""
        context = self._context
        return (
            self._may_go_on()
            and context.clock.boottime() >= self._not_before
            and context.health.may_ask("jira")
            and context.transport.budget.wait_for("jira") <= SHORT_WAIT
            and self._on_cloud()
        )

    def _on_cloud(self) -> bool:
        try:
            return self._context.services.jira.edition == "cloud"
        except RemoteError:
            # Jira is down since a moment ago
            return False

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
            # no slot is taken for a batch that has to wait
            while self._usable() and self._one_batch():
                if self._pause or self._read_soon or len(self._made.ids) + self._size > READ:
                    self._read_back()
                if self._pause:
                    self._context.clock.sleep(self._pause, self._context.stop)
                    self._pause = 0.0
        finally:
            self._read_back()

    def _may_go_on(self) -> bool:
        context = self._context
        return not context.stop.is_set() and not context.dry_run and context.brakes.may_leave("jira")

    def end(self) -> None:
        """End the batches: the creates that they left go alone, and the tickets that they created go on.

        Raise `LedgerUnwritable` where the ledger cannot be read; then they are still under way.
        """
        # first, so that no worker leaves another create to them
        self.under_way = False
        try:
            left = [*self._waiting.rest(), *incidents_in_need(self._context.ledger)]
            self._work_queue.submit([*left, *self._afterwards])
        except LedgerUnwritable:
            self.under_way = True
            raise
        self._afterwards = set()

    def look_up_lost(self) -> None:
        """Look up together the creates that an earlier run left without an answer; bind what Jira shows.

        `lost` says that there may be some.
        """
        if not self.lost:
            return
        context, self.lost = self._context, False
        lost = lost_creates(context.ledger)
        taken = set(self._work_queue.reserve(operation.incident_id for operation in lost))
        try:
            bound = look_up(context, [operation for operation in lost if operation.incident_id in taken])
        except RemoteError as error:
            context.health.failed(error.service, error)
        else:
            logger.info("{} of {} creates without an answer were done", len(bound), len(lost))
        finally:
            self._work_queue.release(taken)

    def _one_batch(self) -> bool:
        """Send one batch; return False if there is none to send, or if it failed."""
        first = {create.operation_id: create.incident_id for create in self._waiting.first(self._size)}
        taken = set(self._work_queue.reserve(first.values()))
        sent, kept = False, set[str]()
        try:
            numbers = [number for number, incident in first.items() if incident in taken]
            rendered, unfit = rendered_creates(self._context, numbers)
            self._go_alone(unfit)
            items, sent = self._with_transitions(rendered)
            # one create alone costs less than a bulk create and a bulk fetch
            if len(items) < 2:
                return self._go_alone(self._waiting.tired(item.operation for item in items)) or sent
            sent = True
            kept = self._send(items)
            return True
        except RemoteError as error:
            if not isinstance(error, TooLate):
                self._context.health.failed(error.service, error)
            self._not_before = self._context.clock.boottime() + AGAIN_AFTER
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

    def _go_alone(self, operations: Iterable[OperationRecord]) -> bool:
        """Hand creates that no batch can take to the workers, who send them; return True if there are any."""
        alone = {operation.id: operation.incident_id for operation in operations}
        self._waiting.leave_alone(alone)
        self._work_queue.submit(alone.values())
        return bool(alone)

    def _with_transitions(self, items: list[Item]) -> tuple[list[Item], bool]:
        """Return the creates of the next batch with their transitions, and True if one was sent alone.

        Where the transitions have to be learnt first, tickets without any go ahead of the others.
        """
        ready, unsure = self._ways(items)
        if unsure and any(item.way.transition is None for item in self._made.items):
            # the tickets of the batch before stand where tickets begin
            self._read_back()
            ready, unsure = self._ways(items)
        self._read_soon = bool(unsure)
        if not unsure or len(ready) > 1:
            return [item.born() for item in ready], False
        if self._births.learn(unsure[0].operation, unsure[0].incident, unsure[0].team):
            return [], True
        return [*ready, *unsure], False

    def _ways(self, items: list[Item]) -> tuple[list[Item], list[Item]]:
        """Return the creates with their transitions, and those whose transition has to be learnt first."""
        ready: list[Item] = []
        unsure: list[Item] = []
        for item in items:
            way = self._births.way_for(item.incident, item.team)
            (unsure if way is None else ready).append(replace(item, way=way or Way()))
        return ready, unsure

    def _send(self, items: list[Item]) -> set[str]:
        """Send one batch; return the incidents of the created tickets, whose slots stay taken."""
        context = self._context
        project = items[0].rendered.project
        base = highest_seen(context, project)
        context.transport.budget.take("jira")
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
            if is_unspoken(error):
                self._hidden(claimed, error)
            else:
                self._none_done(claimed, error)
            return set()
        except Unknown as error:
            find_lost(context, [item.operation for item in claimed], error)
            return set()
        self._limited = 0
        took = context.clock.boottime() - began
        # a slow answer means that Jira struggles: halve the batch
        self._size = min(MOST, self._size * 2) if took < QUICK_SECONDS else max(FIRST, self._size // 2)
        context.health.succeeded("jira")
        return self._answered(claimed, project, answer)

    def _claim(self, items: list[Item], base: int) -> list[Item]:
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

    def _none_done(self, items: list[Item], error: NotDone) -> None:
        """Put a batch back that Jira did not take; halve one that it refused, so that one create is at fault.

        What Jira never took leaves in a batch again. The last few of a refused batch go alone.
        """
        context = self._context
        too_late = isinstance(error, TooLate)
        refused = error.cause not in LATER
        alone = refused and len(items) <= FEWEST
        operations = [item.operation for item in items]
        leaving.put_back(
            context.ledger,
            operations,
            context.clock.now(),
            error.describe(),
            anew=True,
            uncounted=not alone,
        )
        for operation in operations:
            context.waits.store(operation, TAKEN_TOO_LONG if too_late else awaited_after(error))
        logger.warning("Jira did not create a batch of {} tickets: {}", len(items), error.describe())
        if refused:
            context.health.failed(error.service, error)
            self._size = max(2, len(items) // 2)
        elif error.cause is Cause.LIMITED and self._limited < MOST_LIMITED:
            # Jira names a time for this endpoint: the other creates wait with these
            self._limited += 1
            self._pause = min(LONGEST_PAUSE, error.retry_after or AGAIN_AFTER)
        else:
            # the workers wait for the service, and say so
            raise error

    def _hidden(self, items: list[Item], error: NotDone) -> None:
        """Bind what Jira shows of a batch that a proxy answered; the others leave alone, looked up again."""
        context, rest = self._context, find_lost(self._context, [item.operation for item in items], error)
        leaving.put_back(context.ledger, rest, context.clock.now(), error.describe())
        for operation in rest:
            context.waits.store(operation, awaited_after(error))
        self._size = max(2, len(items) // 2)

    def _answered(self, items: list[Item], project: str, answer: BulkAnswer) -> set[str]:
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

    def _refused(self, item: Item, error: NotDone) -> None:
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
        operations = [item.operation for item in made.items]
        try:
            try:
                issues = bind(context, operations, made.ids)
            except RemoteError as error:
                context.health.failed(error.service, error)
                doubt(context, operations, f"{ANSWERED}, but not what it holds: {error.describe()}")
                return
            bound = {issue.mark.op: issue for issue in issues if issue.mark is not None}
            unbound = [operation for operation in operations if operation.op not in bound]
            plain = {item.operation.op for item in made.items if item.way.transition is None}
            self._births.saw(issue for op, issue in bound.items() if op in plain)
            if unbound:
                # an issue that the answer named exists, also if Jira hides it from us
                hidden = len(made.ids) > len(bound)
                doubt(context, unbound, HIDDEN if hidden else "not among the issues that the answer named")
        finally:
            self._let_go({item.operation.incident_id for item in made.items}, again=True)
