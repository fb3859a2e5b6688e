"""The lines that the demo prints: what people did, and what syncd did and why.

The lines about people come from the sandbox's own records, those about syncd from the audit trail of the
ledger.
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
    """One event: its time, the service or the actor, a sentence, and the reason where there is one."""

    at: datetime
    who: Who
    text: str
    why: str = ""


def show(out: Console, line: Line) -> None:
    """Print one line: with colours on a terminal, as plain text into a pipe."""
    text = Text.assemble(
        (f"{line.at:%H:%M} ", "dim"),
        (f"{line.who:<{_WIDTH}}", _STYLES[line.who]),
        terminal(line.text),
        (f": {terminal(line.why)}" if line.why else "", "dim"),
    )
    out.print(text, soft_wrap=True)
