"""Ask the executor of the ledger for a job: the running daemon, else this process under the lock."""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.shared.how_to_start import how_to_start
from syncd.commands.shared.owner import typist
from syncd.commands.shared.setup import Setup, command_clock, ledger_for_reading

if TYPE_CHECKING:
    from syncd.domain.clock import Clock
    from syncd.engine.loop import ControlLoop
    from syncd.ledger.database.connection import Database

WAIT_SECONDS = 60.0
"""Seconds without an answer or progress after which a command gives up; the request stays on record."""
LOOK_EVERY = 0.2
"""Seconds between two looks for the answer."""


def ask_and_tell(kind: str, arguments: dict[str, Any]) -> None:
    """Write the request, wait for the answer and print it; exit 1 if the job failed.

    If writes follow and no daemon is running to do them, say how to start it. Raise `LedgerMissing`. Without
    an answer within a minute, say so; the request stays on record.
    """
    from syncd.engine.runtime.brakes import print_of
    from syncd.ledger.errors import LedgerBusy
    from syncd.ledger.open import open_for_work
    from syncd.ledger.requests import answers

    clock, daemon = command_clock(), False
    with ledger_for_reading(tell_moved=False) as db:
        number = answers.ask(db, kind, arguments, typist().name)
        # the lock tells whether a daemon is running: the process that gets it must do the work
        try:
            ledger = open_for_work(db.url, f"syncd {kind}", clock.now(), db.state_dir, clock.boottime)
        except LedgerBusy:
            daemon = True
        else:
            try:
                answers.serve(ledger, clock, print_of)
            finally:
                ledger.close()
        result = _answer(db, number, clock, lambda _words: None)
    tell({**result, "daemon": daemon})


def tell(result: dict[str, Any]) -> None:
    """Print the answer to a request; exit 1 if it failed, with the answer on standard error.

    Without a daemon, say what sends the writes.
    """
    for line in result.get("lines", []):
        click.echo(line, err=bool(result.get("failed")))
    if result.get("incidents") and not result.get("daemon"):
        click.echo(f"no daemon is running; the writes that follow leave when syncd runs: {how_to_start()}")
    if result.get("failed"):
        sys.exit(1)


def do_job(
    setup: Setup, command: str, kind: str, arguments: dict[str, Any], work: Callable[[ControlLoop], object]
) -> dict[str, Any]:
    """Have a job done by the running daemon, else by `work` here under the lock; return its answer.

    The lock file shows `command` as its holder meanwhile. `daemon` in the answer: one is running.
    """
    from syncd.engine.loop import ControlLoop
    from syncd.ledger.errors import LedgerBusy
    from syncd.ledger.requests import answers

    user = typist().name
    try:
        context = setup.context(command)
    except LedgerBusy:
        return {
            **ask_daemon(kind, arguments, user, lambda words: click.echo(words, err=True)),
            "daemon": True,
        }
    try:
        number = answers.ask(context.ledger, kind, arguments, user)
        work(ControlLoop(context))
        return {**answers.answer_of(context.ledger, number), "daemon": False}
    finally:
        context.ledger.close()


def ask_daemon(
    kind: str, arguments: dict[str, Any], user: str, show: Callable[[str], None]
) -> dict[str, Any]:
    """Ask the running daemon for a long job of a system user; `show` gets the progress; return the answer.

    Raise `LedgerMissing`. After a minute without progress, return a failure; the request stays on record.
    """
    from syncd.ledger.requests import answers

    clock = command_clock()
    with ledger_for_reading(tell_moved=False) as db:
        number = answers.ask(db, kind, arguments, user)
        return _answer(db, number, clock, show)


def _answer(db: Database, number: int, clock: Clock, show: Callable[[str], None]) -> dict[str, Any]:
    from syncd.ledger.requests.answers import request_of

    until, shown = clock.boottime() + WAIT_SECONDS, ""
    while clock.boottime() < until:
        request = request_of(db, number)
        if request is not None and request.result is not None:
            return request.result
        if request is not None and request.progress != shown:
            shown = request.progress
            show(shown)
            # a job that makes progress may take as long as it needs
            until = clock.boottime() + WAIT_SECONDS
        clock.sleep(LOOK_EVERY, Event())
    words = "the daemon did not answer within a minute; the request stays on record, see: syncd status"
    return {"lines": [words], "failed": True}
