"""Asks the executor of the ledger for something: the living daemon, else this process under the lock."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.setup import ledger_for_reading

if TYPE_CHECKING:
    from syncd.domain.clock import Clock
    from syncd.ledger.connect import Database

WAIT_SECONDS = 60.0
LOOK_EVERY = 0.2


def ask(kind: str, arguments: dict[str, Any], who: str) -> dict[str, Any]:
    """Write the request, see it done, return its result.

    Raises `LedgerMissing`; after a minute without an answer the request stays and the caller is told.
    """
    from syncd.engine import requests
    from syncd.engine.clock import SystemClock
    from syncd.ledger.errors import LedgerBusy
    from syncd.ledger.ledger import open_for_work

    clock = SystemClock()
    with ledger_for_reading() as db:
        with db.write() as session:
            number = requests.ask(session, kind, arguments, who, clock).id or 0
        try:
            ledger = open_for_work(db.url, f"syncd {kind}", clock.now())
        except LedgerBusy:
            click.echo("a running daemon does it", err=True)
        else:
            try:
                requests.serve(ledger, clock)
            finally:
                ledger.close()
            click.echo("no daemon is running: what follows from it leaves when one does", err=True)
        return _answer(db, number, clock)


def _answer(db: Database, number: int, clock: Clock) -> dict[str, Any]:
    from syncd.ledger.tables import RequestRow

    until = clock.boottime() + WAIT_SECONDS
    while clock.boottime() < until:
        with db.read() as session:
            row = session.get(RequestRow, number)
            if row is not None and row.result is not None:
                return dict(row.result)
        clock.sleep(LOOK_EVERY, Event())
    said = "nobody has answered within a minute; the request stays on record"
    return {"lines": [said], "failed": True}
