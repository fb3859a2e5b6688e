"""Engines that are built wrong. The simulation must catch each of them, else its silence means nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from syncd.engine.context import EngineContext
from syncd.engine.decide import case_builder
from syncd.engine.observe import incident
from syncd.ledger.store import action_items, first_load, holds
from syncd.ledger.store.first_load import FirstLoad


@contextmanager
def as_it_is() -> Iterator[None]:
    """Change nothing."""
    yield


@contextmanager
def settles_at_once() -> Iterator[None]:
    """Send again at once after a look that found nothing, without the settle time."""
    with patch("syncd.engine.act.unknown_outcomes.remaining", lambda _context, _row: 0.0):
        yield


@contextmanager
def ignores_pauses() -> Iterator[None]:
    """Let operations leave although a person paused the service."""

    def may_leave(session: Any, _target: str, incident_ids: Iterable[str]) -> bool:
        held = any(first_load.holds(session, incident_id) for incident_id in incident_ids)
        return first_load.state_of(session) is FirstLoad.PASSED or not held

    with patch.object(holds, "may_leave_in", may_leave):
        yield


@contextmanager
def forgets_agreements() -> Iterator[None]:
    """Forget what both sides agreed on, so that a person's change looks like a mistake."""
    real = case_builder.load_case

    def load_case(*asked: Any) -> Any:
        facts = real(*asked)
        if facts is None or facts.ticket is None:
            return facts
        ticket = facts.ticket.model_copy(update={"agreed": {}, "placed_status": None})
        return replace(facts, ticket=ticket)

    with patch.object(case_builder, "load_case", load_case):
        yield


@contextmanager
def asks_inside_a_transaction() -> Iterator[None]:
    """Read the notes of an incident inside a transaction of the ledger."""
    real = incident.read_notes

    def read_notes(context: EngineContext, row: Any) -> None:
        with context.ledger.read():
            real(context, row)

    with patch.object(incident, "read_notes", read_notes):
        yield


@contextmanager
def overlooks_action_items() -> Iterator[None]:
    """Take no sub-task of a postmortem for an action item."""
    with patch.object(action_items, "source_of", lambda *_given: None):
        yield


MUTATIONS: dict[str, Callable[[], Any]] = {
    "none": as_it_is,
    "settles_at_once": settles_at_once,
    "ignores_pauses": ignores_pauses,
    "forgets_agreements": forgets_agreements,
    "asks_inside_a_transaction": asks_inside_a_transaction,
    "overlooks_action_items": overlooks_action_items,
}
