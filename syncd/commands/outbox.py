"""`syncd outbox`: list the open operations; retry parked ones, release held ones, drop either."""

from __future__ import annotations

import click

from syncd.commands.shared.ask_daemon import ask_and_tell
from syncd.commands.shared.output import console, emit_json, json_option, operation_words, table, with_wait


@click.group(
    help="List the operations that are not done; retry, release or drop them.",
    invoke_without_command=True,
)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the open operations, unless a subcommand was given."""
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
        out.print("The outbox is empty: syncd has done everything that it decided.")
        return
    rows = [
        (
            *(op["id"], op["name"], operation_words(op), op["state"], op["attempts"]),
            with_wait(op["error"] or op["reason"], op),
        )
        for op in data["operations"]
    ]
    out.print(table("", ("id", "incident", "operation", "state", "tries", "reason or error, wait"), rows))
    if data["counts"]["parked"]:
        out.print("\nParked operations failed: fix what the error names, then run syncd outbox retry")
    if data["counts"]["held"]:
        out.print("\nHeld operations write to tickets whose incidents did not change: syncd outbox release")


@command.command(
    "retry",
    help="Let open operations leave again at once; without IDS, all parked ones. syncd renders them anew, and"
    " looks up first what may be done already.",
)
@click.argument("ids", nargs=-1, type=int)
def retry(ids: tuple[int, ...]) -> None:
    """Ask the executor of the ledger to send operations again."""
    ask_and_tell("outbox.retry", {"ids": list(ids)})


@command.command(
    "drop", help="Give up open operations. syncd records them as dropped, and says what may be done."
)
@click.argument("ids", nargs=-1, type=int)
@click.option("--held", is_flag=True, help="Drop all held operations.")
@click.option("--reason", required=True, help="Why; syncd keeps it on record.")
def drop(ids: tuple[int, ...], held: bool, reason: str) -> None:
    """Ask the executor of the ledger to drop operations."""
    if not ids and not held:
        raise click.UsageError("give the IDS that syncd outbox lists, or --held")
    ask_and_tell("outbox.drop", {"ids": list(ids), "held": held, "reason": reason})


@command.command("release", help="Send held operations. Without IDS, all of them.")
@click.argument("ids", nargs=-1, type=int)
def release(ids: tuple[int, ...]) -> None:
    """Ask the executor of the ledger to send held operations."""
    ask_and_tell("outbox.release", {"ids": list(ids)})
