"""`syncd outbox`: the operations that are open; retry what is parked, drop what is not wanted."""

from __future__ import annotations

import getpass
import sys

import click

from syncd.commands.output import console, emit_json, json_option, table


@click.group(
    help="Operations that wait, are parked or unknown; retry or drop them.", invoke_without_command=True
)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Without a further word, list them."""
    if ctx.invoked_subcommand is not None:
        return
    from syncd.commands.setup import ledger_for_reading
    from syncd.ledger.reading import outbox_data

    with ledger_for_reading() as db, db.read() as session:
        data = outbox_data(session)
    if as_json:
        emit_json(data)
        return
    out = console()
    if not data["operations"]:
        out.print("The outbox is empty: everything decided is done.")
        return
    rows = [
        (op["id"], op["incident"], op["kind"], op["state"], op["attempts"], op["error"] or op["reason"])
        for op in data["operations"]
    ]
    out.print(table("", ("id", "incident", "what", "state", "tries", "words"), rows))
    if data["counts"]["parked"]:
        out.print("\nParked operations wait until what Jira or PagerDuty says is mended: syncd outbox retry")


@command.command("retry", help="Render parked operations anew and send them; without IDS, all of them.")
@click.argument("ids", nargs=-1, type=int)
def retry(ids: tuple[int, ...]) -> None:
    """Ask the executor of the ledger to retry."""
    _ask("outbox.retry", {"ids": list(ids)})


@command.command("drop", help="Give up parked operations for good; they are recorded as dropped.")
@click.argument("ids", nargs=-1, type=int, required=True)
@click.option("--reason", required=True, help="Why, for the record.")
def drop(ids: tuple[int, ...], reason: str) -> None:
    """Ask the executor of the ledger to drop."""
    _ask("outbox.drop", {"ids": list(ids), "reason": reason})


def _ask(kind: str, arguments: dict[str, object]) -> None:
    from syncd.commands.asking import ask

    result = ask(kind, arguments, getpass.getuser())
    for line in result.get("lines", []):
        click.echo(line)
    if result.get("failed"):
        sys.exit(1)
