"""`syncd outbox`: the operations that are open; retry what is parked, release what is held, drop the rest."""

from __future__ import annotations

import click

from syncd.commands.shared.ask_daemon import ask_and_tell
from syncd.commands.shared.output import console, emit_json, json_option, table


@click.group(
    help="Operations that wait, are parked, held or unknown; retry, release or drop them.",
    invoke_without_command=True,
)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Without a further word, list them."""
    if ctx.invoked_subcommand is not None:
        return
    from syncd.commands.shared.setup import ledger_for_reading
    from syncd.ledger.views.status import outbox_data

    with ledger_for_reading() as db:
        data = outbox_data(db)
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
    if data["counts"]["held"]:
        out.print("\nHeld operations write to tickets whose incidents did not change: syncd outbox release")


@command.command("retry", help="Render parked operations anew and send them; without IDS, all of them.")
@click.argument("ids", nargs=-1, type=int)
def retry(ids: tuple[int, ...]) -> None:
    """Ask the executor of the ledger to retry."""
    ask_and_tell("outbox.retry", {"ids": list(ids)})


@command.command("drop", help="Give up parked or held operations for good; they are recorded as dropped.")
@click.argument("ids", nargs=-1, type=int)
@click.option("--held", is_flag=True, help="All that are held.")
@click.option("--reason", required=True, help="Why, for the record.")
def drop(ids: tuple[int, ...], held: bool, reason: str) -> None:
    """Ask the executor of the ledger to drop."""
    if not ids and not held:
        raise click.UsageError("say which: IDS as syncd outbox lists them, or --held")
    ask_and_tell("outbox.drop", {"ids": list(ids), "held": held, "reason": reason})


@command.command("release", help="Let held operations leave; without IDS, all of them.")
@click.argument("ids", nargs=-1, type=int)
def release(ids: tuple[int, ...]) -> None:
    """Ask the executor of the ledger to release."""
    ask_and_tell("outbox.release", {"ids": list(ids)})
