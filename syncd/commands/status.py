"""`syncd status`: show what needs a person, what is open, and when syncd last read both services."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.shared.output import console, emit_json, json_option, plain, second
from syncd.commands.shared.restricted import put_titles, restricted_option
from syncd.commands.shared.setup import command_clock, ledger_for_reading, owners_settings
from syncd.commands.shared.status_lines import (
    incident_lines,
    named,
    needs_person,
    no_daemon,
    operator_lines,
    reads_line,
    recurring_line,
)
from syncd.domain.mail import name_for_people
from syncd.domain.text import counted, counts_words

if TYPE_CHECKING:
    from rich.console import Console

    from syncd.ledger.database.connection import Database

DRY_RUN_NOTES_AT_MOST = 20
"""Incidents whose dry-run notes are printed; a longer list hides the rest of the status."""
WAITS_AT_MOST = 10
"""Causes of waiting that get a line each; `syncd outbox` lists every operation."""
SHORT_WAIT = timedelta(minutes=2)
"""Shorter waits are part of every day; only `--verbose` shows them."""
CONFLICTS_AT_MOST = 10
"""Conflicts that get a line each."""


@click.command(
    help="Show what needs a person, then open and unfinished incidents with their tickets and what is owed"
    " next. `!` marks what needs a person, `?` a severity that syncd assumed."
)
@click.option("--all", "everything", is_flag=True, help="Also show finished incidents.")
@click.option("--team", metavar="NAME", help="Only the incidents of this team.")
@click.option(
    "--check", "checking", is_flag=True, help="Print only what needs a person, and exit 1 if anything does."
)
@click.option(
    "--verbose", is_flag=True, help="Also show the outbox, short waits, rate limits and unmapped services."
)
@click.option("--watch", "watching", is_flag=True, help="Show the status every two seconds, until Ctrl-C.")
@restricted_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    as_json: bool,
    everything: bool,
    team: str | None,
    checking: bool,
    verbose: bool,
    restricted: bool,
    watching: bool,
) -> None:
    """Read the ledger and print the status; with `--check` exit 1 if something needs a person."""
    clock = command_clock()
    if watching and (as_json or checking):
        raise click.UsageError("--watch is for people, --json and --check for scripts: leave one out")

    def read() -> dict[str, Any]:
        return _read(ctx, clock.now(), everything=everything, team=team, restricted=restricted)

    if watching:
        watch(lambda out: _show(out, read(), clock.now(), team, verbose=verbose))
        return
    data = read()
    if as_json:
        emit_json(data)
    elif checking:
        for line in data["needs_person"]:
            plain(console(), line)
    else:
        _show(console(), data, clock.now(), team, verbose=verbose)
    sys.exit(1 if checking and data["needs_person"] else 0)


def _read(
    ctx: click.Context, now: datetime, *, everything: bool, team: str | None, restricted: bool
) -> dict[str, Any]:
    from syncd.ledger.views.actions import recurring_now
    from syncd.ledger.views.status import status_data

    poll_seconds = owners_settings().poll_seconds
    with ledger_for_reading(tell_moved=False) as db:
        data = status_data(db, everything=everything, team=team)
        data |= {"recurring": recurring_now(db, team, now)}
        data |= {"disk": _disk_data(db), "running": db.backend.lock().holder() is not None}
    if restricted:
        put_titles(ctx, data["incidents"])
    return data | {
        "operator_lines": operator_lines(data, now, poll_seconds),
        "needs_person": needs_person(data, now, poll_seconds),
    }


def _disk_data(db: Database) -> dict[str, Any]:
    """Return the disk of the ledger, and the running daemon's words if the ledger rejects writes."""
    disk, holder = db.backend.disk(), db.backend.lock().holder()
    rejects = holder.words if holder else None
    if disk is None:
        return {"path": db.name, "free_bytes": None, "state": "ok", "rejects_writes": rejects}
    return {"path": str(disk.path), "free_bytes": disk.free, "state": disk.state, "rejects_writes": rejects}


