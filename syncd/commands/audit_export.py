"""`syncd audit export`: write the evidence of a period as files.

An auditor first needs the population (how many incidents both services count), then one file for each
incident, then a manifest that shows that no file was changed.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.shared.options import Day
from syncd.commands.shared.output import write_private
from syncd.commands.shared.owner import typist
from syncd.commands.shared.setup import Setup, command_clock, ledger_for_reading
from syncd.domain.text import counted

if TYPE_CHECKING:
    from syncd.engine.jobs.population import Population
    from syncd.ledger.database.connection import Database
    from syncd.report.evidence import Export


@click.command(
    "export",
    help="Write the evidence of a period (days in UTC, first and last included): how many incidents PagerDuty"
    " and Jira count, one JSON and one CSV file for each incident, the facts from which the figures can be"
    " judged again, and a manifest of all files.",
)
@click.option("--from", "since", required=True, type=Day(), help="The first day, as 2026-10-01.")
@click.option("--to", "until", required=True, type=Day(), help="The last day, as 2026-12-31.")
@click.option(
    "--output",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="A new folder for the files.",
)
@click.option("--offline", is_flag=True, help="Ask no service; count the ledger's incidents only.")
@click.pass_context
def export(ctx: click.Context, since: datetime, until: datetime, output: Path, offline: bool) -> None:
    """Write the files; exit 1 if the ledger and PagerDuty count different incidents."""
    begin = since.replace(tzinfo=UTC)
    end = until.replace(tzinfo=UTC) + timedelta(days=1)
    if end <= begin:
        raise click.UsageError("--to is before --from")
    if output.exists() and any(output.iterdir()):
        raise click.UsageError(f"{output} is not empty; name a new folder")
    setup = None if offline else Setup.load(ctx)
    with ledger_for_reading() as db:
        exported, population = _export(setup, db, begin, end)
        if setup is not None:
            exported.files.update(_figures(setup, db, exported, begin, end))
        row = _write(db, exported, output)
    _tell(len(exported.files) + 1, population, output, row)
    if population is not None and population.differs_by:
        ctx.exit(1)


def _export(
    setup: Setup | None, db: Database, begin: datetime, end: datetime
) -> tuple[Export, Population | None]:
    from syncd.ledger.database.connection import one_view
    from syncd.report.evidence import build

    counts = _population(setup, db, begin, end)
    # one view, so that the files and the anchor are of the same moment while the daemon writes
    with one_view(db) as view:
        return build(view, begin, end, _counted(counts), now=command_clock().now()), counts


def _figures(
    setup: Setup, db: Database, exported: Export, begin: datetime, end: datetime
) -> dict[str, bytes]:
    """Return the files with which the figures can be judged again; the services are asked outside a view."""
    from syncd.engine.jobs.export_figures import files_of
    from syncd.engine.jobs.verify_facts import Reader

    services, _ = setup.services()
    reader = Reader(db, services, setup.configuration.mappings)
    return files_of(db, reader, exported.ids, (begin, end), exported.read_until)


def _write(db: Database, exported: Export, output: Path) -> int:
    """Write the files and put the manifest's hash on record; return the row that tells of it.

    The folder gets its name last, so a folder with that name is complete. Raise `NoRoom`, `LedgerUnwritable`.
    """
    from syncd.ledger.database.room import room_for
    from syncd.ledger.views import audit_trail
    from syncd.report.evidence import MANIFEST

    manifest = exported.manifest()
    files = {**exported.files, MANIFEST: manifest}
    partial = output.with_name(output.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with room_for("the export", output.absolute().parent, sum(map(len, files.values()))):
            partial.mkdir(parents=True, mode=0o700)
            for name, content in files.items():
                write_private(partial / name, content)
        about = {key: value for key, value in exported.about.items() if key != "begins"}
        about["manifest"] = sha256(manifest).hexdigest()
        row = audit_trail.note_export(db, about, typist().name, command_clock().now())
        partial.rename(output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return row


def _population(setup: Setup | None, db: Database, begin: datetime, end: datetime) -> Population | None:
    if setup is None:
        return None
    from syncd.engine.jobs.population import population

    services, _ = setup.services()
    return population(db, services, setup.configuration.mappings, begin, end)


def _counted(counts: Population | None) -> dict[str, Any]:
    if counts is None:
        return {"asked": False}
    return {"asked": True, "reconciles": not counts.differs_by, **vars(counts)}


def _tell(number: int, counts: Population | None, output: Path, row: int) -> None:
    click.echo(f"{counted(number, 'file')} written to {output}; check: syncd audit verify --export {output}")
    click.echo(f"row {row} of the audit trail holds the hash of its manifest")
    if counts is None:
        click.echo(
            "syncd asked no service (--offline), so incidents may be missing, and the figures cannot be"
            " judged again"
        )
        return
    click.echo(
        f"{counted(counts.in_pagerduty, 'incident')} in PagerDuty, {counts.in_ledger} in the ledger,"
        f" {counts.with_ticket}"
        f" with a ticket, {counts.restricted} restricted"
    )
    for name, why in counts.not_in_ledger.items():
        click.echo(f"  {name} is not in the ledger: {why}")
    for name in counts.not_in_pagerduty:
        click.echo(f"  {name} is in the ledger, but PagerDuty does not list it")
    for name, why in counts.without_ticket.items():
        click.echo(f"  {name} has no ticket: {why}")
    for key in counts.foreign:
        click.echo(f"  {key} is a ticket of no incident in the ledger")
    by = counts.differs_by
    click.echo("the counts agree" if not by else f"the counts differ by {by}")
