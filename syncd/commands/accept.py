"""`syncd accept`: a new ledger may make the many tickets that it is held for."""

from __future__ import annotations

import click

from syncd.commands.shared.ask_daemon import ask_and_tell


@click.command(help="Let a new ledger make the tickets that it waits with; status shows them.")
def command() -> None:
    """Ask the executor of the ledger to go on."""
    ask_and_tell("accept", {})
