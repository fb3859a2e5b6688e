"""Engines that are built wrong: the simulation must find each of them, else its silence means nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from syncd.engine import border, observe_pagerduty
from syncd.ledger import snapshots
from syncd.ledger.tables import IncidentRow


@contextmanager
def as_it_is() -> Iterator[None]:
    """Nothing is wrong."""
    yield


@contextmanager
def settles_at_once() -> Iterator[None]:
    """What is not seen at the first look is sent again, whatever the settle time says."""
    with patch("syncd.engine.settle.remaining", lambda _desk, _row: 0.0):
        yield


@contextmanager
def last_answer_wins() -> Iterator[None]:
    """An incident is stored as the last answer told it, however early its request began."""
    real = snapshots.save_incident

    def save(session: Any, incident: Any, *args: Any, **kwargs: Any) -> Any:
        row = session.get(IncidentRow, incident.id)
        if row is not None:
            row.moment = row.written_moment = -1
        return real(session, incident, *args, **kwargs)

    modules = [one for one in (border, observe_pagerduty) if hasattr(one, "save_incident")]
    patches = [patch.object(module, "save_incident", save) for module in modules]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


MUTATIONS: dict[str, Callable[[], Any]] = {
    "none": as_it_is,
    "settles_at_once": settles_at_once,
    "last_answer_wins": last_answer_wins,
}
