"""`syncd adopt`: take an issue that a person made as the ticket of an incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from syncd.engine.loop import ControlLoop


@click.command(
    help="Take ISSUE, which a person made in Jira, as the ticket of INCIDENT (an id or number), which has"
    " none. The issue must be in the mapped project and of the mapped type. syncd gives it its mark and"
    " labels, and keeps it in sync from then on."
)
@click.argument("incident", metavar="INCIDENT")
@click.argument("issue", metavar="ISSUE")
@click.option("--dry-run", is_flag=True, help="Say if syncd would adopt it, and change nothing.")
@click.pass_context
def command(ctx: click.Context, incident: str, issue: str, dry_run: bool) -> None:
    """Have the issue adopted by the running daemon, else here under the lock; exit 1 if it is refused."""
    from syncd.commands.shared.ask_daemon import do_job, tell
    from syncd.commands.shared.setup import Setup, ledger_for_reading
    from syncd.ledger.requests.answers import ADOPT

    # a new ledger knows no incident, and only the daemon makes one
    with ledger_for_reading(tell_moved=False):
        pass
    setup = Setup.load(ctx, usable=True)
    setup.start_log(quiet=True)
    arguments = {"incident": incident, "issue": issue, "dry_run": dry_run}
    tell(do_job(setup, "syncd adopt", ADOPT, arguments, _adopt_now))


def _adopt_now(loop: ControlLoop) -> None:
    loop.make_first_contact()
    loop.jobs.adoptions()
