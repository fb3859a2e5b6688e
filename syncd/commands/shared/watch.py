"""Shows something again and again on a terminal, until somebody ends it with Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING

import click

from syncd.commands.shared.output import console

if TYPE_CHECKING:
    from rich.console import Console

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
