"""A bar for what takes long, where somebody looks; elsewhere the log says how far it has come."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from syncd.commands.shared.setup import Setup

if TYPE_CHECKING:
    from syncd.engine.runtime.progress import Progress


@contextmanager
def bar_on_terminal(setup: Setup, progress: Progress) -> Iterator[None]:
    """Show progress as bars while the block runs, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        progress.show = show
        setup.start_log()  # anew: while bars stand there, lines have to go above them
        try:
            yield
        finally:
            progress.show = None
    setup.start_log()
