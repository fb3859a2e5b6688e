"""`syncd waive`, `syncd unwaive` and `syncd correct`: what people decide about duties, on record."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import click

from syncd.commands.shared.ask_daemon import ask_and_tell
from syncd.commands.shared.options import Day

DUTIES = ("scheduled", "completed", "owned", "done")
"""What can be owed (`syncd.domain.duty.DutyKind`)."""

of_argument = click.argument("of", metavar="ID")
duty_option = click.option(
    "--duty",
    type=click.Choice(DUTIES),
    help="Which duty; without it both of the postmortem, or that an action item is done.",
)
reason_option = click.option("--reason", required=True, help="Why, for the record.")
by_option = click.option("--by", "by", required=True, metavar="WHO", help="Who decided it, for the record.")


def _through(day: datetime) -> str:
    """The end of a day (UTC)."""
    return datetime.combine(day.date() + timedelta(days=1), time(), UTC).isoformat()


@click.command(
    help="Let a duty rest through a day (UTC, 30 days at most). ID is an incident's id, number or ticket,"
    " a postmortem or an action item."
)
@of_argument
@duty_option
@click.option("--until", required=True, type=Day(), help="The last day, as 2026-12-01.")
@reason_option
@by_option
def command(of: str, duty: str | None, until: datetime, reason: str, by: str) -> None:
    """Ask the executor of the ledger to waive."""
    ask_and_tell("waive", {"of": of, "duty": duty, "until": _through(until), "reason": reason, "by": by})


@click.command("unwaive", help="End a waiver before its day; its deadline counts again a day later.")
@of_argument
@duty_option
@reason_option
@by_option
def unwaive(of: str, duty: str | None, reason: str, by: str) -> None:
    """Ask the executor of the ledger to end waivers."""
    ask_and_tell("unwaive", {"of": of, "duty": duty, "reason": reason, "by": by})


@click.command("correct", help="Take back a breach that was recorded wrongly; both stay on record.")
@of_argument
@duty_option
@reason_option
@by_option
def correct(of: str, duty: str | None, reason: str, by: str) -> None:
    """Ask the executor of the ledger to correct."""
    ask_and_tell("correct", {"of": of, "duty": duty, "reason": reason, "by": by})
