"""`syncd resync` (and `syncd --resync`): compare the ledger with both services, show the plan, ask, repair.

The comparison runs on a copy of the ledger, so nothing is written before the operator agrees. If a daemon
is running, the daemon repairs and this command shows its progress; else this process repairs.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click

from syncd.commands.shared.setup import Setup, command_clock
from syncd.domain.text import counted

Data = dict[str, Any]


@click.command(
    help="Compare the ledger with PagerDuty and Jira, list the differences, ask you, then repair. It is safe"
    " beside a running daemon, which then repairs."
)
@click.option("--since", metavar="30d|DATE", help="Only incidents created since then.")
@click.option(
    "--incident",
    "incidents",
    multiple=True,
    metavar="ID",
    help="Only this incident, by its id or number or its ticket's key; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Show the differences and repair nothing.")
@click.option("--yes", is_flag=True, help="Repair without asking.")
@click.pass_context
def command(
    ctx: click.Context, since: str | None, incidents: tuple[str, ...], dry_run: bool, yes: bool
) -> None:
    """Do the resync."""
    resync(ctx, since=since, incidents=incidents, dry_run=dry_run, yes=yes)


def resync(
    ctx: click.Context, *, since: str | None, incidents: tuple[str, ...], dry_run: bool, yes: bool
) -> None:
    """Compare, show, ask, repair; exit 1 if a named incident does not exist, 75 if repairs wait.

    Raise a usage error where there is no terminal to ask on.
    """
    if since is not None and incidents:
        raise click.UsageError("give --since or --incident: named incidents are compared whatever their age")
    if not dry_run and not yes and not sys.stdin.isatty():
        raise click.UsageError(
            "there is no terminal to ask on: give --yes, or --dry-run to see the plan only"
        )
    from syncd.commands.shared import exit_codes
    from syncd.commands.shared.ask_daemon import do_job
    from syncd.engine.loop import WORKERS
    from syncd.engine.once import once

    setup = Setup.load(ctx, usable=True)
    setup.start_log(quiet=True)
    arguments: Data = {"since": _since(since), "incidents": list(incidents)}
    plan, stopped = _plan(setup, arguments)
    _show_plan(plan)
    for name in plan["unknown"]:
        click.echo(
            f"syncd: {name}: no such incident in PagerDuty, and no such ticket in the ledger", err=True
        )
    stopped = exit_codes.GENERAL if plan["unknown"] else stopped
    if dry_run or not _has_work(plan):
        sys.exit(stopped)
    if not yes:
        click.confirm("Repair?", abort=True)
    result = do_job(setup, "syncd --resync", "resync", arguments, partial(once, parallel=WORKERS))
    sys.exit(_show_result(result) or stopped)


def _since(text: str | None) -> str | None:
    """Return the moment of `30d` (before now) or of a day (UTC), as ISO text; raise a usage error else."""
    if text is None:
        return None
    from syncd.config.settings.values import duration

    now = command_clock().now()
    try:
        moment = now - duration(text)
    except (ValueError, OverflowError):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            message = f"--since: {text!r} is neither a length of time (30d, 12h) nor a day (2026-11-01)"
            raise click.UsageError(message) from None
    # a day without a zone is a day in UTC, as in every other option
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if moment >= now:
        raise click.UsageError(f"--since: {text} is in the future")
    return moment.isoformat()


def _plan(setup: Setup, arguments: Data) -> tuple[Data, int]:
    """Return the comparison on a copy of the ledger, and 1 if a team is stopped, else 0.

    Exit 69 or 77 if a service cannot be read.
    """
    from syncd.commands.plan import cycle_on_copy
    from syncd.commands.shared.exit_codes import say_stopped
    from syncd.engine.jobs.resync import Resync, Scope
    from syncd.ledger.store.lookups import display_name

    with cycle_on_copy(setup) as loop:
        plan = Resync(loop.context, loop.work_queue, loop.work_on).run(Scope.of(arguments)).data()
        for item in plan["found"]:
            item["name"] = display_name(loop.context.ledger, item["incident"])
        return plan, say_stopped(loop.context.refusals.all())


def _has_work(plan: Data) -> bool:
    return any(item["what"] in ("repair", "follow") for item in plan["found"])


def _show_plan(plan: Data) -> None:
    from syncd.commands.plan import LATER_STEPS
    from syncd.commands.shared.output import console, plain, table

    out = console()
    before = f", {plan['in_peace']} of them resolved before the rules began" if plan["in_peace"] else ""
    incidents = counted(plan["looked_at"], "incident")
    out.print(f"Compared {incidents} with PagerDuty and Jira{before}.")
    for kind, title in (
        ("repair", "To repair in PagerDuty or Jira"),
        ("follow", "Changed in PagerDuty or Jira, to be taken over"),
        ("left", "Left alone"),
    ):
        rows = [(item["name"], item["reason"]) for item in plan["found"] if item["what"] == kind]
        if rows:
            out.print(table(title, ("incident", "why"), rows))
            if kind == "repair":
                plain(out, LATER_STEPS)
            out.print()
    if not _has_work(plan):
        plain(out, "Nothing to repair.")


def _show_result(result: Data) -> int:
    """Print the result; return the exit code."""
    from syncd.commands.shared import exit_codes

    operations = result.get("operations", [])
    done = [operation for operation in operations if operation["state"] == "done"]
    waiting = [
        operation
        for operation in operations
        if operation["state"] in ("pending", "in_flight", "unknown", "parked", "held")
    ]
    for line in result.get("lines", []):
        click.echo(line, err=True)
    if result.get("failed"):
        return exit_codes.GENERAL
    click.echo(f"{counted(len(done), 'operation')} done, {len(waiting)} waiting")
    if waiting:
        click.echo("see the waiting ones: syncd outbox", err=True)
        return exit_codes.TRY_LATER
    return 0
