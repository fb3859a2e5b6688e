"""`syncd audit verify`: prove that the audit trail is unbroken, or name the first broken row."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.commands.audit_export import export
from syncd.commands.shared.output import emit_json, json_option
from syncd.commands.shared.setup import ledger_for_reading
from syncd.domain.text import counted

if TYPE_CHECKING:
    from syncd.ledger.database.connection import Transactions


@click.group(help="Verify the audit trail, or export the evidence of a period.")
def command() -> None:
    """Group the commands of the audit trail."""


def _anchor(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, str] | None:
    if value is None:
        return None
    seq, colon, digest = value.partition(":")
    # 64: the hexadecimal digits of a SHA-256
    if not colon or not seq.isdigit() or len(digest) != 64:
        raise click.BadParameter("an anchor is SEQ:HASH; copy it from a weekly mail, an export or the log")
    return int(seq), digest


@command.command(help="Check the chain of hashes from its first row to its last.")
@click.option("--anchor", callback=_anchor, help="SEQ:HASH from a mail or export; the chain must contain it.")
@click.option(
    "--export",
    "exported",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder that audit export wrote; its files are compared with its manifest and with the chain.",
)
@json_option
def verify(anchor: tuple[int, str] | None, exported: Path | None, as_json: bool) -> None:
    """Exit 0 if the chain and the export are unbroken, else 1."""
    from syncd.ledger.database.connection import one_view
    from syncd.ledger.views import audit_trail

    # one view: an event that the daemon adds meanwhile would not fit the head
    with ledger_for_reading() as db, one_view(db) as view:
        problems = _of_export(view, exported) if exported else []
        broken = audit_trail.verify(view, [anchor] if anchor else [])
        seq, digest = audit_trail.head(view)
    if as_json:
        first_broken = {"seq": broken.seq, "why": broken.why} if broken else None
        whole = broken is None and not problems
        emit_json({"whole": whole, "broken": first_broken, "export": problems, "head": f"{seq}:{digest}"})
        sys.exit(0 if whole else 1)
    for problem in problems:
        click.echo(problem, err=True)
    if exported and not problems:
        click.echo(f"{exported}: every file matches its manifest, and every event matches the ledger")
    if broken:
        click.echo(str(broken), err=True)
    else:
        click.echo(f"the audit trail is unbroken: {counted(seq, 'event')}, head {seq}:{digest}")
    sys.exit(1 if broken or problems else 0)


def _of_export(ledger: Transactions, folder: Path) -> list[str]:
    """Return the problems of an exported folder; an empty list if it matches manifest and ledger."""
    import json

    from syncd.ledger.views import audit_trail
    from syncd.ledger.views.evidence import foreign_events
    from syncd.report import evidence

    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.is_file() else None

    text = read(evidence.MANIFEST)
    if text is None:
        return [f"{folder} has no {evidence.MANIFEST}; name a folder that syncd audit export wrote"]
    problems = evidence.broken_files(text, read)
    seq, _, digest = str(json.loads(text)["anchor"]).partition(":")
    broken = audit_trail.verify(ledger, [(int(seq), digest)])
    if broken:
        problems.append(f"the chain does not contain the export's anchor: {broken.why}")
    for path in sorted(folder.glob("incidents/*.json")):
        foreign = foreign_events(ledger, json.loads(path.read_bytes()))
        if foreign:
            problems.append(f"{path.name}: these events differ from the ledger's: {foreign}")
    return problems


command.add_command(export)
