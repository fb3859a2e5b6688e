"""Keep the highest issue number that any answer of a project has shown."""

from __future__ import annotations

from collections.abc import Iterable

from syncd.engine.context import EngineContext
from syncd.ledger.store.key_values import highest_number, raise_highest_number


def saw_numbers(context: EngineContext, project: str, numbers: Iterable[int]) -> None:
    """An answer has shown these issue numbers of the project."""
    top = max(numbers, default=None)
    if top is None:
        return
    known = highest_number(context.ledger, project)
    if known is None or known < top:
        raise_highest_number(context.ledger, project, top)
