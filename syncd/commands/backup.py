"""`syncd backup`: copy the ledger and check the copy, while the daemon may run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from syncd.commands.shared.owner import user_name
from syncd.commands.shared.setup import command_clock, owners_settings

if TYPE_CHECKING:
    from syncd.config.settings.settings import Settings


def refuse_on_server(settings: Settings, what: Literal["backup", "restore"]) -> None:
    """Raise `LedgerMisconfigured` with the line to type if the ledger's database has its own backup."""
    from syncd.ledger.database.backend import backend_of
    from syncd.ledger.errors import LedgerMisconfigured

    backend = backend_of(settings.ledger_url, settings.state_dir)
    own = backend.own_backup()
    if own is not None:
        raise LedgerMisconfigured(
            f"{backend.name} is backed up and restored by PostgreSQL, not by syncd",
            f"type: {getattr(own, what)}; more in systemd/README.md, 'A ledger on PostgreSQL'",
        )


@click.command(help="Copy the ledger and check the copy; the daemon may run.")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    help="The folder for the copy. Default: <state dir>/backups.",
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    default=14,
    show_default=True,
    help="How many copies to keep; older ones are removed.",
)
def command(folder: Path | None, keep: int) -> None:
    """Copy the ledger; exit 1 without a copy if the check finds damage."""
    from syncd.ledger.database.sqlite.backup import back_up
    from syncd.ledger.database.sqlite.connection import ledger_file

    settings = owners_settings()
    refuse_on_server(settings, "backup")
    target = folder or settings.state_dir / "backups"
    made = back_up(ledger_file(settings.ledger_url), target, command_clock().now(), keep)
    owner = user_name(made.file.stat().st_uid)
    click.echo(f"{made.file} ({made.size / 1e6:.1f} MB, owner {owner}): copied and checked")
    if made.removed:
        click.echo(f"older copies removed: {len(made.removed)}; copies kept: {keep}")
