"""Decide which creates that wait in the outbox leave in batches, and which leave alone.

The outbox decides, wherever the work came from: a poll, `syncd accept`, a restart, a resync. Of incidents
that are open, the two highest severities never wait for a batch; a ticket of an incident that is over may
wait, because nobody waits for it. Open incidents come first.
"""

from __future__ import annotations

from collections.abc import Iterable

from syncd.domain.incident import IncidentStatus
from syncd.domain.operation import CreateTicket, Kind, OperationState
from syncd.engine.act.lane_of import is_urgent
from syncd.engine.context import EngineContext
from syncd.engine.rulebook import projects_of
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.waiting_creates import Waiting, waiting_creates

FROM = 10
"""Creates that have to wait at once before batches are worth their overhead."""
ALL = 100_000
LONELY_SECONDS = 1.0
"""Seconds that a create waits for others to leave with."""


class WaitingCreates:
    """The creates of the outbox that may leave in a batch."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._alone: set[int] = set()
        self._lonely: dict[int, float] = {}

    def may_ride(self, operation: OperationRecord, incident: IncidentRecord) -> bool:
        """Return True if a create may leave in a batch."""
        context = self._context
        return (
            operation.kind == Kind.CREATE_TICKET
            and operation.state == OperationState.PENDING
            # a create with an earlier attempt may exist already and is looked up alone
            and not operation.attempts
            and operation.typed(CreateTicket).is_plain
            and operation.id not in self._alone
            and not is_urgent(context, incident)
            and not context.ledger_age.unproved(projects_of(context, incident.team))
        )

    def many(self) -> bool:
        """Return True if so many creates wait that batches are worth it."""
        return len(self.first(FROM)) >= FROM

    def first(self, count: int) -> list[Waiting]:
        """Return the first `count` creates that may leave in a batch: open incidents first, oldest first."""
        limit = count * 2
        while True:
            waiting = waiting_creates(self._context.ledger, limit)
            riding = [create for create in waiting if self._rides(create)]
            if len(riding) >= count or len(waiting) < limit:
                return riding[:count]
            limit *= 4

    def tired(self, operations: Iterable[OperationRecord]) -> list[OperationRecord]:
        """Return those of these creates without company that have waited for some long enough."""
        now, offered = self._context.clock.boottime(), list(operations)
        self._lonely = {create.id: self._lonely.get(create.id, now) for create in offered}
        return [create for create in offered if now - self._lonely[create.id] >= LONELY_SECONDS]

    def rest(self) -> list[str]:
        """Let the creates without company leave alone; return the incidents of all that never left."""
        self.leave_alone(self._lonely)
        self._lonely = {}
        return [create.incident_id for create in waiting_creates(self._context.ledger, ALL)]

    def leave_alone(self, operation_ids: Iterable[int]) -> None:
        """Let these creates leave alone: a batch cannot take them."""
        self._alone.update(operation_ids)

    def _rides(self, create: Waiting) -> bool:
        if not create.plain or create.operation_id in self._alone:
            return False
        open_ = create.status != IncidentStatus.RESOLVED
        return not (open_ and self._context.rules.current.is_grave(create.team, create.severity))
