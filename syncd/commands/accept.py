"""`syncd accept`: the operator lets a new ledger create the many tickets that it holds."""

from __future__ import annotations

import click

from syncd.commands.shared.ask_daemon import ask_and_tell


@click.command(help="Let a new ledger create the tickets that it holds (syncd status counts them).")
def command() -> None:
    """Ask the executor of the ledger to end the first-load brake."""
    ask_and_tell("accept", {})
