"""`syncd demo`: a dozen incidents of two teams, and the days after, on the embedded sandbox."""

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
"""Seconds of the story in a real second: its two hours take less than half a minute."""
DAY = 7200.0
"""Seconds of the story for which everything is shown as it happens; the days after it pass in leaps."""
END = 6 * 86400.0 + 20 * 3600.0
"""Seconds of the story's clock: into the second Monday's first hours, when the week's report leaves."""


@click.command(help="Play a story on the embedded sandbox with the real daemon; no account is needed.")
@click.option(
    "--keep",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the ledger here, in a folder of its own; otherwise it goes to a temporary one.",
)
@click.option(
    "--speed",
    type=click.FloatRange(1, 100_000),
    default=SPEED,
    show_default=True,
    help="How many times faster than real time.",
)
@click.pass_context
def command(ctx: click.Context, folder: Path | None, speed: float) -> None:
    """Play, show, prove; 1 where an incident has not exactly one ticket or states do not agree."""
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise click.ClickException(f"{folder} is not empty; name a new folder for the demo's ledger")
    kept = folder or Path(tempfile.mkdtemp(prefix="syncd-demo-"))
    kept.mkdir(parents=True, exist_ok=True)
    finished = False
    try:
        good = _perform(kept, speed, debug=debugging(ctx))
        finished = True
    finally:
        if folder is None and not finished:
            shutil.rmtree(kept, ignore_errors=True)
    sys.exit(0 if good else 1)


def _perform(folder: Path, speed: float, *, debug: bool) -> bool:
    from syncd.commands.demo.proof import prove, show_mailbox
    from syncd.commands.demo.stage import stage
    from syncd.engine.runtime.logs import start_log

    out = console()
    out.print(
        f"Six days at QRPay and Ramen, the first two hours {speed:g} times faster, the rest in leaps:"
        " PagerDuty and Jira are a sandbox on this machine, syncd between them is the real one.\n\nMonday",
        soft_wrap=True,
    )
    with (folder / "syncd.log").open("w", encoding="utf-8") as log:
        start_log("DEBUG" if debug else "INFO", "text", (), stream=log)
        with stage(folder, speed, command_clock()) as set_up:
            _play(set_up, out)
            out.print()
            good = prove(set_up, out)
            show_mailbox(out, folder / "mail")
    _look_further(out, folder)
    return good


def _play(stage: Stage, out: Console) -> None:
    from syncd.commands.demo.lines import show
    from syncd.commands.demo.people import Operator, PeopleFeed
    from syncd.commands.demo.syncd import SyncdFeed
    from syncd.sandbox.story.story_week import week

    people, syncd = PeopleFeed(stage.world), SyncdFeed(stage.context, stage.mapping)
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
            # syncd sees what people do a minute later: what it sees much later it treats otherwise
            stage.leap(stage.clock.boottime())
        else:
            stage.leap(began + (END if story.next_at is None else story.next_at))
    for step in story.passed_over:
        out.print(f"Passed over, because its incident had no ticket yet: {step.says}", markup=False)


def _look_further(out: Console, folder: Path) -> None:
    from rich.text import Text

    lines = (
        "",
        "Look around in the ledger of this demo:",
        f"  export SYNCD_STATE_DIR={folder}",
        "  syncd show 1         everything known and done about incident #1, with reasons",
        "  syncd status --all   all incidents and their tickets",
        "  syncd actions        what is still to be done, and what is wrong with it",
        "  syncd audit verify   the proof that nothing was changed afterwards",
        f"  {folder / 'syncd.log'}   what the daemon logged",
        "Next, with your own accounts: syncd init DIR --team NAME --service NAME; README.md has the tasks.",
    )
    for line in lines:
        out.print(Text(line), soft_wrap=True)
