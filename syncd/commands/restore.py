"""`syncd restore`: replace the ledger with a copy. The daemon then reads what came later."""

from __future__ import annotations

from pathlib import Path

import click

from syncd.commands.backup import refuse_on_server
from syncd.commands.shared.options import confirm
from syncd.commands.shared.owner import user_name
from syncd.commands.shared.setup import command_clock, owners_settings


@click.command(help="Replace the ledger with COPY (default: the latest backup); the daemon must not run.")
@click.argument("copy", type=click.Path(path_type=Path), required=False)
@click.option("--yes", is_flag=True, help="Restore without asking.")
def command(copy: Path | None, yes: bool) -> None:
    """Restore a copy; exit 75 while a daemon is running."""
    from syncd.ledger.database.sqlite.backup import backups
    from syncd.ledger.database.sqlite.connection import ledger_file
    from syncd.ledger.restore import restore
    from syncd.ledger.store.operation_states import GivenUp

    settings, clock = owners_settings(makes_ledger=True), command_clock()
    refuse_on_server(settings, "restore")
    copies = backups(settings.state_dir / "backups")
    chosen = copy or (copies[0] if copies else None)
    if chosen is None:
        raise click.UsageError(f"there is no copy in {settings.state_dir / 'backups'}; name a file")
    if not chosen.is_file():
        raise click.UsageError(f"there is no file {chosen}")
    file = ledger_file(settings.ledger_url)
    click.echo(f"{chosen} replaces {file}; syncd keeps the present ledger under another name beside it.")
    confirm("Restore?", yes=yes)
    done = restore(chosen, file, clock.now(), GivenUp(clock.boot_id(), clock.boottime()))
    click.echo(f"{file} is the copy now; its owner is {user_name(file.stat().st_uid)}.")
    if done.set_aside is not None:
        click.echo(f"The former ledger is now {done.set_aside}")
    if done.last_event is not None:
        click.echo(f"The copy ends at {done.last_event:%Y-%m-%d %H:%M:%S} UTC.")
    click.echo(
        "The daemon reads what happened since then. It creates no ticket before the settle time is over"
        " and a search shows that the ticket does not exist."
    )
    for line in done.unsent:
        click.echo(f"Not sent, because it may already be sent: {line}")
