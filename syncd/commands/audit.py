"""`syncd audit verify`: proves that the audit trail is whole, or names the first broken row."""

from __future__ import annotations

import sys

import click

from syncd.commands.output import emit_json, json_option
from syncd.commands.setup import ledger_for_reading


@click.group(help="Verify the audit trail.")
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
@json_option
def verify(anchor: tuple[int, str] | None, as_json: bool) -> None:
    """Exit 0 when whole, 1 when broken."""
    from syncd.ledger import audit

    with ledger_for_reading() as db, db.read() as session:
        broken = audit.verify(session, anchor)
        seq, digest = audit.head(session)
    if as_json:
        said = {"seq": broken.seq, "why": broken.why} if broken else None
        emit_json({"whole": broken is None, "broken": said, "head": f"{seq}:{digest}"})
    elif broken:
        click.echo(f"the audit trail is broken at row {broken.seq}: {broken.why}", err=True)
    else:
        click.echo(f"{seq} events, unbroken; head {seq}:{digest}")
    sys.exit(1 if broken else 0)
