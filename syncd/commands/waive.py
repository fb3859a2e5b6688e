"""`syncd waive`, `syncd unwaive` and `syncd correct`: record what people decide about duties."""

from __future__ import annotations

from datetime import datetime

import click

from syncd.commands.shared.ask_daemon import ask_and_tell
from syncd.commands.shared.options import Day, Moment

DUTIES = ("scheduled", "completed", "owned", "done", "held", "filed")
"""The kinds of duties (`syncd.domain.duty.DutyKind`)."""


class DutyName(click.Choice[str]):
    """A kind of duties; a filing may name its clock, as in `filed:gdpr`."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name if its kind is known."""
        kind, colon, _clock = value.partition(":")
        return value if colon and kind == "filed" else super().convert(value, param, ctx)


of_argument = click.argument("of", metavar="ID")
ID_HELP = (
    " ID is an incident's id or number, or the key of a ticket, a postmortem, an action item, a GameDay or a"
    " review."
)
duty_option = click.option(
    "--duty",
    type=DutyName(DUTIES),
    help="The duty. Default: both duties of a postmortem; `done` of an action item; `held` of a GameDay or"
    " review. `filed` means all regulatory filings of an incident, `filed:gdpr` one.",
)
reason_option = click.option("--reason", required=True, help="Why; syncd keeps it on record.")
by_option = click.option(
    "--by",
    "by",
    required=True,
    metavar="ADDRESS",
    help="The approver who decides (people.approvers); syncd mails them what was given in their name.",
)


@click.command(
    help="Waive a duty until the end of a day in the team's zone (at most 30 days ahead), with a reason, on"
    " record." + ID_HELP
)
@of_argument
@duty_option
@click.option("--until", required=True, type=Day(), help="The last day in the team's zone, as 2026-12-01.")
@reason_option
@by_option
@click.option(
    "--and-by",
    metavar="ADDRESS",
    help="A second approver: from the third waiver of one duty on, both decide.",
)
def command(of: str, duty: str | None, until: datetime, reason: str, by: str, and_by: str | None) -> None:
    """Ask the executor of the ledger to waive duties."""
    # the executor knows the team, and so the zone
    day = until.date().isoformat()
    asked = {"of": of, "duty": duty, "until": day, "reason": reason, "by": by, "and_by": and_by}
    ask_and_tell("waive", asked)


@click.command(
    "unwaive", help="End a waiver early; the duty is due again 24 hours later at the earliest." + ID_HELP
)
@of_argument
@duty_option
@reason_option
@by_option
def unwaive(of: str, duty: str | None, reason: str, by: str) -> None:
    """Ask the executor of the ledger to end waivers."""
    ask_and_tell("unwaive", {"of": of, "duty": duty, "reason": reason, "by": by})


@click.command(
    "correct",
    help="Take back a breach that was recorded wrongly; both events stay on record. Nothing counts as met:"
    " the duty is owed anew, due 24 hours later, unless --met-at says when it was met." + ID_HELP,
)
@of_argument
@duty_option
@reason_option
@by_option
@click.option(
    "--met-at",
    type=Moment(),
    help="When the duty was met, as 2026-12-01T14:30+01:00 (UTC without an offset): nothing more is owed.",
)
def correct(of: str, duty: str | None, reason: str, by: str, met_at: datetime | None) -> None:
    """Ask the executor of the ledger to take back breaches."""
    when = met_at.isoformat() if met_at is not None else None
    ask_and_tell("correct", {"of": of, "duty": duty, "reason": reason, "by": by, "met_at": when})
