"""`syncd audit export`: the evidence of a period as files, opened by its population, closed by a manifest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.shared.options import Day
from syncd.commands.shared.setup import Setup, ledger_for_reading

if TYPE_CHECKING:
    from syncd.engine.jobs.population import Population
    from syncd.ledger.database.connection import Database


@click.command(
    "export",
    help="Write the evidence of a period (days in UTC, both included): its population by PagerDuty's and"
    " Jira's own count, one JSON and CSV for each incident, and a manifest over all files.",
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
@click.option("--offline", is_flag=True, help="Ask no service; the population is then the ledger's alone.")
@click.pass_context
def export(ctx: click.Context, since: datetime, until: datetime, output: Path, offline: bool) -> None:
    """Write files; 1 where the ledger and PagerDuty do not reconcile."""
    begin = since.replace(tzinfo=UTC)
    end = until.replace(tzinfo=UTC) + timedelta(days=1)
    if end <= begin:
        raise click.UsageError("--to lies before --from")
    if output.exists() and any(output.iterdir()):
        raise click.UsageError(f"{output} is not empty; name a new folder")
    setup = None if offline else Setup.load(ctx)
    files, found = _files(setup, begin, end)
    output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = output / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    _tell(files, found, output)
    if found is not None and found.differs_by:
        ctx.exit(1)


def _files(setup: Setup | None, begin: datetime, end: datetime) -> tuple[dict[str, bytes], Population | None]:
    from syncd.ledger.database.connection import one_view
    from syncd.ledger.views import audit_trail
    from syncd.ledger.views.evidence import evidence_of, incidents_of
    from syncd.report import evidence

    files: dict[str, bytes] = {}
    with ledger_for_reading() as db:
        found = _population(setup, db, begin, end)
        with one_view(db) as view:
            incidents = incidents_of(view, begin, end)
            told = [incident for incident in incidents if not incident.restricted]
            for incident in told:
                data = evidence_of(view, incident)
                files[f"incidents/{incident.number}.json"] = evidence.as_json(data)
                files[f"incidents/{incident.number}.csv"] = evidence.as_csv(data)
            seq, digest = audit_trail.head(view)
    about = {
        "from": begin.isoformat(),
        "to": end.isoformat(),
        "anchor": f"{seq}:{digest}",
        "incidents": len(told),
        "restricted": len(incidents) - len(told),
    }
    files["population.json"] = evidence.as_json(_counted(found, len(incidents)))
    files[evidence.MANIFEST] = evidence.manifest(files, **about)
    return files, found


def _population(setup: Setup | None, db: Database, begin: datetime, end: datetime) -> Population | None:
    if setup is None:
        return None
    from syncd.engine.jobs.population import population

    services, _ = setup.services()
    return population(db, services, setup.configuration.mappings, begin, end)


def _counted(found: Population | None, in_ledger: int) -> dict[str, Any]:
    if found is None:
        return {"asked": False, "in_ledger": in_ledger}
    return {"asked": True, "reconciles": not found.differs_by, **vars(found)}


def _tell(files: dict[str, bytes], found: Population | None, output: Path) -> None:
    click.echo(f"{len(files)} files in {output}; check them: syncd audit verify --export {output}")
    if found is None:
        click.echo("no service was asked, so nobody says whether incidents are missing")
        return
    click.echo(
        f"{found.in_pagerduty} incidents in PagerDuty, {found.in_ledger} in the ledger, {found.with_ticket}"
        f" with a ticket, {found.restricted} restricted"
    )
    for number, why in found.not_in_ledger.items():
        click.echo(f"  {number} is not in the ledger: {why}")
    for number in found.not_in_pagerduty:
        click.echo(f"  {number} is in the ledger, and PagerDuty does not list it")
    for number, why in found.without_ticket.items():
        click.echo(f"  {number} has no ticket: {why}")
    for key in found.foreign:
        click.echo(f"  {key} is a ticket behind which no incident of the ledger stands")
    by = found.differs_by
    click.echo("the counts reconcile" if not by else f"the counts do not reconcile, by {by}")
