"""`syncd backup`: a copy of the ledger that can be trusted, beside the running daemon."""

from __future__ import annotations

from pathlib import Path

import click

from syncd.commands.shared.setup import command_clock


@click.command(help="Copy the ledger: consistent, checked, on disk; also while the daemon works.")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Folder; default: <state dir>/backups.")
@click.option("--keep", type=click.IntRange(1), default=14, show_default=True, help="Copies that stay.")
def command(folder: Path | None, keep: int) -> None:
    """Back up; a damaged copy gets no name and ends with 1."""
    from syncd.config.settings.access import load_settings
    from syncd.ledger.database.backup import back_up
    from syncd.ledger.database.connection import ledger_file

    settings = load_settings()
    target = folder or settings.state_dir / "backups"
    made = back_up(ledger_file(settings.ledger_url), target, command_clock().now(), keep)
    click.echo(f"{made.file} ({made.size / 1e6:.1f} MB), found whole")
    if made.removed:
        click.echo(f"{len(made.removed)} older copies removed, {keep} kept")
