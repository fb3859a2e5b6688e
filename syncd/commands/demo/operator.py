"""The demo's operator: sees a parked operation, mends its cause, and asks for another try."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from syncd.commands.demo.lines import Line
from syncd.domain.operation import OperationState
from syncd.engine.context import EngineContext
from syncd.ledger.requests import answers
from syncd.ledger.views import status

LOOKS_AFTER = 300.0
"""Seconds of the story's clock for which an operation stands parked before the operator retries it."""


WAIVES_AFTER = 30 * 3600.0
WAIVED = "12"


class Operator:
    """Somebody who types `syncd outbox retry`, once for each operation that is parked, and one waiver."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._seen: dict[int, float] = {}
        self._retried: set[int] = set()
        self._waived = False

    def news(self) -> Iterator[Line]:
        """What the operator does now."""
        context, now = self._context, self._context.clock.boottime()
        for operation in status.listing(context.ledger, [OperationState.PARKED]):
            number = operation.id
            since = self._seen.setdefault(number, now)
            if now - since < LOOKS_AFTER or number in self._retried:
                continue
            self._retried.add(number)
            answers.ask(context.ledger, "outbox.retry", {"ids": [number]}, "operator", context.clock.now())
            yield Line(context.clock.now(), "operator", f"syncd outbox retry {number}", "Jira was mended")
        if now >= WAIVES_AFTER and not self._waived:
            self._waived = True
            yield self._waive()

    def _waive(self) -> Line:
        context = self._context
        until, reason = context.clock.now() + timedelta(days=8), "the database's vendor answers next week"
        who = "tomasz.wojcik@qrpay.example"
        asked = {"of": WAIVED, "duty": None, "until": until.isoformat(), "reason": reason, "by": who}
        answers.ask(context.ledger, "waive", asked, "operator", context.clock.now())
        said = f"syncd waive {WAIVED} --until {until:%Y-%m-%d} --by {who}"
        return Line(context.clock.now(), "operator", said, reason)
