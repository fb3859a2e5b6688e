"""`syncd plan`: what the next cycle would do, found out on a copy of the ledger; nothing is written."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.shared.output import console, emit_json, json_option, table
from syncd.commands.shared.setup import Setup, command_clock
from syncd.commands.status import first_load_lines, mass_line

if TYPE_CHECKING:
    from syncd.engine.context import EngineContext
    from syncd.engine.loop import ControlLoop


@click.command(help="What the next cycle would do; nothing is written anywhere.")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Observe and decide on a copy, and list the operations; 69 or 77 where a service cannot be read."""
    from syncd.ledger.store.holds import mass_held
    from syncd.ledger.views.daemon_state import first_load_data

    setup = Setup.load(ctx)
    setup.start_log(quiet=True)
    with cycle_on_copy(setup) as loop:
        operations = _operations(loop.context)
        first_load, held = first_load_data(loop.context.ledger), mass_held(loop.context.ledger)
    if as_json:
        emit_json({"operations": operations, "first_load": first_load, "held": held})
    else:
        _show(operations)
        if first_load["state"] == "held":
            for line in first_load_lines(first_load["counts"]):
                click.echo(line)
        if held:
            click.echo(mass_line(held))


@contextmanager
def cycle_on_copy(setup: Setup) -> Iterator[ControlLoop]:
    """A loop after one cycle that writes nothing, on a copy of the ledger or on a new one.

    Exits 69 or 77 where a service cannot be read.
    """
    from syncd.commands.shared import exit_codes
    from syncd.daemon import make_context
    from syncd.engine.loop import ControlLoop, once
    from syncd.ledger.database.connection import ledger_file
    from syncd.ledger.database.migrate import backup_file
    from syncd.ledger.open import open_for_work

    clock = command_clock()
    with tempfile.TemporaryDirectory(prefix="syncd-plan-") as folder:
        original, copy = ledger_file(setup.configuration.settings.ledger_url), Path(folder) / "plan.db"
        if original.exists():
            backup_file(original, copy)
        ledger = open_for_work(f"sqlite:///{copy}", "syncd plan", clock.now())
        try:
            context = make_context(setup.configuration, ledger, clock, dry_run=True)
            loop = ControlLoop(context)
            result = once(loop)
            if not result.good or context.health.down():
                sys.exit(exit_codes.say_down(context.health.down()))
            yield loop
        finally:
            ledger.close()


def _operations(context: EngineContext) -> list[dict[str, Any]]:
    from syncd.domain.operation import OperationState
    from syncd.ledger.views import status

    states = [OperationState.PENDING, OperationState.UNKNOWN, OperationState.HELD]
    return [
        {
            "incident": row.incident_id,
            "kind": row.kind,
            "target": row.target,
            "state": row.state,
            "reason": row.reason,
        }
        for row in status.listing(context.ledger, states)
    ]


def _show(operations: list[dict[str, Any]]) -> None:
    out = console()
    if not operations:
        out.print("Nothing: what PagerDuty and Jira say agrees with what is on record.")
        return
    rows = [(op["incident"], op["kind"], op["target"], op["reason"]) for op in operations]
    out.print(table("", ("incident", "what", "where", "why"), rows))
    out.print("\nWhat follows from these (a status after its create) shows once they are done.")
    out.print("Next: syncd run --once does it, syncd run keeps doing it.")
