"""Ways to build the worker wrong: the proof must find each of them, else it proves nothing."""

from __future__ import annotations

from collections.abc import Callable

from syncd.engine.acts.base import Act, Rendered
from syncd.engine.cycle import Engine
from syncd.engine.executor import Executor, Verdict
from syncd.ledger import outbox
from syncd.ledger.tables import OperationRow


def none(engine: Engine) -> None:
    """The worker as it is."""


def intent_after(engine: Engine) -> None:
    """The operation is recorded as under way only after its request came back."""

    def leave(
        self: Executor, act: Act, row: OperationRow, rendered: Rendered, probe_from: int | None
    ) -> Verdict:
        desk = self._desk
        outcome = act.send(desk, row, rendered)
        with desk.ledger.db.write() as session:
            run, now = desk.ledger.run_name, desk.clock.now()
            claimed = outbox.claim(session, row.id or 0, run, now, rendered, probe_from)
        if claimed is None:
            return Verdict.AGAIN
        self.confirm(act, claimed, outcome, 0.0)
        return Verdict.DONE

    Executor._leave = leave  # type: ignore[method-assign] # the point of the mutation


MUTATIONS: dict[str, Callable[[Engine], None]] = {"none": none, "intent_after": intent_after}
