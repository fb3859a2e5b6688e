"""`syncd pause` and `syncd resume`: stop writes of a kind for a while; syncd still observes and decides."""

from __future__ import annotations

import click

from syncd.commands.shared.ask_daemon import ask_and_tell

TARGETS = ("jira", "pagerduty", "mail", "chat")
"""The targets of writes (`syncd.domain.operation.Target`), each to be paused alone."""

target_argument = click.argument(
    "target", metavar="[WHAT]", type=click.Choice([*TARGETS, "all"]), default="all"
)


def _targets(target: str) -> list[str]:
    return list(TARGETS) if target == "all" else [target]


@click.command(
    help="Stop writes to WHAT (jira, pagerduty, mail, chat or all), until `syncd resume`. Default: all."
)
@target_argument
@click.option("--reason", required=True, help="Why; syncd keeps it on record.")
def command(target: str, reason: str) -> None:
    """Ask the executor of the ledger to pause writes."""
    ask_and_tell("pause", {"targets": _targets(target), "reason": reason})


@click.command(
    "resume",
    help="End the pause of WHAT (jira, pagerduty, mail, chat or all), and ask it again at once."
    " Waiting writes that are out of date are dropped.",
)
@target_argument
def resume(target: str) -> None:
    """Ask the executor of the ledger to end a pause."""
    ask_and_tell("resume", {"targets": _targets(target)})
