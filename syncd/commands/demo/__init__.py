"""`syncd demo`: a dozen incidents of two companies, and the days after them, on the embedded sandbox."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.commands.shared.output import console
from syncd.commands.shared.setup import command_clock, debugging

if TYPE_CHECKING:
    from rich.console import Console

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
@click.pass_context
def command(ctx: click.Context, folder: Path | None, speed: float) -> None:
    """Play the story, show it, and prove it.

    Exit 1 if an incident has not exactly one ticket or a state differs.
    """
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise click.ClickException(f"{folder} is not empty; name a new folder for the demo's ledger")
    kept = folder or Path(tempfile.mkdtemp(prefix="syncd-demo-"))
    kept.mkdir(parents=True, exist_ok=True, mode=0o700)
    finished = False
    try:
        proven = _perform(kept, speed, debug=debugging(ctx))
        finished = True
    finally:
        # A demo that was stopped leaves no temporary folder behind; a finished one does, for a closer look.
        if folder is None and not finished:
            shutil.rmtree(kept, ignore_errors=True)
    sys.exit(0 if proven else 1)


def _perform(folder: Path, speed: float, *, debug: bool) -> bool:
    from syncd.commands.demo.proof import prove, show_mailbox
    from syncd.commands.demo.stage import stage
    from syncd.engine.runtime.logs import start_log

    out = console()
    out.print(
        "This demo plays two weeks at two companies, QRPay and Ramen. The real syncd works here; PagerDuty"
        f" and Jira are simulated on this machine. The first two hours run {speed:g} times faster than real"
        " time, the days after them pass in leaps. A line shows the time (UTC), the service or the actor,"
        " what happened, and after the colon the reason or the text.\n\nMonday",
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
    return proven


def _play(stage: Stage, out: Console) -> None:
    from syncd.commands.demo.lines import show
    from syncd.commands.demo.people import Operator, PeopleFeed
    from syncd.commands.demo.syncd import SyncdFeed
    from syncd.sandbox.story.story_week import week

    people, syncd = PeopleFeed(stage.world), SyncdFeed(stage.context, stage.mapping)
    # The first cycle sees an empty account, so no incident is older than the ledger.
    stage.cycle()
    story = week(stage.world)
    operator = Operator(stage.context)
    began = stage.clock.boottime()
    days = [f"{stage.clock.now():%A}"]
    while (passed := stage.clock.boottime() - began) < END:
        acted = story.play_due()
        today = f"{stage.clock.now():%A}"
        if today != days[-1]:
            days.append(today)
            out.print(f"\n{today}", style="bold")
        for line in [*people.news(), *syncd.news(), *operator.news()]:
            show(out, line)
        if passed < DAY:
            stage.step()
        elif acted:
            # A short leap: syncd sees what people do within a minute, as a daemon that polls does.
            stage.leap(stage.clock.boottime())
        else:
            # in the second week little happens, so the leaps are longer
            stage.leap(began + (END if story.next_at is None else story.next_at), long=passed > WEEK)
    for step in story.passed_over:
        out.print(
            f"Skipped a step of the story, because its incident had no ticket yet: {step.says}", markup=False
        )


def _show_next_steps(out: Console, folder: Path) -> None:
    from rich.text import Text

    lines = (
        "",
        "Look into the ledger of this demo:",
        f"  export SYNCD_STATE_DIR={folder}",
        "  syncd show 1         what syncd knows about incident #1, what it did, and why",
        "  syncd status --all   all incidents and their tickets",
        "  syncd actions        the open action items, and what is wrong with them",
        "  syncd audit verify   check that nobody changed the record afterwards",
        f"  {folder / 'syncd.log'}   the log of the daemon",
        "Next, with your own accounts: syncd init DIR --team NAME --service NAME (see README.md).",
    )
    for line in lines:
        out.print(Text(line), soft_wrap=True)
