"""`syncd forget`: a person's name, address and texts leave the ledger; the audit trail holds."""

from __future__ import annotations

import click

from syncd.commands.shared.ask_daemon import ask_and_tell
from syncd.commands.shared.options import confirm

BEYOND = (
    "What cannot be emptied from here: Jira and PagerDuty, mails that left, exports and backups.\n"
    "Incidents that are not over are left and named: the services still show them, and they are read again."
)


@click.command(help="Empty a person's name, address and texts in the ledger; the audit trail holds.")
@click.argument("address")
@click.option("--name", "names", multiple=True, metavar="NAME", help="A further name of theirs; repeatable.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
def command(address: str, names: tuple[str, ...], yes: bool) -> None:
    """Ask, then have the executor of the ledger do it."""
    if "@" not in address:
        raise click.UsageError("ADDRESS is an e-mail address")
    click.echo(BEYOND, err=True)
    confirm("Empty it? It does not come back.", yes=yes, err=True)
    ask_and_tell("forget", {"address": address.strip(), "names": [one.strip() for one in names]})
