"""`syncd ledger copy`: move the ledger to another database, whole and verified."""

from __future__ import annotations

import sys

import click

from syncd.commands.shared.options import confirm
from syncd.commands.shared.setup import command_clock, owners_settings


@click.group(help="Copy the ledger to another database; the daemon must not run.")
def command() -> None:
    """Group the commands on the ledger as a whole."""


@command.command(
    "copy",
    help="Move the ledger to another database: copy all rows, compare them, verify the audit trail, and"
    " mark the former ledger as moved. The daemon must not run. The target must be empty; an unfinished copy"
    " begins anew.",
)
@click.option("--from", "source", metavar="URL", help="The present ledger. Default: SYNCD_LEDGER_URL.")
@click.option("--to", "target", metavar="URL", required=True, help="The new ledger.")
@click.option("--yes", is_flag=True, help="Move without asking.")
def copy(source: str | None, target: str, yes: bool) -> None:
    """Move the ledger; exit 75 while a daemon runs, 69 if a database does not answer, 1 if it is refused."""
    from syncd.config.settings.ledger_url import ledger_address
    from syncd.domain.text import counted
    from syncd.domain.trail.chain import spelled
    from syncd.ledger.database.backend import backend_of
    from syncd.ledger.move import move

    settings, clock = owners_settings(makes_ledger=True), command_clock()
    urls = []
    for option, url in (("--from", source or settings.ledger_url), ("--to", target)):
        try:
            urls.append(ledger_address(url))
        except ValueError as error:
            raise click.UsageError(f"{option} is {error}") from None
    names = [backend_of(url).name for url in urls]
    click.echo(f"The ledger moves from {names[0]} to {names[1]}. No daemon starts on {names[0]} afterwards.")
    confirm("Move it?", yes=yes)
    moved = move(urls[0], urls[1], clock.now(), settings.state_dir, _show)
    total = sum(moved.rows.values())
    click.echo(
        f"{counted(total, 'row')} of {counted(len(moved.rows), 'table')} copied and compared; the audit trail"
        f" holds up to {spelled(moved.head)}."
    )
    click.echo(f"Set SYNCD_LEDGER_URL to the URL of {names[1]} and start the daemon.")


def _show(table: str, rows: int) -> None:
    # a bar needs the total, which nobody has counted
    if sys.stderr.isatty():
        click.echo(f"\r{table}: {rows} rows\x1b[K", nl=False, err=True)
