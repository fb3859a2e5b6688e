"""`syncd forget`: erase a person's name, address and texts from the ledger; the audit trail stays valid."""

from __future__ import annotations

import click

from syncd.commands.shared.ask_daemon import ask_and_tell
from syncd.commands.shared.options import confirm

BEYOND = (
    "syncd cannot erase the person from Jira, PagerDuty, sent mails, exports and backups.\n"
    "It skips incidents that are not over, and lists them: the services still show them, so syncd would read"
    " them again."
)


@click.command(
    help="Erase a person's name, address and texts from the ledger; the audit trail stays valid."
    " ADDRESS is their e-mail address."
)
@click.argument("address")
@click.option(
    "--name", "names", multiple=True, metavar="NAME", help="Another name of the person; repeatable."
)
@click.option("--yes", is_flag=True, help="Erase without asking.")
def command(address: str, names: tuple[str, ...], yes: bool) -> None:
    """Ask for confirmation, then ask the executor of the ledger to erase the person."""
    if "@" not in address:
        raise click.UsageError("ADDRESS must be an e-mail address")
    click.echo(BEYOND, err=True)
    confirm("Erase this person? This cannot be undone.", yes=yes, err=True)
    ask_and_tell("forget", {"address": address.strip(), "names": [name.strip() for name in names]})
