"""Output of reading commands: JSON for scripts, tables for people, without colours in a pipe."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from syncd.domain.clock import in_utc, second_in_utc
from syncd.domain.text import terminal


def emit_json(data: Any) -> None:
    """Print one JSON document on standard output."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def console() -> Console:
    """Return standard output: coloured on a terminal only, and not with NO_COLOR; 160 columns in a pipe."""
    out = Console(highlight=False, soft_wrap=False)
    # a pipe has no width; rich would cut tables at 80 columns
    return out if out.is_terminal else Console(highlight=False, width=160)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table of plain text: `rich` reads no markup in it, control characters are removed."""
    made = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(terminal("" if cell is None else str(cell))) for cell in row))
    return made


def plain(out: Console, text: str, *, indent: int = 0, spaced: bool = False) -> None:
    """Print a line with foreign text: `rich` reads no markup in it, control characters are removed.

    `indent` puts so many spaces before it; `spaced` keeps the spaces of a line whose texts are clean already.
    """
    out.print(Text(text if spaced else " " * indent + terminal(text)), soft_wrap=True)


def write_private(file: Path, content: bytes) -> None:
    """Write a file that only its owner can read, in a folder of the same kind if that is new."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        # the file may be there already, with another mode
        os.fchmod(stream.fileno(), 0o600)
        stream.write(content)


def minute(iso: str) -> str:
    """Return an ISO moment as people read it: `2026-11-22 05:12 UTC`."""
    return in_utc(datetime.fromisoformat(iso))


def second(iso: str) -> str:
    """Return an ISO moment to the second: `2026-11-22 05:12:09 UTC`."""
    return second_in_utc(datetime.fromisoformat(iso))


def operation_words(operation: Mapping[str, Any]) -> str:
    """Return what an operation writes, for people: `create ticket`, `send mail to ada@qrpay.example`."""
    words = str(operation["kind"]).replace("_", " ")
    return f"{words} to {operation['to']}" if operation["to"] else words


def with_wait(words: str | None, operation: dict[str, Any]) -> str:
    """Return words about an operation, then what it waits for and since when; parked ones wait for people."""
    if not operation["waits_for"] or operation["state"] == "parked":
        return words or ""
    wait = f"waits for {operation['waits_for']} (since {minute(operation['waits_since'])})"
    return f"{words}; {wait}" if words else wait


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
