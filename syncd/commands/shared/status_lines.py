"""The lines of `syncd status`: what needs a person, and one line for each incident."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.cells import cell_len, set_cell_size

from syncd.commands.shared.how_to_start import how_to_start
from syncd.commands.shared.output import minute
from syncd.domain.base import SERVICE_NAMES
from syncd.domain.mail import name_for_people
from syncd.domain.text import counted, terminal
from syncd.policy.duty_words import NOBODY_ASKED
from syncd.policy.time.time_words import long_words
from syncd.report.state_words import brake_lines, service_troubles

Data = dict[str, Any]

LATE = timedelta(minutes=5)
"""Age of a good read from which on syncd asks whether the daemon runs; it records one read a minute."""
POLLS = 3
"""A good read is late when so many polls are missing, where these take longer than `LATE`."""
FRESH = timedelta(minutes=2)
"""Up to this age a good read is as new as the ledger can tell."""
_NO_DAEMON = "No daemon is running"
_ACTS = {"scheduled": "schedule", "completed": "complete", "filed": "file with the regulator for"}
TITLE_AT_LEAST = 10
"""Columns for the title on a narrow screen."""
WIDE = 110
"""Columns from which on the status of the ticket is shown, too."""


def needs_person(data: Data, now: datetime, poll_seconds: float) -> list[str]:
    """Return what needs a person, each in one or more lines; the overdue work of incidents comes last."""
    late = [recurring_line(item) for item in data["recurring"] if item["overdue_days"]]
    return [*operator_lines(data, now, poll_seconds), *_overdue_lines(data["incidents"], now), *late]


def recurring_line(item: Data) -> str:
    """Return the line of a GameDay or review that is still to be held: its key, its name, when it is due."""
    days = item["overdue_days"]
    late = f", {counted(days, 'day')} late" if days else f" by {item['due']}"
    return terminal(f"{item['key']}: hold {name_for_people(item['incident'])}{late} ({item['owner_words']})")


def operator_lines(data: Data, now: datetime, poll_seconds: float) -> list[str]:
    """Return what needs the operator of syncd, with the command or the act that ends it."""
    if data.get("moved"):
        return [data["moved"]]
    parked = data["outbox"].get("parked", 0)
    return [
        *_late_reads(data, now, poll_seconds),
        *service_troubles(data),
        *_disk(data["disk"]),
        *brake_lines(data),
        *([f"{counted(parked, 'parked operation')}: syncd outbox"] if parked else []),
    ]


def _late_reads(data: Data, now: datetime, poll_seconds: float) -> list[str]:
    """Return the line about services that were last read well too long ago; one that is down has its own."""
    # a ledger on which cron runs single cycles is judged by the time between these
    limit = max(LATE, timedelta(seconds=POLLS * max(poll_seconds, data.get("run_every", 0.0))))
    # one bad read of a service stands in its own line
    ages = read_ages({} if data["services"] else data["cycles"], now)
    late = [side for side, age in ages.items() if age is None or age > limit]
    if not late:
        return []
    remedy = f"{_NO_DAEMON}. Start it: {how_to_start()}"
    if data["running"]:
        remedy = "The daemon is running: see its log"
    elif data.get("run_every"):
        every = long_words(timedelta(seconds=data["run_every"]))
        remedy = f"`syncd run --once` ran every {every} until then: see its cron line"
    return [f"syncd has not read {_unread(side, ages[side])}. {remedy}" for side in late[:1]] + [
        f"syncd has not read {_unread(side, ages[side])}" for side in late[1:]
    ]


def no_daemon(data: Data) -> list[str]:
    """Return the line that no daemon is running, empty for single cycles or where a late read tells it.

    Only people read it at once; `--check` gives a daemon time to start again.
    """
    if data.get("moved"):
        return []
    if data["running"] or data["single_cycles"] or any(_NO_DAEMON in line for line in data["operator_lines"]):
        return []
    # a daemon that read later than that did not stop on request
    stopped = data["stopped"] and all(at is None or at <= data["stopped"] for at in data["cycles"].values())
    since = f" (stopped {minute(data['stopped'])})" if stopped else ""
    return [f"{_NO_DAEMON}{since}. Start it: {how_to_start()}"]


def _unread(side: str, age: timedelta | None) -> str:
    return f"{SERVICE_NAMES[side]} " + (f"for {long_words(age)}" if age is not None else "yet")


def read_ages(cycles: dict[str, str | None], now: datetime) -> dict[str, timedelta | None]:
    """Return how long ago each service was read well, None for never."""
    # the daemon's clock may be a little ahead of this process's
    return {
        side: max(timedelta(), now - datetime.fromisoformat(at)) if at else None
        for side, at in cycles.items()
    }


def _read_words(side: str, age: timedelta | None) -> str:
    return f"{SERVICE_NAMES[side]} " + (f"{long_words(age)} ago" if age is not None else "never")


def reads_line(cycles: dict[str, str | None], now: datetime) -> str:
    """Return the line about the last good reads, no more exact than the ledger is: a read a minute."""
    ages = read_ages(cycles, now)
    if all(age is not None and age < FRESH for age in ages.values()):
        return f"Last good read: {' and '.join(SERVICE_NAMES[side] for side in ages)} within 2 minutes"
    return "Last good read: " + ", ".join(_read_words(side, age) for side, age in ages.items())


_DISK_WORDS = {"ok": "has room", "full": "is full", "low": "is nearly full", "read-only": "is read-only"}


def _disk(disk: Data) -> list[str]:
    """Return the lines about the disk of the ledger if it is in trouble."""
    if disk["state"] == "ok" and disk["rejects_writes"] is None:
        return []
    lines = []
    # the disk of a server is not ours to look at
    if disk["free_bytes"] is not None:
        left = f"{disk['free_bytes'] / 1e6:.0f} MB left"
        state = _DISK_WORDS[disk["state"]]
        lines.append(f"The disk of the ledger, {disk['path']}, {state}: {left}. Make room on it")
    if disk["rejects_writes"] is not None:
        lines.append(f"The ledger rejects writes ({disk['rejects_writes']}), so syncd sends nothing")
    return lines


def _overdue_lines(incidents: Sequence[Data], now: datetime) -> list[str]:
    """Return a line for each incident with an overdue duty.

    Parked operations have their own line, and an early close of a ticket alarms nobody at once.
    """
    of_duties = [{**incident, "parked": 0, "ticket_done": False} for incident in incidents]
    return [f"{named(incident)}: {next_act(incident, now)}" for incident in of_duties if _rank(incident) == 0]


def named(incident: Data) -> str:
    """Return the name of an incident for people: `#12 OPS-7`."""
    return f"#{incident['number']} {incident['ticket']}" if incident["ticket"] else f"#{incident['number']}"


def _owed(incident: Data) -> list[tuple[str, Data]]:
    """Return the kinds and duties that people are asked for, overdue ones first, then by deadline."""
    owed = [(kind, duty) for kind, duty in incident["duties"].items() if duty["owed"] and duty["asked"]]
    return sorted(owed, key=lambda entry: (entry[1]["state"] != "breached", entry[1]["due_at"]))


def _rank(incident: Data) -> int:
    """Return the place of an incident: 0 needs a person, 1 soon does, 2 is open, 3 the rest."""
    states = {duty["state"] for _kind, duty in _owed(incident)}
    if incident["parked"] or incident["late_items"] or "breached" in states or _closed_early(incident):
        return 0
    if "due_soon" in states:
        return 1
    return 3 if incident["status"] == "resolved" else 2


def _closed_early(incident: Data) -> bool:
    """Return True if the ticket is done while its incident is still open."""
    return bool(incident["ticket_done"]) and incident["status"] != "resolved"


def next_act(incident: Data, now: datetime) -> str:
    """Return what a person does next about an incident, for example `schedule OPS-9 in 31 hours`."""
    if incident["parked"]:
        return f"{incident['parked']} parked: syncd outbox"
    if _closed_early(incident):
        return f"ticket is {incident['ticket_status']}: resolve it?"
    postmortem = incident["postmortem"] or "postmortem"
    for kind, duty in _owed(incident):
        due = datetime.fromisoformat(duty["due_at"])
        place = (incident["ticket"] or "the incident") if kind == "filed" else postmortem
        if duty["state"] == "breached":
            return f"{_ACTS[kind]} {place}, {long_words(now - due)} late"
        if incident["late_items"]:
            break
        when = f"in {long_words(due - now)}" if due > now else "now"
        return f"{_ACTS[kind]} {place} {when}"
    if incident["late_items"]:
        return f"{counted(incident['late_items'], 'action item')} late"
    if any(duty["owed"] for duty in incident["duties"].values()):
        return NOBODY_ASKED
    waived = [kind for kind, duty in incident["duties"].items() if duty["state"] == "waived"]
    if waived:
        return f"{postmortem} waived"
    return "" if incident["ticket"] else "no ticket yet"


def incident_lines(incidents: Sequence[Data], now: datetime, width: int) -> list[str]:
    """Return a heading and one line for each incident, none wider than `width` columns of a terminal.

    An exclamation mark stands before what needs a person, and those come first.
    """
    wide = width >= WIDE
    heading = ("", "incident", "severity", "status", *(["ticket is"] if wide else []), "next", "title")
    rows = [heading, *(_row(incident, now, wide=wide) for incident in _first_what_needs_you(incidents))]
    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(heading) - 1)]
    left = max(TITLE_AT_LEAST, width - sum(widths) - len(widths))
    lines = [_line(row, widths, left) for row in rows]
    return [(set_cell_size(line, width) if cell_len(line) > width else line).rstrip() for line in lines]


def _first_what_needs_you(incidents: Sequence[Data]) -> list[Data]:
    # within a rank the nearest deadline comes first, then the youngest incident
    return sorted(
        incidents, key=lambda incident: (_rank(incident), incident["due_at"] or "9", -incident["number"])
    )


def _row(incident: Data, now: datetime, *, wide: bool) -> tuple[str, ...]:
    assumed = "?" if incident["severity"] and incident["severity_assumed"] else ""
    unread = "made by syncd" if incident["ticket_made"] else "not read yet"
    ticket_status = incident["ticket_status"] or (unread if incident["ticket"] else "")
    return tuple(
        terminal(cell)
        for cell in (
            "!" if _rank(incident) == 0 else "",
            named(incident),
            f"{incident['severity'] or ''}{assumed}",
            incident["status"],
            *([ticket_status] if wide else []),
            next_act(incident, now),
            incident["title"],
        )
    )


def _line(row: Sequence[str], widths: Sequence[int], left: int) -> str:
    *cells, title = row
    if cell_len(title) > left:
        title = set_cell_size(title, left - 1).rstrip() + "…"
    padded = [set_cell_size(cell, width) for cell, width in zip(cells, widths, strict=True)]
    return " ".join([*padded, title])
