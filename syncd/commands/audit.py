"""`syncd audit verify` proves that the audit trail is whole, or names the first broken row."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.commands.audit_export import export
from syncd.commands.shared.output import emit_json, json_option
from syncd.commands.shared.setup import ledger_for_reading

if TYPE_CHECKING:
    from syncd.ledger.database.connection import Transactions


@click.group(help="Verify the audit trail, or export the evidence of a period.")
def command() -> None:
    """The audit trail's commands."""


def _anchor(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, str] | None:
    if value is None:
        return None
    seq, colon, digest = value.partition(":")
    if not colon or not seq.isdigit() or len(digest) != 64:
        raise click.BadParameter("an anchor is SEQ:HASH as mails and exports print it")
    return int(seq), digest


@command.command(help="Walk the chain of hashes from its first row to its head.")
@click.option("--anchor", callback=_anchor, help="SEQ:HASH noted earlier; the chain must pass through it.")
@click.option(
    "--export",
    "exported",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of audit export: its files, too, are held against its manifest and the chain.",
)
@json_option
def verify(anchor: tuple[int, str] | None, exported: Path | None, as_json: bool) -> None:
    """Exit 0 when whole, 1 when broken."""
    from syncd.ledger.database.connection import one_view
    from syncd.ledger.views import audit_trail

    with ledger_for_reading() as db, one_view(db) as view:
        problems = _of_export(view, exported) if exported else []
        broken = audit_trail.verify(view, anchor)
        seq, digest = audit_trail.head(view)
    if as_json:
        said = {"seq": broken.seq, "why": broken.why} if broken else None
        whole = broken is None and not problems
        emit_json({"whole": whole, "broken": said, "export": problems, "head": f"{seq}:{digest}"})
        sys.exit(0 if whole else 1)
    for problem in problems:
        click.echo(problem, err=True)
    if exported and not problems:
        click.echo(f"{exported}: every file is as its manifest says, and its events are those of the ledger")
    if broken:
        click.echo(f"the audit trail is broken at row {broken.seq}: {broken.why}", err=True)
    else:
        click.echo(f"{seq} events, unbroken; head {seq}:{digest}")
    sys.exit(1 if broken or problems else 0)


def _of_export(ledger: Transactions, folder: Path) -> list[str]:
    """What of an exported folder does not hold; empty where all of it does."""
    import json

    from syncd.ledger.views import audit_trail
    from syncd.ledger.views.evidence import foreign_events
    from syncd.report import evidence

    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.is_file() else None

    text = read(evidence.MANIFEST)
    if text is None:
        return [f"{folder} has no {evidence.MANIFEST}; name a folder that audit export wrote"]
    problems = evidence.broken_files(text, read)
    seq, _, digest = str(json.loads(text)["anchor"]).partition(":")
    broken = audit_trail.verify(ledger, (int(seq), digest))
    if broken:
        problems.append(f"the chain does not pass through the export's anchor: {broken.why}")
    for path in sorted(folder.glob("incidents/*.json")):
        foreign = foreign_events(ledger, json.loads(path.read_bytes()))
        if foreign:
            problems.append(f"{path.name}: the ledger does not have these events so: {foreign}")
    return problems


command.add_command(export)
