"""Tells the operator of the daemon's own troubles: once each, on record, in the log, and by mail.

What was told stands in the ledger, so that a restart repeats nothing. An alarm's mails go into the outbox in
the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from loguru import logger

from syncd.domain.operation import Operation
from syncd.engine.context import EngineContext
from syncd.engine.status import SIDES
from syncd.ledger.store.mails import Told, tell_alarms, told_alarms
from syncd.policy.notify.operator_alarms import Alarm, Trouble, alarms_due
from syncd.remote.errors import Cause

KEPT = 200
"""Alarms that are remembered as told; older occasions do not come back."""


class Alarms:
    """Looks for trouble now and then.

    `good` gives the last good reads of this run, `mails_of` the mails that tell an alarm.
    """

    def __init__(
        self,
        context: EngineContext,
        good: Callable[[], dict[str, datetime]],
        expires: dict[str, date],
        mails_of: Callable[[Alarm], tuple[Operation, ...]] = lambda _alarm: (),
    ) -> None:
        self._context = context
        self._good = good
        self._expires = expires
        self._mails_of = mails_of
        self._started = context.clock.now()
        self._told: list[str] | None = None

    def run(self) -> list[Alarm]:
        """Tell what is due; return it."""
        context = self._context
        if self._told is None:
            self._told = told_alarms(context.ledger)
        due = alarms_due(self._trouble(), self._told, context.clock.now())
        if due:
            told = self._told + [key for alarm in due for key in (*alarm.instead, alarm.key)]
            alarms = [Told(alarm.kind, alarm.key, self._mails_of(alarm)) for alarm in due]
            tell_alarms(context.ledger, alarms, told[-KEPT:], context.clock.now())
            self._told = told[-KEPT:]
        for alarm in due:
            logger.critical("{}", alarm.text)
        return due

    def _trouble(self) -> Trouble:
        good, down = self._good(), self._context.health.down()
        return Trouble(
            last_good=max(self._started, min(good.values())) if len(good) == len(SIDES) else self._started,
            down=tuple(one.name for one in down),
            refused={one.name: one.down_since for one in down if _refuses(one.cause) and one.down_since},
            expires=self._expires,
        )


def _refuses(cause: Cause | None) -> bool:
    return cause is Cause.CREDENTIALS
