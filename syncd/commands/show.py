"""`syncd show ID`: show everything that syncd knows and did about one incident, GameDay or review."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.actions import items_table
from syncd.commands.shared.output import (
    console,
    emit_json,
    json_option,
    minute,
    operation_words,
    plain,
    second,
    table,
    with_wait,
)
from syncd.commands.shared.restricted import put_titles, restricted_option
from syncd.commands.shared.setup import command_clock, ledger_for_reading

if TYPE_CHECKING:
    from rich.console import Console


@click.command(
    help="Show everything that syncd knows and did about one incident, with reasons."
    " ID is the incident's id or number, or the key of its ticket, postmortem or action item, or of the issue"
    " of a GameDay or review."
)
@click.argument("incident", metavar="ID")
@click.option("--events", is_flag=True, help="Also show the events of the audit trail.")
@restricted_option
@json_option
@click.pass_context
def command(ctx: click.Context, incident: str, as_json: bool, events: bool, restricted: bool) -> None:
    """Print all that the ledger holds about one incident, GameDay or review; exit 1 if there is none."""
    from syncd.ledger.database.connection import one_view
    from syncd.ledger.store.lookups import incident_named
    from syncd.ledger.views.show import recurring_data, show_data

    with ledger_for_reading() as db, one_view(db) as view:
        record = incident_named(view, incident)
        now = command_clock().now()
        data = show_data(view, record, now) if record else recurring_data(view, incident, now)
    if data is None:
        kinds = "no incident, number, ticket, postmortem, action item, GameDay or review"
        click.echo(f"{incident} is {kinds} in this ledger", err=True)
        click.echo("syncd status --all lists all incidents", err=True)
        sys.exit(1)
    if restricted and "incident" in data:
        put_titles(ctx, [data["incident"]])
    if as_json:
        emit_json(data)
    elif "recurring" in data:
        _show_recurring(data, events=events)
    else:
        _show(data, events=events)


def _show(data: dict[str, Any], *, events: bool) -> None:
    from syncd.report.state_words import trouble_line

    out = console()
    incident, snapshot = data["incident"], data["incident"]["snapshot"]
    assumed = " (assumed)" if incident["severity_assumed"] else ""
    severity = f"{incident['severity']}{assumed}" if incident["severity"] else "no severity yet"
    plain(out, f"Incident #{incident['number']} ({incident['id']}): {incident['title']}")
    service, since = snapshot["service"]["name"], minute(snapshot["created_at"])
    plain(out, f"{incident['status']}, {severity}, service {service}, since {since}")
    if snapshot.get("html_url"):
        plain(out, snapshot["html_url"])
    if data["rules_gone"]:
        plain(out, data["rules_gone"])
    _ticket(out, data["ticket"])
    for trouble in data["troubles"]:
        plain(out, trouble_line(trouble))
    for wait in data["waits"]:
        until = f" (until {second(wait['until'])})" if wait["until"] else ""
        plain(out, f"Waits: {wait['why']}{until}")
    _updates(out, data["updates"], data["texts"])
    _postmortem(out, data["postmortem"])
    if data["no_postmortem"]:
        plain(out, f"No postmortem is owed: {data['no_postmortem']}")
    _filings(out, data["filings"])
    _acts(out, data, events=events)


def _show_recurring(data: dict[str, Any], *, events: bool) -> None:
    """Print a GameDay or review: its issue with its duty, and what syncd decided and did."""
    from syncd.report.state_words import trouble_line

    out, recurring = console(), data["recurring"]
    plain(out, f"{recurring['name']}, {recurring['period']} (team {recurring['team']})")
    if not data["action_items"]:
        out.print("No issue yet.")
    for trouble in data["troubles"]:
        plain(out, trouble_line(trouble))
    _acts(out, data, events=events)


def _acts(out: Console, data: dict[str, Any], *, events: bool) -> None:
    """Print the action items with their notes, the operations, and the events of the audit trail."""
    if data["action_items"]:
        out.print()
        out.print(items_table(data["action_items"]))
        for item in data["action_items"]:
            if item["held"] is not None:
                due = minute(item["held"]["due_at"])
                plain(out, f"{item['key']}: held by {due}: {item['held']['words']}", indent=2)
            for note in item["notes"]:
                plain(out, f"{item['key']}: {note}", indent=2)
    _operations(out, data["operations"])
    if events:
        out.print()
        columns = ("no", "recorded at", "event", "about", "reason")
        out.print(table("", columns, map(_event, data["events"])))
    else:
        out.print("\nThe events of the audit trail behind this: syncd show --events")


def _filings(out: Console, filings: list[dict[str, Any]]) -> None:
    for filing in filings:
        out.print()
        plain(out, f"Regulatory filing {filing['name']}: {filing['words']}")
        for line in filing["explained"]:
            plain(out, line, indent=2)


def _operations(out: Console, operations: list[dict[str, Any]]) -> None:
    """Print a line for each operation with its reason; one that is not done also has its id and state."""
    if operations:
        out.print("\nWhat syncd decided and did:")
    for op in operations:
        tries = f" after {op['attempts']} tries" if op["attempts"] > 1 else ""
        state = "" if op["state"] == "done" else f" ({op['state']}{tries}, operation {op['id']})"
        words = filter(None, (op["reason"], with_wait(op["error"] or op["bundle"], op)))
        line = f"{minute(op['decided_at'])}  {operation_words(op)}{state}: {'; '.join(words)}"
        plain(out, line, indent=2)
    if any(op["state"] == "parked" for op in operations):
        out.print("\nParked operations wait for a person: syncd outbox")


def _ticket(out: Console, ticket: dict[str, Any] | None) -> None:
    if ticket is None:
        out.print("No ticket yet.")
        return
    origin = "made by syncd" if ticket["origin"] == "operation" else ticket["origin"]
    status = ticket["snapshot"]["status"]["name"] if ticket["snapshot"] else "not read yet"
    plain(out, f"Ticket {ticket['key']} ({origin}), status {status}")
    if ticket["refused"]:
        plain(out, f"Jira refused these fields, so syncd leaves them alone: {', '.join(ticket['refused'])}")
    if ticket["conflicts"]:
        plain(out, f"In conflict, so syncd leaves them alone: {', '.join(ticket['conflicts'])}")
    _out_of_sight(out, ticket)
    for override in ticket["overrides"]:
        plain(out, override["words"])


def _updates(out: Console, updates: dict[str, Any] | None, texts: list[dict[str, Any]]) -> None:
    """Print when people last wrote an update and when the next one is owed, and the texts for customers."""
    if updates is not None:
        last = minute(updates["last_at"]) if updates["last_at"] else "none yet"
        owed = f"next owed {minute(updates['next_at'])}" if updates["next_at"] else "none owed now"
        gap = f"longest gap {updates['longest'] // 60} min, {updates['on_time']} of {updates['of']} in time"
        plain(out, f"Updates: last {last}, {owed}; {gap}")
    for text in texts:
        plain(out, f"Text {text['name']} of {minute(text['at'])}: {text['state']}")


def _postmortem(out: Console, postmortem: dict[str, Any] | None) -> None:
    """Print the postmortem and its two duties, each with its clock in words; then the duties before them."""
    if postmortem is None:
        return
    named = postmortem["key"] or "not made yet"
    status = f", status {postmortem['status']}" if postmortem["status"] else ""
    nobody = ", no owner" if postmortem["key"] else ""
    owner = f", owner {postmortem['owner_words']}" if postmortem["owner"] else nobody
    out.print()
    plain(out, f"Postmortem {named}{status}{owner}")
    _out_of_sight(out, postmortem)
    for kind in ("scheduled", "completed"):
        duty = postmortem[kind]
        if duty is None:
            continue
        plain(out, f"{kind}: {duty['words']}", indent=2)
        for line in duty["explained"]:
            plain(out, line, indent=4)
    for earlier in postmortem["earlier"]:
        due = minute(earlier["due_at"])
        words = f"earlier, {earlier['duty']}, due {due}: {earlier['words']} ({earlier['reason']})"
        plain(out, words, indent=2)
        for note in earlier["notes"]:
            plain(out, note, indent=4)
    duties = [postmortem[kind] for kind in ("scheduled", "completed") if postmortem[kind]]
    explained = "\n".join(line for duty in duties for line in duty["explained"])
    for waiver in postmortem["waivers"]:
        # the explanation of a duty tells the waiver in force
        if waiver["words"] not in explained:
            plain(out, f"{waiver['duty'] or 'scheduled and completed'}: {waiver['words']}", indent=2)


def _out_of_sight(out: Console, issue: dict[str, Any]) -> None:
    from syncd.policy.duty_words import out_of_sight

    if issue["out_of_sight_since"]:
        words = out_of_sight(issue["key"], issue["deleted_by"], issue["moved_by"])
        plain(out, f"Since {minute(issue['out_of_sight_since'])}: {words}")


def _event(event: dict[str, Any]) -> tuple[object, ...]:
    data = event["data"]
    about = data.get("key") or data.get("duty") or data.get("rule") or data.get("kind") or ""
    return (
        event["seq"],
        second(event["at"]),
        event["kind"],
        about,
        data.get("reason") or data.get("why") or "",
    )
