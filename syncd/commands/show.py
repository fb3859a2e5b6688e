"""`syncd show ID`: everything known and done about one incident."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.actions import items_table
from syncd.commands.shared.output import console, emit_json, json_option, minute, plain, second, table
from syncd.commands.shared.restricted import put_titles, restricted_option
from syncd.commands.shared.setup import command_clock, ledger_for_reading

if TYPE_CHECKING:
    from rich.console import Console


@click.command(help="Everything known and done about one incident, with reasons.")
@click.argument("incident", metavar="ID")
@restricted_option
@json_option
@click.pass_context
def command(ctx: click.Context, incident: str, as_json: bool, restricted: bool) -> None:
    """ID is an incident's id, its number or its ticket's key."""
    from syncd.ledger.database.connection import one_view
    from syncd.ledger.store.lookups import incident_named
    from syncd.ledger.views.show import show_data

    with ledger_for_reading() as db, one_view(db) as view:
        record = incident_named(view, incident)
        data = show_data(view, record, command_clock().now()) if record else None
    if data is None:
        click.echo(f"{incident} is no incident, number or ticket key in this ledger", err=True)
        click.echo("syncd status --all lists what is there", err=True)
        sys.exit(1)
    if restricted:
        put_titles(ctx, [data["incident"]])
    if as_json:
        emit_json(data)
    else:
        _show(data)


def _show(data: dict[str, Any]) -> None:
    out = console()
    one, snapshot = data["incident"], data["incident"]["snapshot"]
    assumed = " (assumed)" if one["severity_assumed"] else ""
    severity = f"{one['severity']}{assumed}" if one["severity"] else "no severity yet"
    plain(out, f"Incident #{one['number']} ({one['id']}): {one['title']}")
    service, since = snapshot["service"]["name"], minute(snapshot["created_at"])
    plain(out, f"{one['status']}, {severity}, service {service}, since {since}")
    if snapshot.get("html_url"):
        plain(out, snapshot["html_url"])
    _ticket(out, data["ticket"])
    for wait in data["waits"]:
        until = f" (until {second(wait['until'])})" if wait["until"] else ""
        plain(out, f"Waits: {wait['why']}{until}")
    _postmortem(out, data["postmortem"])
    if data["action_items"]:
        out.print()
        out.print(items_table(data["action_items"]))
    operations = [
        (op["id"], op["kind"], op["state"], op["attempts"], op["reason"], op["error"] or op["bundle"])
        for op in data["operations"]
    ]
    if operations:
        out.print()
        columns = ("id", "operation", "state", "tries", "why", "in the service's words")
        out.print(table("", columns, operations))
    out.print()
    out.print(table("", ("no", "on record at", "event", "about", "why"), map(_event, data["events"])))
    if any(op["state"] == "parked" for op in data["operations"]):
        out.print("\nParked operations wait for a person: syncd outbox")


def _ticket(out: Console, ticket: dict[str, Any] | None) -> None:
    if ticket is None:
        out.print("No ticket yet.")
        return
    origin = "made by syncd" if ticket["origin"] == "operation" else ticket["origin"]
    stands = ticket["snapshot"]["status"]["name"] if ticket["snapshot"] else "a status that was not read yet"
    plain(out, f"Ticket {ticket['key']} ({origin}) stands at {stands}")
    if ticket["refused"]:
        plain(out, f"Jira refused these fields, so they are left alone: {', '.join(ticket['refused'])}")
    if ticket["conflicts"]:
        plain(out, f"In conflict, so they are left alone on both sides: {', '.join(ticket['conflicts'])}")
    _out_of_sight(out, ticket)


def _postmortem(out: Console, postmortem: dict[str, Any] | None) -> None:
    """How the two duties stand, each with its clock in words, the most urgent fact first."""
    if postmortem is None:
        return
    named = postmortem["key"] or "not made yet"
    stands = f" stands at {postmortem['status']}" if postmortem["status"] else ""
    nobody = ", nobody owns it" if postmortem["key"] else ""
    owner = f", owner {postmortem['owner']}" if postmortem["owner"] else nobody
    plain(out, f"\nPostmortem {named}{stands}{owner}")
    _out_of_sight(out, postmortem)
    for kind in ("scheduled", "completed"):
        duty = postmortem[kind]
        if duty is None:
            continue
        plain(out, f"  {kind}: {duty['words']}")
        for line in duty["explained"]:
            plain(out, f"    {line}")
    for one in postmortem["earlier"]:
        plain(out, f"  earlier, {one['duty']}, due {minute(one['due_at'])}: {one['words']} ({one['reason']})")


def _out_of_sight(out: Console, issue: dict[str, Any]) -> None:
    if issue["out_of_sight_since"]:
        since = minute(issue["out_of_sight_since"])
        plain(out, f"Out of our sight since {since}: moved, secured or deleted")


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
