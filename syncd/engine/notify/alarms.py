"""Tells the operator of the daemon's own troubles: once each, on record, in the log, and to `tell`.

What was told stands in the ledger, so that a restart repeats nothing. Written in the same transaction as
`tell`, which may add an operation of its own (a mail) to it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from loguru import logger
from sqlmodel import Session

from syncd.engine.context import Desk
from syncd.engine.status import SIDES
from syncd.ledger.store import audit
from syncd.ledger.store.key_values import get_cursor, set_cursor
from syncd.policy.notify.operator_alarms import Alarm, Trouble, alarms_due
from syncd.remote.errors import Cause

CURSOR = "alarms"
KEPT = 200
"""Alarms that are remembered as told; older occasions do not come back."""


class Alarms:
    """Looks for trouble now and then; `good` gives the last good reads of this run."""

    def __init__(self, desk: Desk, good: Callable[[], dict[str, datetime]], expires: dict[str, date]) -> None:
        self._desk = desk
        self._good = good
        self._expires = expires
        self._started = desk.clock.now()
        self._told: list[str] | None = None
        self.tell: Callable[[Session, Alarm], None] = lambda _session, _alarm: None
        """Called for each alarm inside the transaction that puts it on record; the hook for mail."""

    def run(self) -> list[Alarm]:
        """Tell what is due; return it."""
        desk = self._desk
        if self._told is None:
            with desk.ledger.db.read() as session:
                known = get_cursor(session, CURSOR).get("told")
            self._told = [str(key) for key in known] if isinstance(known, list) else []
        due = alarms_due(self._trouble(), self._told, desk.clock.now())
        if due:
            told = self._told + [key for alarm in due for key in (*alarm.instead, alarm.key)]
            with desk.ledger.db.write() as session:
                set_cursor(session, CURSOR, told=told[-KEPT:])
                for alarm in due:
                    data = {"kind": alarm.kind, "key": alarm.key}
                    audit.append(session, desk.clock.now(), "alarm", data={**data})
                    self.tell(session, alarm)
            self._told = told[-KEPT:]
        for alarm in due:
            logger.critical("{}", alarm.text)
        return due

    def _trouble(self) -> Trouble:
        good, down = self._good(), self._desk.health.down()
        return Trouble(
            last_good=max(self._started, min(good.values())) if len(good) == len(SIDES) else self._started,
            down=tuple(one.name for one in down),
            refused={one.name: one.down_since for one in down if _refuses(one.cause) and one.down_since},
            expires=self._expires,
        )


def _refuses(cause: Cause | None) -> bool:
    return cause is Cause.CREDENTIALS
