"""`syncd actions`: what teams still have to do after their incidents, worst first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from rich.text import Text

from syncd.commands.shared.output import console, emit_json, json_option, plain, table
from syncd.commands.shared.setup import command_clock, ledger_for_reading
from syncd.domain.text import counted, terminal


@click.command(help="Action items that are still to be done: whose, by when, and what is wrong.")
@click.option("--overdue", is_flag=True, help="Only those whose date is over.")
@click.option("--unowned", is_flag=True, help="Only those that nobody has taken.")
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
    asked = "".join(word for word, on in ((" overdue", overdue), (" unowned", unowned)) if on)
    if not data:
        out.print(f"No action item is{asked or ' open'}.")
        return
    plain(out, headline(data))
    for line in lines(data, out.width):
        out.print(Text("" if line is None else line), soft_wrap=True)


def headline(data: list[dict[str, Any]]) -> str:
    """How many there are, and how many of them need somebody."""
    from syncd.ledger.views.actions import UNOWNED

    late = sum(one["overdue_days"] > 0 for one in data)
    alone = sum(bool(UNOWNED.intersection(one["violations"])) for one in data)
    said = [f"{len(data)} to do", f"{late} overdue", f"{alone} that nobody has taken"]
    return "Action items: " + ", ".join(said)


def lines(data: list[dict[str, Any]], width: int) -> Iterator[str | None]:
    """For each item by when it is due, what it is, and whose; then what is wrong. None is an empty line."""
    for one in data:
        yield None
        yield terminal(f"{one['key']}: {when(one)}")
        summary, room = terminal(one["summary"] or "its text is not known"), max(20, width - 2)
        yield f"  {summary if len(summary) <= room else summary[: room - 1] + '…'}"
        where = f"incident #{one['number']}" if one["number"] is not None else f"incident {one['incident']}"
        whose = f"{one['owner'] or 'nobody'}, {one['status'] or 'status not known'}, {where}"
        yield f"  {terminal(whose)}"
        wrong = [word for word in one["violations"] if word != "overdue"]
        if wrong:
            yield f"  ! {terminal('; '.join(wrong))}"


def when(one: dict[str, Any]) -> str:
    """By when an item is due, and how late it is, in words."""
    days = one["overdue_days"]
    if days:
        return f"OVERDUE by {counted(days, 'day')}, due {one['due']}"
    return f"due {one['due']}" if one["due"] else "no date"


def items_table(items: list[dict[str, Any]]) -> Any:
    """An incident's action items as `show` lists them."""
    rows = [
        (
            one["key"],
            one["owner"] or "nobody",
            when(one) if one["stands"] == "open" else one["stands"],
            one["status"] or "",
            "; ".join(one["violations"]),
            one["summary"],
        )
        for one in items
    ]
    return table("", ("action item", "owner", "due", "status", "what is wrong", "summary"), rows)
