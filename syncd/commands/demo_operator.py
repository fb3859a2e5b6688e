"""The demo's operator: sees a parked operation, mends its cause, and asks for another try."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.commands.demo_lines import Line
from syncd.domain.operation import OperationState
from syncd.engine import requests
from syncd.engine.desk import Desk
from syncd.ledger import outbox

LOOKS_AFTER = 300.0
"""Seconds of the story's clock for which an operation stands parked before the operator retries it."""


class Operator:
    """Somebody who types `syncd outbox retry`, once for each operation that is parked."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._seen: dict[int, float] = {}
        self._retried: set[int] = set()

    def news(self) -> Iterator[Line]:
        """What the operator does now."""
        desk, now = self._desk, self._desk.clock.boottime()
        with desk.ledger.db.read() as session:
            parked = outbox.listing(session, [OperationState.PARKED])
        for row in parked:
            number = row.id or 0
            since = self._seen.setdefault(number, now)
            if now - since < LOOKS_AFTER or number in self._retried:
                continue
            self._retried.add(number)
            with desk.ledger.db.write() as session:
                requests.ask(session, "outbox.retry", {"ids": [number]}, "operator", desk.clock)
            yield Line(desk.clock.now(), "operator", f"syncd outbox retry {number}", "Jira was mended")
