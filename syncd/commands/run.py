"""`syncd run`: run the daemon in the foreground, or one full cycle."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from syncd.commands.shared.setup import Setup, command_clock

if TYPE_CHECKING:
    from syncd.engine.context import EngineContext
    from syncd.engine.runtime.progress import Progress
    from syncd.standby import Standby


@click.command(help="Run the daemon in the foreground (plain `syncd` does the same).")
@click.option(
    "--once",
    is_flag=True,
    help="Run one full cycle, then end; exit 75 if operations wait, are held or are parked.",
)
@click.pass_context
def command(ctx: click.Context, once: bool = False) -> None:
    """Run until SIGTERM, or for one cycle."""
    setup = Setup.load(ctx, usable=True)
    setup.start_log()
    if once:
        context = setup.context("syncd run --once")
        try:
            sys.exit(_once(setup, context))
        finally:
            context.ledger.close()
    from syncd.ledger.database.backend import backend_of

    settings = setup.configuration.settings
    if backend_of(settings.ledger_url, settings.state_dir).shared:
        _wait_and_lead(setup)
    else:
        _lead(setup, setup.context("syncd run"))


def _wait_and_lead(setup: Setup) -> None:
    """Lead once no other daemon does."""
    from syncd.commands.shared.owner import refuse_folder_of_root
    from syncd.daemon import make_context
    from syncd.standby import Standby

    refuse_folder_of_root()
    clock = command_clock()
    standby = Standby(setup.configuration, clock, "syncd run")
    ledger = standby.wait()
    if ledger is None:
        return
    if standby.fronts is not None:
        setup.load_again()
    _lead(setup, make_context(setup.configuration, ledger, clock), standby)


def _lead(setup: Setup, context: EngineContext, standby: Standby | None = None) -> None:
    from loguru import logger

    from syncd.commands.shared.exit_codes import TRY_LATER
    from syncd.ledger.errors import LeadershipLost

    ended = True
    try:
        ended = _run(setup, context, standby)
    except LeadershipLost as error:
        logger.error("{}; this process ends, and waits as a standby once it is started again", error)
        # it must wait for nothing: neither the database nor a service may answer
        os._exit(TRY_LATER)
    finally:
        if ended:
            context.ledger.close()
    if not ended:
        # The interpreter would wait for threads whose requests have no answer yet. The ledger holds these
        # operations as in flight, so the next start looks them up. The ledger's lock ends with the process.
        os._exit(0)


def _run(setup: Setup, context: EngineContext, standby: Standby | None) -> bool:
    from loguru import logger

    from syncd.daemon import Daemon
    from syncd.engine.runtime.memory import keep_for_good, return_large_blocks

    return_large_blocks()
    keep_for_good()
    settings = setup.configuration.settings
    logger.info(
        "syncd runs for {} with the ledger {}, one cycle every {:g} s; stop it with Ctrl-C or SIGTERM",
        ", ".join(mapping.team for mapping in context.loaded),
        context.ledger.name,
        settings.poll_seconds,
    )
    return Daemon(context, setup.configuration, standby.waited if standby is not None else None).run()


@contextmanager
def bar_on_terminal(setup: Setup, progress: Progress) -> Iterator[None]:
    """Show progress as bars while the block runs, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        progress.show = show
        setup.start_log()  # again, because log lines must go above the bars while these are on screen
        try:
            yield
        finally:
            progress.show = None
    setup.start_log()


def _once(setup: Setup, context: EngineContext) -> int:
    from syncd.commands.shared import exit_codes
    from syncd.engine.jobs.resync import state_in_words
    from syncd.engine.loop import WORKERS, ControlLoop
    from syncd.engine.once import once
    from syncd.engine.runtime.memory import keep_for_good
    from syncd.ledger.database.connection import one_view
    from syncd.ledger.views import status

    keep_for_good()
    with bar_on_terminal(setup, context.progress):
        result = once(ControlLoop(context), parallel=WORKERS, whole=True)
    with one_view(context.ledger) as view:
        counts, brakes = status.counts(view), state_in_words(view)
    down, stopped = context.health.down(), exit_codes.say_stopped(context.refusals.all())
    if down or not (result.good or stopped):
        return exit_codes.say_down(down)
    if stopped:
        return stopped
    waiting = sum(counts[state] for state in ("pending", "in_flight", "unknown", "parked", "held"))
    # in a dry run every operation waits by design
    if waiting and not context.dry_run:
        open_operations = ", ".join(
            f"{number} {state}" for state, number in counts.items() if number and state != "done"
        )
        click.echo(f"some operations are not done: {open_operations}; see: syncd outbox", err=True)
        for line in brakes:
            click.echo(line, err=True)
        return exit_codes.TRY_LATER
    return 0
