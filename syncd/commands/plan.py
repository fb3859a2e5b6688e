"""`syncd plan`: run the next cycle on a copy of the ledger, write nothing, and show what it would do."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.shared.how_to_start import next_step
from syncd.commands.shared.output import console, emit_json, json_option, operation_words, table
from syncd.commands.shared.setup import Setup, command_clock
from syncd.domain.text import counted, terminal

if TYPE_CHECKING:
    from syncd.engine.loop import ControlLoop


@click.command(help="Show what the next cycle would do, and write nothing.")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the operations of a cycle on a copy; exit 69 if a service is unreachable, 77 if it refuses us."""
    from syncd.commands.shared.exit_codes import say_stopped
    from syncd.ledger.store.holds import mass_held
    from syncd.ledger.views.daemon_state import first_load_data
    from syncd.ledger.views.status import plan_data
    from syncd.report.state_words import first_load_lines, mass_line

    setup = Setup.load(ctx, usable=True)
    setup.start_log(quiet=True)
    with cycle_on_copy(setup) as loop:
        operations, stopped = plan_data(loop.context.ledger), say_stopped(loop.context.refusals.all())
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
    sys.exit(stopped)


@contextmanager
def cycle_on_copy(setup: Setup) -> Iterator[ControlLoop]:
    """Yield a loop after one cycle that wrote nothing, on a copy of the ledger or on a new one.

    Exit 69 if a service is unreachable, 77 if it refuses our credentials.
    """
    from syncd.commands.shared import exit_codes
    from syncd.daemon import make_context
    from syncd.engine.loop import ControlLoop
    from syncd.engine.once import once
    from syncd.ledger.database.backend import backend_of
    from syncd.ledger.open import open_for_work

    clock = command_clock()
    with tempfile.TemporaryDirectory(prefix="syncd-plan-") as folder:
        original, copy = backend_of(setup.configuration.settings.ledger_url), Path(folder) / "plan.db"
        # before the first start there is no ledger: then the plan shows what a new one would do
        if original.exists():
            original.copy_to(copy, clock.now())
        ledger = open_for_work(f"sqlite:///{copy}", "syncd plan", clock.now())
        try:
            context = make_context(setup.configuration, ledger, clock, dry_run=True)
            loop = ControlLoop(context)
            result = once(loop)
            # a plan from half of the facts would be wrong
            down = context.health.down()
            if down or not result.good:
                stopped = exit_codes.say_stopped(context.refusals.all())
                sys.exit(exit_codes.say_down(down) if down or not stopped else stopped)
            yield loop
        finally:
            ledger.close()


def _show(operations: list[dict[str, Any]]) -> None:
    out = console()
    if not operations:
        out.print("Nothing to do: PagerDuty and Jira agree with the ledger.")
        return
    rows = [(op["name"], operation_words(op), op["reason"]) for op in operations]
    out.print(table("", ("incident", "operation", "reason"), rows))
    out.print(f"\n{summary(operations)}.", soft_wrap=True, markup=False)
    out.print(LATER_STEPS)
    out.print(f"Next: {next_step()}.")


LATER_STEPS = "Later steps (such as the status of a new ticket) follow once these operations are done."
"""The words of commands below writes that other writes wait for."""
NAMED_AT_MOST = 3
"""Recipients of mails that the summary names; of more it gives the number."""


def summary(operations: Sequence[Mapping[str, Any]]) -> str:
    """Return a plan in one line: `2 tickets to create, 1 mail to ada@qrpay.example, 3 other writes`."""
    creates = Counter(
        str(op["kind"]).removeprefix("create_").replace("_", " ")
        for op in operations
        if str(op["kind"]).startswith("create_")
    )
    mails = Counter(terminal(op["to"]) for op in operations if op["to"] and op["kind"] == "send_mail")
    posts = Counter(terminal(op["to"]) for op in operations if op["kind"] == "post_chat")
    others = len(operations) - creates.total() - mails.total() - posts.total()
    parts = [f"{counted(number, thing)} to create" for thing, number in creates.items()]
    parts += [f"{counted(number, 'post')} to {channel}" for channel, number in posts.items()]
    if len(mails) > NAMED_AT_MOST:
        parts.append(f"{counted(mails.total(), 'mail')} to {len(mails)} people")
    else:
        parts += [f"{counted(number, 'mail')} to {to}" for to, number in mails.items()]
    if others:
        parts.append(f"{counted(others, 'other write' if parts else 'write')}")
    return ", ".join(parts)
