"""What the demo shows: lines of what people did, and of what syncd did with its reason.

The first kind is read from the sandbox's own records, the second from the audit trail of the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rich.console import Console
from rich.text import Text

from syncd.domain.text import terminal

Who = Literal["PagerDuty", "Jira", "syncd", "operator"]
_STYLES: dict[Who, str] = {
    "PagerDuty": "green",
    "Jira": "blue",
    "syncd": "bold magenta",
    "operator": "yellow",
}
_WIDTH = 11


@dataclass(frozen=True)
class Line:
    """One thing that happened: when, on which side, what, and why where that is known."""

    at: datetime
    who: Who
    text: str
    why: str = ""


def show(out: Console, line: Line) -> None:
    """Print one line: colours on a terminal, plain text in a pipe."""
    text = Text.assemble(
        (f"{line.at:%H:%M} ", "dim"),
        (f"{line.who:<{_WIDTH}}", _STYLES[line.who]),
        terminal(line.text),
        (f": {terminal(line.why)}" if line.why else "", "dim"),
    )
    out.print(text, soft_wrap=True)
