"""`syncd --resync`: ledger, PagerDuty and Jira compared afresh; the plan, the question, the repair.

The comparison is made on a copy of the ledger, so that nothing is written before somebody said yes. Beside
a running daemon the daemon repairs, and its progress is shown; else this process does.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import click

from syncd.commands.shared.setup import Setup, command_clock

Data = dict[str, Any]


def resync(
    ctx: click.Context, *, since: str | None, incidents: tuple[str, ...], dry_run: bool, yes: bool
) -> None:
    """Compare, show, ask, repair; 2 where nobody can be asked, 75 where repairs wait."""
    if not dry_run and not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: give --yes, or --dry-run to see the plan alone")
    from syncd.commands.shared.ask_daemon import do_job
    from syncd.engine.loop import WORKERS

    setup = Setup.load(ctx)
    setup.start_log(quiet=True)
    arguments: Data = {"since": _since(since), "incidents": list(incidents)}
    plan = _plan(setup, arguments)
    _show_plan(plan)
    if dry_run or not any(one["what"] in ("repair", "follow") for one in plan["found"]):
        return
    if not yes:
        click.confirm("Do it?", abort=True)
    sys.exit(_show_result(do_job(setup, "syncd --resync", "resync", arguments, WORKERS)))


def _since(text: str | None) -> str | None:
    """A length of time before now, or a day (UTC), as a moment; usage error else."""
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
            said = f"--since: {text!r} is neither a length of time (30d, 12h) nor a day (2026-11-01)"
            raise click.UsageError(said) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if moment >= now:
        raise click.UsageError(f"--since: {text} lies ahead")
    return moment.isoformat()


def _plan(setup: Setup, arguments: Data) -> Data:
    """The comparison on a copy of the ledger; exits 69 or 77 where a service cannot be read."""
    from syncd.commands.plan import cycle_on_copy
    from syncd.engine.jobs.resync import Resync, Scope

    with cycle_on_copy(setup) as loop:
        return Resync(loop.context, loop.work_queue, loop.work_on).run(Scope.of(arguments)).data()


def _show_plan(plan: Data) -> None:
    from syncd.commands.shared.output import console, plain, table

    out = console()
    peace = f", {plan['in_peace']} of them over before the rules began" if plan["in_peace"] else ""
    out.print(f"{plan['looked_at']} incidents compared with PagerDuty and Jira{peace}.")
    for what, title in (
        ("repair", "To be repaired"),
        ("follow", "Found elsewhere, and followed"),
        ("left", "Left as it is"),
    ):
        rows = [
            (one["incident"], one["ticket"] or "none", one["reason"])
            for one in plan["found"]
            if one["what"] == what
        ]
        if rows:
            out.print(table(title, ("incident", "ticket", "why"), rows))
            out.print()
    if not any(one["what"] in ("repair", "follow") for one in plan["found"]):
        plain(out, "Nothing to repair.")


def _show_result(result: Data) -> int:
    """Say what became of it; return the exit code."""
    from syncd.commands.shared import exit_codes

    made = result.get("operations", [])
    done = [one for one in made if one["state"] == "done"]
    waiting = [one for one in made if one["state"] in ("pending", "in_flight", "unknown", "parked", "held")]
    for line in result.get("lines", []):
        click.echo(line, err=True)
    if result.get("failed"):
        return exit_codes.GENERAL
    click.echo(f"{len(done)} operations done, {len(waiting)} wait")
    if waiting:
        click.echo("see: syncd outbox", err=True)
        return exit_codes.TRY_LATER
    return 0
