"""Asks the executor of the ledger for something: the living daemon, else this process under the lock."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.shared.setup import Setup, command_clock, ledger_for_reading

if TYPE_CHECKING:
    from syncd.domain.clock import Clock
    from syncd.ledger.database.connection import Database

WAIT_SECONDS = 60.0
LOOK_EVERY = 0.2


def ask_and_tell(kind: str, arguments: dict[str, Any]) -> None:
    """Write the request, see it done, print the answer; exits 1 where it says so.

    Raises `LedgerMissing`; after a minute without an answer the request stays and the caller is told.
    """
    from syncd.engine.jobs import requests
    from syncd.ledger.errors import LedgerBusy
    from syncd.ledger.open import open_for_work

    clock = command_clock()
    with ledger_for_reading() as db:
        number = requests.ask(db, kind, arguments, getpass.getuser(), clock.now())
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
        result = _answer(db, number, clock, lambda _words: None)
    for line in result.get("lines", []):
        click.echo(line)
    if result.get("failed"):
        sys.exit(1)


def do_job(setup: Setup, command: str, kind: str, arguments: dict[str, Any], parallel: int) -> dict[str, Any]:
    """Have a job done and return its answer: by the living daemon, else here under the lock.

    `command` is who holds the lock meanwhile.
    """
    from syncd.engine.jobs import requests
    from syncd.engine.loop import ControlLoop, once
    from syncd.ledger.errors import LedgerBusy

    who = getpass.getuser()
    try:
        context = setup.context(command)
    except LedgerBusy:
        click.echo("a running daemon does it", err=True)
        return ask_daemon(kind, arguments, who, lambda words: click.echo(words, err=True))
    try:
        number = requests.ask(context.ledger, kind, arguments, who, context.clock.now())
        once(ControlLoop(context), parallel=parallel)
        return requests.answer_of(context.ledger, number)
    finally:
        context.ledger.close()


def ask_daemon(kind: str, arguments: dict[str, Any], who: str, show: Callable[[str], None]) -> dict[str, Any]:
    """Ask the living daemon for something that takes its time; `show` gets its progress, in words.

    Raises `LedgerMissing`; after a minute without an answer or progress the request stays.
    """
    from syncd.ledger.requests import answers

    clock = command_clock()
    with ledger_for_reading() as db:
        number = answers.ask(db, kind, arguments, who, clock.now())
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
            until = clock.boottime() + WAIT_SECONDS
        clock.sleep(LOOK_EVERY, Event())
    said = "nobody has answered within a minute; the request stays on record"
    return {"lines": [said], "failed": True}
