"""`syncd actions`: action items, GameDays and reviews to be done, the longest overdue first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from rich.text import Text

from syncd.commands.shared.output import console, emit_json, json_option, plain, table
from syncd.commands.shared.setup import command_clock, ledger_for_reading
from syncd.domain.mail import name_for_people
from syncd.domain.text import counted, terminal


@click.command(help="List open action items, GameDays and reviews: owner, due date, what is wrong.")
@click.option("--overdue", is_flag=True, help="Only action items whose due date has passed.")
@click.option("--unowned", is_flag=True, help="Only action items without an owner.")
@json_option
def command(as_json: bool, overdue: bool, unowned: bool) -> None:
    """Read the ledger and list the action items, the longest overdue first."""
    from syncd.ledger.views.actions import actions_data

    with ledger_for_reading() as db:
        data = actions_data(db, command_clock().now(), overdue=overdue, unowned=unowned)
    if as_json:
        emit_json(data)
        return
    out = console()
    if not data:
        filters = [word for word, on in (("overdue", overdue), ("unowned", unowned)) if on]
        out.print(f"No action item is {' and '.join(filters) or 'open'}.")
        return
    plain(out, headline(data))
    for line in lines(data, out.width):
        out.print(Text("" if line is None else line), soft_wrap=True)


def headline(data: list[dict[str, Any]]) -> str:
    """Return the first line: how many items are open, overdue and without an owner."""
    from syncd.policy.duty_words import UNOWNED

    late = sum(item["overdue_days"] > 0 for item in data)
    alone = sum(bool({*UNOWNED}.intersection(item["violations"])) for item in data)
    return f"Action items: {len(data)} open, {late} overdue, {alone} without an owner"


def lines(data: list[dict[str, Any]], width: int) -> Iterator[str | None]:
    """Yield the lines of each item: its date, its text, its owner, what is wrong. None is an empty line."""
    from syncd.policy.duty_words import with_mode

    for item in data:
        yield None
        yield terminal(f"{item['key']}: {when(item)}")
        summary, room = terminal(item["summary"] or "syncd has not read its text yet"), max(20, width - 2)
        yield f"  {summary if len(summary) <= room else summary[: room - 1] + '…'}"
        incident = (
            f"incident #{item['number']}" if item["number"] is not None else name_for_people(item["incident"])
        )
        standing = f"{item['owner_words']}, {item['status'] or 'status not read yet'}, {incident}"
        yield f"  {terminal(with_mode(standing, item['asked']))}"
        # the first line of the item says "overdue" already, with the number of days
        violations = [word for word in item["violations"] if word != "overdue"]
        if violations:
            yield f"  ! {terminal('; '.join(violations))}"


def when(item: dict[str, Any]) -> str:
    """Return an item's due date and how late the item is, in words."""
    days = item["overdue_days"]
    if days:
        return f"OVERDUE by {counted(days, 'day')}, due {item['due']}"
    return f"due {item['due']}" if item["due"] else "no date"


def items_table(items: list[dict[str, Any]]) -> Any:
    """Return an incident's action items as the table that `show` prints."""
    from syncd.policy.duty_words import with_mode

    rows = [
        (
            item["key"],
            item["owner_words"],
            with_mode(when(item), item["asked"]) if item["stands"] == "open" else item["stands"],
            item["status"] or "",
            "; ".join(item["violations"]),
            item["summary"],
        )
        for item in items
    ]
    return table("", ("action item", "owner", "due", "status", "what is wrong", "summary"), rows)
