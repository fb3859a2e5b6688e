"""`syncd status`: show what is open, what waits, and when syncd last read both services."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.shared.how_to_start import how_to_start
from syncd.commands.shared.output import (
    console,
    emit_json,
    json_option,
    minute,
    plain,
    second,
    table,
)
from syncd.commands.shared.restricted import put_titles, restricted_option
from syncd.commands.shared.setup import command_clock, ledger_for_reading
from syncd.domain.base import SERVICE_NAMES
from syncd.policy.time.time_words import long_words

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

DRY_RUN_NOTES_AT_MOST = 20
"""Incidents whose dry-run notes are printed; a longer list hides the rest of the status."""
COLUMNS = ("incident", "title", "severity", "status", "ticket", "ticket status", "postmortem")
WAITS_AT_MOST = 10
"""Causes of waiting that get a line each; `syncd outbox` lists every operation."""
CONFLICTS_AT_MOST = 10
"""Conflicts that get a line each."""
LATE = timedelta(minutes=5)
"""Age of a good read from which on syncd asks whether the daemon runs; it records one read a minute."""


@click.command(
    help="Show open incidents, their tickets, the outbox, and when each service was last read well."
)
@click.option("--all", "everything", is_flag=True, help="Also show finished incidents.")
@click.option("--watch", "watching", is_flag=True, help="Show the status every two seconds, until Ctrl-C.")
@restricted_option
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool, everything: bool, restricted: bool, watching: bool) -> None:
    """Read the ledger and print the status."""
    clock = command_clock()
    if watching and as_json:
        raise click.UsageError("--watch is for people, --json for scripts: leave one out")
    if watching:
        watch(lambda out: _show(out, _read(ctx, everything, restricted), clock.now()))
    elif as_json:
        emit_json(_read(ctx, everything, restricted))
    else:
        _show(console(), _read(ctx, everything, restricted), clock.now())


def _read(ctx: click.Context, everything: bool, restricted: bool) -> dict[str, Any]:
    from syncd.ledger.views.status import status_data

    with ledger_for_reading() as db:
        data = status_data(db, everything=everything) | {"disk": _disk_data(db.file)}
    if restricted:
        put_titles(ctx, data["incidents"])
    return data


def _disk_data(file: Path) -> dict[str, Any]:
    """Return the disk of the ledger, and the running daemon's words if the ledger rejects writes."""
    from syncd.ledger.database.lock import note_of_holder
    from syncd.ledger.database.room import disk_under

    disk, rejects = disk_under(file), note_of_holder(file)
    return {"path": str(disk.path), "free_bytes": disk.free, "state": disk.state, "rejects_writes": rejects}


_DISK_WORDS = {"ok": "has room", "full": "is full", "low": "is nearly full", "read-only": "is read-only"}


def _disk(out: Console, disk: dict[str, Any]) -> None:
    """Print the disk of the ledger if it is in trouble."""
    if disk["state"] == "ok" and disk["rejects_writes"] is None:
        return
    left = f"{disk['free_bytes'] / 1e6:.0f} MB left"
    plain(
        out, f"The disk of the ledger, {disk['path']}, {_DISK_WORDS[disk['state']]}: {left}. Make room on it"
    )
    if disk["rejects_writes"] is not None:
        plain(out, f"The ledger rejects writes ({disk['rejects_writes']}), so syncd sends nothing")


