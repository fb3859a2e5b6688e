"""Render the creates of the next batch; one that cannot be rendered holds up no other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from syncd.domain.incident import Incident
from syncd.domain.operation.rendered import Born, RenderedCreate
from syncd.engine.bulk.binding import CREATE
from syncd.engine.bulk.initial_status import Way
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.ledger.database.connection import concerns_all
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.waiting_creates import creates_to_render
from syncd.remote.errors import RemoteError


@dataclass
class Item:
    """A create of a batch, rendered, with the transition that it carries."""

    operation: OperationRecord
    rendered: RenderedCreate
    incident: Incident
    team: str | None
    way: Way = field(default_factory=Way)

    def born(self) -> Item:
        """Return the create so that the ledger, too, says in which status its ticket begins."""
        if self.way.goal is None:
            return self
        born = Born(status=self.way.goal, state=self.incident.state)
        return replace(self, rendered=self.rendered.model_copy(update={"born": born}))


def rendered_creates(
    context: EngineContext, numbers: Sequence[int]
) -> tuple[list[Item], list[OperationRecord]]:
    """Return the creates that can be rendered, of the project with the most, and those that cannot be.

    Raise `RemoteError`.
    """
    by_project: dict[str, list[Item]] = defaultdict(list)
    unfit = []
    for operation, record in creates_to_render(context.ledger, numbers):
        try:
            rendered = CREATE.render_for(context.pinned(), operation, record)
        except Exception as error:
            expected = isinstance(error, CannotRender | DecideAgain | MappingMismatch)
            if not expected and (isinstance(error, RemoteError) or concerns_all(error)):
                raise
            # a worker parks it with the reason, or it waits while its team is stopped
            unfit.append(operation)
            continue
        # a worker says what it waits for
        if context.ledger_age.unproved({rendered.project}):
            continue
        incident = record.as_read
        # one batch, one project: `probe_from` is a project's highest issue number
        by_project[rendered.project].append(Item(operation, rendered, incident, record.team))
    return max(by_project.values(), key=len, default=[]), unfit
