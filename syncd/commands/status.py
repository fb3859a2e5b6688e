"""`syncd status`: what is open, what waits, and when both sides were read last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.shared.output import console, emit_json, json_option, minute, plain, second, table
from syncd.commands.shared.restricted import put_titles, restricted_option
from syncd.commands.shared.setup import command_clock, ledger_for_reading
from syncd.domain.base import SERVICE_NAMES
from syncd.domain.duty import RUNNING, STATE_WORDS, DutyState
from syncd.policy.time.time_words import long_words

if TYPE_CHECKING:
    from rich.console import Console

DRY_RUN_NOTES_AT_MOST = 20
"""Incidents for which a table of what would have been done is worth reading."""
COLUMNS = ("incident", "title", "severity", "status", "ticket", "stands at", "postmortem")
CONFLICTS_AT_MOST = 10
"""Conflicts that are worth a line each."""
LATE = timedelta(minutes=5)
"""A good read older than this is worth a word: the daemon notes one a minute, whatever its poll."""


@click.command(help="Open incidents, their tickets, the outbox, the last good cycles.")
@click.option("--all", "everything", is_flag=True, help="Also incidents that are over and finished.")
@click.option("--watch", "watching", is_flag=True, help="Show it anew every two seconds, until Ctrl-C.")
@restricted_option
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool, everything: bool, restricted: bool, watching: bool) -> None:
    """Read the ledger and say how things stand."""

    clock = command_clock()
    if watching and as_json:
        raise click.UsageError("--watch is for people and --json for scripts: give one of them")
    if watching:
        watch(lambda out: _show(out, _read(ctx, everything, restricted), clock.now()))
    elif as_json:
        emit_json(_read(ctx, everything, restricted))
    else:
        _show(console(), _read(ctx, everything, restricted), clock.now())


def _read(ctx: click.Context, everything: bool, restricted: bool) -> dict[str, Any]:
    from syncd.ledger.views.status import status_data

    with ledger_for_reading() as db:
        data = status_data(db, everything=everything)
    if restricted:
        put_titles(ctx, data["incidents"])
    return data


def _show(out: Console, data: dict[str, Any], now: datetime) -> None:
    rows = [
        (
            f"#{one['number']}",
            one["title"],
            f"{one['severity'] or ''}{' (assumed)' if one['severity'] and one['severity_assumed'] else ''}",
            one["status"],
            one["ticket"] or "none yet",
            one["ticket_status"] or ("not read yet" if one["ticket"] else ""),
            _owed(one),
        )
        for one in data["incidents"]
    ]
    if rows:
        out.print(table("", COLUMNS, rows))
    else:
        out.print("No incident is open or unfinished; --all shows those that are over.")
    counts = {state: number for state, number in data["outbox"].items() if number}
    out.print("\nOutbox: " + (", ".join(f"{number} {state}" for state, number in counts.items()) or "empty"))
    _brakes(out, data)
    _cycles(out, data["cycles"], now)
    for line in data["services"]:
        plain(out, f"Not usable: {line}")
    for ident, name in data["unmapped_services"].items():
        plain(out, f"No mapping claims service {name} ({ident}): its incidents get no ticket")
    for ident, one in data["unreadable"].items():
        plain(out, f"Cannot be read since {second(one['since'])}: incident {ident} ({one['why']})")
    for note in data["notes"]:
        plain(out, note)
    _conflicts(out, data["conflicts"])
    _dry_run_notes(out, data["dry_run_notes"])
    if counts.get("parked"):
        out.print("Parked operations wait for a person: syncd outbox")


def _owed(one: dict[str, Any]) -> str:
    """The postmortem and the duty that ends first, or the one that is over: `OPS-9: due soon, ... UTC`."""
    owed = [
        f"{kind} {STATE_WORDS[DutyState(duty['state'])]}"
        for kind, duty in one["duties"].items()
        if duty["state"] in RUNNING
    ]
    due = f", {minute(one['due_at'])}" if one["due_at"] else ""
    said = f"{', '.join(owed)}{due}" if owed else ""
    return f"{one['postmortem']}: {said}" if one["postmortem"] and said else one["postmortem"] or said


def first_load_lines(counts: dict[str, int]) -> list[str]:
    """What people read about a first load that is held, by the counts of what waits."""
    said = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    return [
        f"A new ledger holds what began before its first start until you accept it: {said}",
        "Then: syncd accept",
    ]


def mass_line(held: dict[str, Any]) -> str:
    """What people read about a mass of writes that is held."""
    return (
        f"Held since {second(held['since'])}: writes to {held['tickets']} tickets whose incidents did not"
        " change. See syncd outbox, then syncd outbox release (or drop --held)"
    )


def _brakes(out: Console, data: dict[str, Any]) -> None:
    """What keeps decided writes from leaving, each with the command that ends it."""
    if data["first_load"]["state"] == "held":
        for line in first_load_lines(data["first_load"]["counts"]):
            out.print(line)
    if data["held"]:
        out.print(mass_line(data["held"]), soft_wrap=True)
    for target, one in data["paused"].items():
        plain(
            out,
            f"Paused since {second(one['since'])}: {target}, by {one['by']}: {one['reason']}."
            f" syncd resume {target} ends it",
        )
    for one in data["rivals"]:
        plain(
            out,
            f"Another ledger ({one['instance']}) made tickets for the same incidents, such as {one['key']},"
            f" first seen {second(one['since'])}. {'It' if one['younger'] else 'This one'} is older: "
            + ("end one of the two, then syncd resume all" if one["younger"] else "end the other"),
        )
    for left in data["duplicates"]["left"]:
        plain(out, f"{left['younger']} is a duplicate of {left['older']} and was left: {left['reason']}")


def _conflicts(out: Console, conflicts: list[dict[str, Any]]) -> None:
    """What is left alone because somebody wants it otherwise."""
    for one in conflicts[:CONFLICTS_AT_MOST]:
        where = f"#{one['number']}" + (f" ({one['ticket']})" if one["ticket"] else "")
        plain(out, f"Conflict on {where}, left alone since {second(one['since'])}: {one['reason']}")
    if len(conflicts) > CONFLICTS_AT_MOST:
        out.print(f"  and {len(conflicts) - CONFLICTS_AT_MOST} more conflicts: syncd status --json")


def _dry_run_notes(out: Console, dry_run_notes: list[dict[str, Any]]) -> None:
    """What rules in mode `report` would have done, had they been enforced."""
    if dry_run_notes:
        out.print("\nIn mode `enforce`, syncd would have done (their rules are in mode `report`):")
    for one in dry_run_notes[:DRY_RUN_NOTES_AT_MOST]:
        for words in one["dry_run_notes"]:
            plain(out, f"  #{one['number']}: {words}")
    if len(dry_run_notes) > DRY_RUN_NOTES_AT_MOST:
        out.print(
            f"  and for {len(dry_run_notes) - DRY_RUN_NOTES_AT_MOST} more incidents: syncd status --json"
        )


def _cycles(out: Console, cycles: dict[str, str | None], now: datetime) -> None:
    late = False
    for side, at in cycles.items():
        ago = now - datetime.fromisoformat(at) if at else None
        late = late or ago is None or ago > LATE
        said = f"{second(at)}, {_ago(ago)} ago" if at and ago is not None else "never"
        out.print(f"Last good read of {SERVICE_NAMES[side]}: {said}")
    if late:
        out.print("That is long ago: is the daemon running? syncd run starts it")


def _ago(ago: timedelta) -> str:
    seconds = max(0, int(ago.total_seconds()))
    return long_words(ago) if seconds >= 120 else f"{seconds} s"


EVERY_SECONDS = 2.0


def watch(show: Callable[[Console], None]) -> None:
    """Show on a screen of its own, anew every two seconds; a usage error where there is no terminal."""
    from rich.live import Live
    from rich.text import Text

    out = console()
    if not out.is_terminal:
        raise click.UsageError("--watch needs a terminal; scripts ask with --json")
    waiting = Event()
    try:
        with Live(console=out, screen=True, auto_refresh=False) as live:
            while True:
                with out.capture() as captured:
                    show(out)
                live.update(Text.from_ansi(captured.get()), refresh=True)
                waiting.wait(EVERY_SECONDS)
    except KeyboardInterrupt:
        return
