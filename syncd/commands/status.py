"""`syncd status`: what is open, what waits, and when both sides were read last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.output import console, emit_json, json_option, plain, second, table
from syncd.commands.setup import ledger_for_reading

if TYPE_CHECKING:
    from rich.console import Console

SIDES = {"pagerduty": "PagerDuty", "jira": "Jira"}
LATE = timedelta(minutes=5)
"""A good read older than this is worth a word: the daemon notes one a minute, whatever its poll."""


@click.command(help="Open incidents, their tickets, the outbox, the last good cycles.")
@click.option("--all", "everything", is_flag=True, help="Also incidents that are over and finished.")
@json_option
def command(as_json: bool, everything: bool) -> None:
    """Read the ledger and say how things stand."""
    from syncd.engine.clock import SystemClock
    from syncd.ledger.reading import all_incidents, status_data

    with ledger_for_reading() as db, db.read() as session:
        data = status_data(session)
        if everything:
            data["incidents"] = all_incidents(session)
    if as_json:
        emit_json(data)
    else:
        _show(data, SystemClock().now())


def _show(data: dict[str, Any], now: datetime) -> None:
    out = console()
    rows = [
        (
            f"#{one['number']}",
            one["title"],
            f"{one['severity'] or ''}{' (assumed)' if one['severity'] and one['severity_assumed'] else ''}",
            one["status"],
            one["ticket"] or "none yet",
            one["ticket_status"] or ("not read yet" if one["ticket"] else ""),
        )
        for one in data["incidents"]
    ]
    if rows:
        out.print(table("", ("incident", "title", "severity", "status", "ticket", "stands at"), rows))
    else:
        out.print("No incident is open or unfinished; --all shows those that are over.")
    counts = {state: number for state, number in data["outbox"].items() if number}
    out.print("\nOutbox: " + (", ".join(f"{number} {state}" for state, number in counts.items()) or "empty"))
    _cycles(out, data["cycles"], now)
    for line in data["services"]:
        plain(out, f"Not usable: {line}")
    for ident, name in data["unmapped_services"].items():
        plain(out, f"No mapping claims service {name} ({ident}): its incidents get no ticket")
    for note in data["notes"]:
        plain(out, note)
    if counts.get("parked"):
        out.print("Parked operations wait for a person: syncd outbox")


def _cycles(out: Console, cycles: dict[str, str | None], now: datetime) -> None:
    late = False
    for side, at in cycles.items():
        ago = now - datetime.fromisoformat(at) if at else None
        late = late or ago is None or ago > LATE
        said = f"{second(at)}, {_ago(ago)} ago" if at and ago is not None else "never"
        out.print(f"Last good read of {SIDES[side]}: {said}")
    if late:
        out.print("That is long ago: is the daemon running? syncd run starts it")


def _ago(ago: timedelta) -> str:
    seconds = max(0, int(ago.total_seconds()))
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
