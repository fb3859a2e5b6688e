"""`syncd audit export`: write the evidence of a period as files.

An auditor first needs the population (how many incidents both services count), then one file for each
incident, then a manifest that shows that no file was changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.shared.options import Day
from syncd.commands.shared.setup import Setup, ledger_for_reading
from syncd.domain.text import counted

if TYPE_CHECKING:
    from syncd.engine.jobs.population import Population
    from syncd.ledger.database.connection import Database


@click.command(
    "export",
    help="Write the evidence of a period (days in UTC, first and last included): how many incidents PagerDuty"
    " and Jira count, one JSON and one CSV file for each incident, and a manifest of all files.",
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
    files, population = _files(setup, begin, end)
    output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = output / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    _tell(files, population, output)
    if population is not None and population.differs_by:
        ctx.exit(1)


def _files(setup: Setup | None, begin: datetime, end: datetime) -> tuple[dict[str, bytes], Population | None]:
    from syncd.ledger.database.connection import one_view
    from syncd.ledger.views import audit_trail
    from syncd.ledger.views.evidence import evidence_of, incidents_of
    from syncd.report import evidence

    files: dict[str, bytes] = {}
    with ledger_for_reading() as db:
        counts = _population(setup, db, begin, end)
        # one view, so that the files and the anchor are of the same moment while the daemon writes
        with one_view(db) as view:
            incidents = incidents_of(view, begin, end)
            # restricted incidents are only counted: an export leaves the machine
            exported = [incident for incident in incidents if not incident.restricted]
            for incident in exported:
                data = evidence_of(view, incident)
                files[f"incidents/{incident.number}.json"] = evidence.as_json(data)
                files[f"incidents/{incident.number}.csv"] = evidence.as_csv(data)
            seq, digest = audit_trail.head(view)
    about = {
        "from": begin.isoformat(),
        "to": end.isoformat(),
        "anchor": f"{seq}:{digest}",
        "incidents": len(exported),
        "restricted": len(incidents) - len(exported),
    }
    files["population.json"] = evidence.as_json(_counted(counts, len(incidents)))
    files[evidence.MANIFEST] = evidence.manifest(files, **about)
    return files, counts


def _population(setup: Setup | None, db: Database, begin: datetime, end: datetime) -> Population | None:
    if setup is None:
        return None
    from syncd.engine.jobs.population import population

    services, _ = setup.services()
    return population(db, services, setup.configuration.mappings, begin, end)


def _counted(counts: Population | None, in_ledger: int) -> dict[str, Any]:
    if counts is None:
        return {"asked": False, "in_ledger": in_ledger}
    return {"asked": True, "reconciles": not counts.differs_by, **vars(counts)}


def _tell(files: dict[str, bytes], counts: Population | None, output: Path) -> None:
    click.echo(
        f"{counted(len(files), 'file')} written to {output}; check: syncd audit verify --export {output}"
    )
    if counts is None:
        click.echo("syncd asked no service (--offline), so incidents may be missing")
        return
    click.echo(
        f"{counted(counts.in_pagerduty, 'incident')} in PagerDuty, {counts.in_ledger} in the ledger,"
        f" {counts.with_ticket}"
        f" with a ticket, {counts.restricted} restricted"
    )
    for number, why in counts.not_in_ledger.items():
        click.echo(f"  {number} is not in the ledger: {why}")
    for number in counts.not_in_pagerduty:
        click.echo(f"  {number} is in the ledger, but PagerDuty does not list it")
    for number, why in counts.without_ticket.items():
        click.echo(f"  {number} has no ticket: {why}")
    for key in counts.foreign:
        click.echo(f"  {key} is a ticket of no incident in the ledger")
    by = counts.differs_by
    click.echo("the counts agree" if not by else f"the counts differ by {by}")