def _show(out: Console, data: dict[str, Any], now: datetime) -> None:
    from syncd.report.state_words import brake_lines, service_lines, trouble_line, wait_line

    rows = [
        (
            f"#{incident['number']}",
            incident["title"],
            _severity(incident),
            incident["status"],
            incident["ticket"] or "none yet",
            incident["ticket_status"] or ("not read yet" if incident["ticket"] else ""),
            _owed(incident),
        )
        for incident in data["incidents"]
    ]
    if rows:
        out.print(table("", COLUMNS, rows))
    else:
        out.print("No incident is open or unfinished; syncd status --all shows finished ones.")
    counts = {state: number for state, number in data["outbox"].items() if number}
    out.print("\nOutbox: " + (", ".join(f"{number} {state}" for state, number in counts.items()) or "empty"))
    for wait in data["waits"][:WAITS_AT_MOST]:
        plain(out, wait_line(wait))
    _disk(out, data["disk"])
    for line in brake_lines(data):
        plain(out, line)
    _cycles(out, data["cycles"], now)
    for line in (*service_lines(data), *map(trouble_line, data["troubles"]), *data["notes"]):
        plain(out, line)
    _conflicts(out, data["conflicts"])
    _dry_run_notes(out, data["dry_run_notes"])
    if counts.get("parked"):
        out.print("Parked operations wait for a person: syncd outbox")


def _severity(incident: dict[str, Any]) -> str:
    if not incident["severity"]:
        return ""
    return f"{incident['severity']}{' (assumed)' if incident['severity_assumed'] else ''}"


def _owed(incident: dict[str, Any]) -> str:
    """Return the postmortem's key, its running duties and the earliest deadline.

    For example `OPS-9: scheduled due soon, 2026-11-22 05:12 UTC`.
    """
    duties = [f"{kind} {duty['words']}" for kind, duty in incident["duties"].items() if duty["running"]]
    due = f", {minute(incident['due_at'])}" if incident["due_at"] else ""
    words = f"{', '.join(duties)}{due}" if duties else ""
    return (
        f"{incident['postmortem']}: {words}"
        if incident["postmortem"] and words
        else incident["postmortem"] or words
    )


def _conflicts(out: Console, conflicts: list[dict[str, Any]]) -> None:
    """Print the conflicts: a person changed back what syncd wrote, so syncd leaves it alone."""
    for conflict in conflicts[:CONFLICTS_AT_MOST]:
        subject = f"#{conflict['number']}" + (f" ({conflict['ticket']})" if conflict["ticket"] else "")
        plain(
            out, f"Conflict on {subject}, left alone since {second(conflict['since'])}: {conflict['reason']}"
        )
    if len(conflicts) > CONFLICTS_AT_MOST:
        out.print(f"  and {len(conflicts) - CONFLICTS_AT_MOST} more conflicts: syncd status --json")


def _dry_run_notes(out: Console, dry_run_notes: list[dict[str, Any]]) -> None:
    """Print what rules in mode `report` would have done in mode `enforce`."""
    if dry_run_notes:
        out.print("\nThese rules are in mode `report`. In mode `enforce` they would have done:")
    for incident in dry_run_notes[:DRY_RUN_NOTES_AT_MOST]:
        for words in incident["dry_run_notes"]:
            plain(out, f"  #{incident['number']}: {words}")
    if len(dry_run_notes) > DRY_RUN_NOTES_AT_MOST:
        out.print(
            f"  and for {len(dry_run_notes) - DRY_RUN_NOTES_AT_MOST} more incidents: syncd status --json"
        )


def _cycles(out: Console, cycles: dict[str, str | None], now: datetime) -> None:
    late = False
    for side, at in cycles.items():
        ago = now - datetime.fromisoformat(at) if at else None
        late = late or ago is None or ago > LATE
        words = f"{second(at)}, {_ago(ago)} ago" if at and ago is not None else "never"
        out.print(f"Last good read of {SERVICE_NAMES[side]}: {words}")
    if late:
        out.print(f"The last good read is old. Is the daemon running? Start it: {how_to_start()}")


def _ago(ago: timedelta) -> str:
    # the daemon's clock may be a little ahead of this process's
    seconds = max(0, int(ago.total_seconds()))
    return long_words(ago) if seconds >= 120 else f"{seconds} s"


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
                # the live screen takes one text, so capture the lines that `show` prints
                with out.capture() as captured:
                    show(out)
                live.update(Text.from_ansi(captured.get()), refresh=True)
                waiting.wait(EVERY_SECONDS)
    except KeyboardInterrupt:
        return
