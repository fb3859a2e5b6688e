"""`syncd restore`: a copy takes the place of the ledger; what happened since is found in the services."""

from __future__ import annotations

from pathlib import Path

import click

from syncd.commands.shared.options import confirm
from syncd.commands.shared.setup import command_clock


@click.command(help="Put a copy in the place of the ledger; the daemon must not run.")
@click.argument("copy", type=click.Path(path_type=Path), required=False)
@click.option("--yes", is_flag=True, help="Do it without asking.")
def command(copy: Path | None, yes: bool) -> None:
    """Restore COPY (default: the latest backup); 75 while a daemon runs."""
    from syncd.config.settings.access import load_settings
    from syncd.ledger.database.backup import backups
    from syncd.ledger.database.connection import ledger_file
    from syncd.ledger.restore import restore
    from syncd.ledger.store.operation_states import GivenUp

    settings, clock = load_settings(), command_clock()
    found = backups(settings.state_dir / "backups")
    chosen = copy or (found[0] if found else None)
    if chosen is None:
        raise click.UsageError(f"there is no copy in {settings.state_dir / 'backups'}; name one")
    if not chosen.is_file():
        raise click.UsageError(f"there is no file {chosen}")
    file = ledger_file(settings.ledger_url)
    click.echo(f"{chosen} takes the place of {file}, which is set aside beside it.")
    confirm("Do it?", yes=yes)
    done = restore(chosen, file, clock.now(), GivenUp(clock.boot_id(), clock.boottime()))
    if done.set_aside is not None:
        click.echo(f"What stood there is now {done.set_aside}")
    if done.last_event is not None:
        click.echo(f"The copy ends at {done.last_event:%Y-%m-%d %H:%M:%S} UTC.")
    click.echo(
        "The daemon reads what happened since. New tickets wait for the settle time, then for a search."
    )
    for line in done.unsent:
        click.echo(f"Not sent, because it may have been: {line}")
