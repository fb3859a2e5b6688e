"""`syncd accept`: the operator lets a new ledger create the many tickets that it holds."""

from __future__ import annotations

import click

from syncd.commands.shared.ask_daemon import ask_and_tell


@click.command(
    help="Allow a new ledger to create the tickets that wait for your consent (`syncd status` counts them)."
)
def command() -> None:
    """Ask the executor of the ledger to end the first-load brake."""
    ask_and_tell("accept", {})
