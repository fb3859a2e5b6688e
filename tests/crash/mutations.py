"""Workers that are built wrong. The crash proof must catch each of them, else it proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from syncd.domain.operation import op_of, ticket_key
from syncd.domain.operation.rendered import Rendered, RenderedCreate
from syncd.engine.act import executor
from syncd.engine.act.executor import Executor, Verdict
from syncd.engine.act.find_created import find_made, highest_seen
from syncd.engine.act.kind import OperationKind, Outcome
from syncd.engine.act.kinds.create_ticket import CreateTicketKind
from syncd.engine.context import EngineContext
from syncd.engine.loop import ControlLoop
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.leaving import Leaving, claim
from syncd.policy.marks import incident_label


def none(loop: ControlLoop) -> None:
    """Leave the worker as it is."""


def intent_after(loop: ControlLoop) -> None:
    """Record an operation as in flight only after its request came back.

    The look for what an earlier ledger wrote is off, too: it would find the texts that this one forgot.
    """

    def leave(
        self: Executor,
        kind: OperationKind[Any],
        operation: OperationRecord,
        rendered: Rendered,
        whole: Rendered,
        probe_from: int | None,
    ) -> Verdict:
        context = self._context
        outcome = kind.send(context, operation, whole)
        run, now, leaving = context.ledger.run_name, context.clock.now(), [Leaving(operation.id, rendered)]
        claims = claim(context.ledger, leaving, operation.target, run, now, probe_from)
        if not claims:
            return Verdict.AGAIN
        self.confirm(kind, claims[0], outcome, 0.0)
        return Verdict.DONE

    Executor._leave = leave  # type: ignore[method-assign] # the point of the mutation
    executor.done_by_an_earlier_ledger = (  # the second net
        lambda _context, _kind, _operation, _rendered, _basis: None
    )


def no_probe(loop: ControlLoop) -> None:
    """Never look for a create whose answer was lost; only the settle time, shorter than the lag, protects.

    Use it with a settle time of 60 s, as `test_crash.py` does.
    """
    _look_by(lambda _context, _row: None)


def probe_without_base(loop: ControlLoop) -> None:
    """Begin the look at the highest number of now, not at that of the time when the create left."""

    def look(context: EngineContext, row: OperationRecord) -> Outcome | None:
        project, incident = row.rendered_as(RenderedCreate).project, row.incident_id
        base = highest_seen(context, project)
        issue = find_made(context, project, base, op_of(ticket_key(incident)), row.decided_at)
        return Outcome(issue.id, key=issue.key) if issue else None

    _look_by(look)


def labels_as_marks(loop: ControlLoop) -> None:
    """Look for the label by a search, which lags, instead of fetching the issues by key."""

    def look(context: EngineContext, row: OperationRecord) -> Outcome | None:
        label = incident_label(row.incident_id)
        page = context.services.jira.search(
            f'project = "{row.rendered_as(RenderedCreate).project}" AND labels = "{label}"'
        )
        return Outcome(page.hits[0].id, key=page.hits[0].key) if page.hits else None

    _look_by(look)


def _look_by(look: Callable[[EngineContext, OperationRecord], Outcome | None]) -> None:
    CreateTicketKind.find_outcome = (  # type: ignore[method-assign] # the point of the mutations
        lambda _kind, context, row: look(context, row)
    )


MUTATIONS: dict[str, Callable[[ControlLoop], None]] = {
    "none": none,
    "intent_after": intent_after,
    "no_probe": no_probe,
    "probe_without_base": probe_without_base,
    "labels_as_marks": labels_as_marks,
}
