"""`syncd demo`: a dozen incidents of two companies, and the days after them, on the embedded sandbox."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

from syncd.commands.shared.output import console
from syncd.commands.shared.setup import command_clock, debugging

if TYPE_CHECKING:
    from rich.console import Console

    from syncd.commands.demo.lines import Line
    from syncd.commands.demo.stage import Stage

SPEED = 300.0
"""Seconds of the story in a real second: its first two hours take less than half a minute."""
DAY = 7200.0
"""Seconds of the story that are played as they happen; the days after them pass in leaps."""
WEEK = 6 * 86400.0 + 20 * 3600.0
"""Seconds until the first hours of the second Monday, when the first weekly report is sent."""
END = WEEK + 7 * 86400.0
"""Seconds until the story ends: a week later, when the second report tells what changed."""


@click.command(
    help="Play a story with the real daemon on a simulated PagerDuty and Jira; you need no account."
)
@click.option(
    "--keep",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Put the ledger into this new or empty folder; without it, into a temporary folder.",
)
@click.option(
    "--speed",
    type=click.FloatRange(1, 100_000),
    default=SPEED,
    show_default=True,
    help="How many times faster than real time the first two hours run.",
)
@click.option(
    "--serve", is_flag=True, help="At the end, serve the page of state on this machine until Ctrl-C."
)
@click.pass_context
def command(ctx: click.Context, folder: Path | None, speed: float, serve: bool) -> None:
    """Play the story, show it, and prove it.

    Exit 1 if an incident has not exactly one ticket or a state differs.
    """
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise click.ClickException(f"{folder} is not empty; name a new folder for the demo's ledger")
    # the commands at the end must work from any folder
    kept = folder.absolute() if folder is not None else Path(tempfile.mkdtemp(prefix="syncd-demo-"))
    kept.mkdir(parents=True, exist_ok=True, mode=0o700)
    finished = False
    try:
        proven = _perform(kept, speed, serve=serve, debug=debugging(ctx))
        finished = True
    finally:
        # A demo that was stopped leaves no temporary folder behind; a finished one does, for a closer look.
        if folder is None and not finished:
            shutil.rmtree(kept, ignore_errors=True)
    sys.exit(0 if proven else 1)


def _perform(folder: Path, speed: float, *, serve: bool, debug: bool) -> bool:
    from syncd.commands.demo.proof import prove, show_mailbox
    from syncd.commands.demo.stage import serve_page, stage
    from syncd.engine.runtime.logs import start_log

    out = console()
    out.print(
        "This demo plays two weeks at two companies, QRPay and Ramen. The real syncd works here; PagerDuty"
        f" and Jira are simulated on this machine. The first two hours run {speed:g} times faster than real"
        " time, the days after them pass in leaps. A line shows the time (UTC), the service or the actor,"
        " what happened, and after the colon the reason or the text.",
        soft_wrap=True,
    )
    with (folder / "syncd.log").open("w", encoding="utf-8") as log:
        start_log("DEBUG" if debug else "INFO", "text", (), stream=log)
        with stage(folder, speed, command_clock()) as set_up:
            _play(set_up, out)
            out.print()
            proven = prove(set_up, out)
            show_mailbox(out, folder / "mail")
            _show_next_steps(out, folder)
            if serve:
                serve_page(set_up.context, set_up.loop, out, Event())
    return proven


def _play(stage: Stage, out: Console) -> None:
    from syncd.commands.demo.people import Operator, PeopleFeed
    from syncd.commands.demo.syncd import SyncdFeed
    from syncd.sandbox.story.story_week import week

    people, syncd = PeopleFeed(stage.world), SyncdFeed(stage.context, stage.mapping)
    # The first cycle sees an empty account, so no incident is older than the ledger.
    stage.cycle()
    story = week(stage.world)
    operator = Operator(stage.context)
    began = stage.clock.boottime()
    days = _Days(out)
    while (passed := stage.clock.boottime() - began) < END:
        acted = story.play_due()
        typed = list(operator.news())
        days.show([*people.news(), *syncd.news(), *typed])
        if passed < DAY:
            stage.step()
        elif acted or typed:
            # A short leap: syncd sees what people do within a minute, as a daemon that polls does.
            stage.leap(stage.clock.boottime())
        else:
            # in the second week little happens, so the leaps are longer
            stage.leap(began + (END if story.next_at is None else story.next_at), long=passed > WEEK)
    days.show([*people.news(), *syncd.news()])
    for step in story.passed_over:
        out.print(
            f"Skipped a step of the story, because its incident had no ticket yet: {step.says}", markup=False
        )


class _Days:
    """Prints the lines of the story, each day under its name; a day without lines has no heading."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._day = ""

    def show(self, lines: list[Line]) -> None:
        from syncd.commands.demo.lines import show

        for line in lines:
            if (day := f"{line.at:%A}") != self._day:
                self._day = day
                self._out.print(f"\n{day}", style="bold")
            show(self._out, line)


def _show_next_steps(out: Console, folder: Path) -> None:
    from rich.text import Text

    syncd = _as_typed()
    lines = [
        "",
        "Look into the ledger of this demo. These commands work as they stand, first:",
        f"  export SYNCD_STATE_DIR={shlex.quote(str(folder))}",
    ]
    for words, command in LOOKS:
        lines += [f"{words}:", f"  {syncd} {command}"]
    lines += [
        "The log of the daemon:",
        f"  less {shlex.quote(str(folder / 'syncd.log'))}",
        "Next, with your own accounts (see README.md):",
        f"  {syncd} init --help",
    ]
    for line in lines:
        out.print(Text(line), soft_wrap=True)


LOOKS = (
    ("What syncd knows about incident #1, what it did, and why", "show 1"),
    ("All incidents and their tickets", "status --all"),
    ("The open action items, and what is wrong with them", "actions"),
    ("Did nobody change the record afterwards", "audit verify"),
)
"""Commands for the ledger of the demo, with what they show."""


def _as_typed() -> str:
    """Return how a shell runs this syncd, also without its environment: by its path."""
    program = Path(sys.argv[0])
    if program.name == "syncd" and program.is_file() and os.access(program, os.X_OK):
        return shlex.quote(str(program.absolute()))
    return f"{shlex.quote(sys.executable)} -m syncd"