def _show(out: Console, data: dict[str, Any], now: datetime, team: str | None, *, verbose: bool) -> None:
    from syncd.report.state_words import trouble_line

    lines = [*no_daemon(data), *data["operator_lines"]]
    for line in lines:
        plain(out, f"! {line}")
    if lines:
        out.print()
    if data["incidents"]:
        for line in incident_lines(data["incidents"], now, out.width):
            plain(out, line, spaced=True)
    else:
        of_team = f" of {team}" if team else ""
        plain(out, f"No incident{of_team} is open or unfinished; syncd status --all shows finished ones.")
    out.print()
    for item in data["recurring"]:
        plain(out, recurring_line(item))
    _waits(out, data, now, verbose=verbose)
    for trouble in data["troubles"]:
        plain(out, trouble_line(trouble))
    for note in data["notes"]:
        plain(out, note)
    _conflicts(out, data["conflicts"])
    _dry_run_notes(out, data["dry_run_notes"])
    _engine_lines(out, data, verbose=verbose)
    plain(out, reads_line(data["cycles"], now))


def _waits(out: Console, data: dict[str, Any], now: datetime, *, verbose: bool) -> None:
    """Print what operations wait for; a wait of seconds only if `verbose`."""
    from syncd.report.state_words import wait_line

    waits = [
        wait for wait in data["waits"] if verbose or now - datetime.fromisoformat(wait["since"]) >= SHORT_WAIT
    ]
    for wait in waits[:WAITS_AT_MOST]:
        plain(out, wait_line(wait))


def _engine_lines(out: Console, data: dict[str, Any], *, verbose: bool) -> None:
    """Print what only engineers ask for, and else how many services no mapping names."""
    from syncd.report.state_words import limit_lines

    unmapped = data["unmapped_services"]
    if not verbose:
        if unmapped:
            out.print(
                f"No mapping names {counted(len(unmapped), 'service')} with incidents: syncd status --verbose"
            )
        return
    counts = {state: number for state, number in data["outbox"].items() if number}
    out.print("Outbox: " + (counts_words(counts) or "empty"))
    for line in limit_lines(data):
        plain(out, line)
    plain(out, f"Audit trail: {data['audit_head']}")


def _conflicts(out: Console, conflicts: list[dict[str, Any]]) -> None:
    """Print the conflicts: a person changed back what syncd wrote, so syncd leaves it alone."""
    for conflict in conflicts[:CONFLICTS_AT_MOST]:
        since = second(conflict["since"])
        plain(out, f"Conflict on {named(conflict)}, left alone since {since}: {conflict['reason']}")
    if len(conflicts) > CONFLICTS_AT_MOST:
        out.print(f"  and {len(conflicts) - CONFLICTS_AT_MOST} more conflicts: syncd status --json")


def _dry_run_notes(out: Console, dry_run_notes: list[dict[str, Any]]) -> None:
    """Print what rules in mode `report` would have done in mode `enforce`."""
    if dry_run_notes:
        out.print("\nThese rules are in mode `report`. In mode `enforce` they would have done:")
    for incident in dry_run_notes[:DRY_RUN_NOTES_AT_MOST]:
        for words in incident["dry_run_notes"]:
            number = incident["number"]
            named = f"#{number}" if number is not None else name_for_people(incident["incident"])
            plain(out, f"  {named}: {words}")
    if len(dry_run_notes) > DRY_RUN_NOTES_AT_MOST:
        out.print(
            f"  and for {len(dry_run_notes) - DRY_RUN_NOTES_AT_MOST} more incidents: syncd status --json"
        )


EVERY_SECONDS = 2.0


def watch(show: Callable[[Console], None]) -> None:
    """Show the status on a full screen, every two seconds; raise a usage error without a terminal."""
    from rich.live import Live
    from rich.text import Text

    out = console()
    if not out.is_terminal:
        raise click.UsageError("--watch needs a terminal; scripts use --json")
    waiting = Event()
    try:
        with Live(console=out, screen=True, auto_refresh=False) as live:
            while True:
                # The live screen takes one text, so capture the lines that `show` prints, on another console:
                # on that of the live screen each line would come with the whole screen.
                lines = console()
                with lines.capture() as captured:
                    show(lines)
                live.update(Text.from_ansi(captured.get()), refresh=True)
                waiting.wait(EVERY_SECONDS)
    except KeyboardInterrupt:
        return
