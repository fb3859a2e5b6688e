"""`syncd reload`: make the running daemon read its mappings and templates again, all of them or none."""

from __future__ import annotations

import sys

import click


@click.command(help="Make the running daemon read its mappings again: all of them or none.")
def command() -> None:
    """Ask the daemon; exit 78 with every problem if a mapping is wrong, 69 if Jira is unreachable."""
    from syncd.commands.shared.ask_daemon import ask_daemon
    from syncd.commands.shared.owner import typist
    from syncd.commands.shared.setup import ledger_for_reading
    from syncd.ledger.errors import LedgerBusy

    with ledger_for_reading(tell_moved=False) as db:
        lock = db.backend.lock()
    # whoever holds the lock is the daemon: if this process gets the lock, no daemon is running
    try:
        lock.acquire("syncd reload")
    except LedgerBusy:
        pass
    else:
        lock.release()
        click.echo("no daemon is running; the daemon reads the mappings when it starts")
        return
    user = typist()
    result = ask_daemon("reload", {"uid": user.uid}, user.name, lambda _words: None)
    for line in result["lines"]:
        click.echo(line, err=bool(result["failed"]))
    if result["failed"]:
        sys.exit(int(result.get("code") or 1))
