"""`syncd pause` and `syncd resume`: nothing of a kind leaves for a while; observing and deciding go on."""

from __future__ import annotations

import click

from syncd.commands.shared.ask_daemon import ask_and_tell

TARGETS = ("jira", "pagerduty", "mail", "chat")
"""What can be paused alone, as operations name it (`syncd.domain.operation.Target`)."""

target_argument = click.argument("what", type=click.Choice([*TARGETS, "all"]), default="all")


def _targets(what: str) -> list[str]:
    return list(TARGETS) if what == "all" else [what]


@click.command(help="Let nothing leave for jira, pagerduty, mail, chat or all, until syncd resume.")
@target_argument
@click.option("--reason", required=True, help="Why, for the record.")
def command(what: str, reason: str) -> None:
    """Ask the executor of the ledger to pause."""
    ask_and_tell("pause", {"targets": _targets(what), "reason": reason})


@click.command("resume", help="Let leave again what was paused; what became untrue meanwhile is not sent.")
@target_argument
def resume(what: str) -> None:
    """Ask the executor of the ledger to go on."""
    ask_and_tell("resume", {"targets": _targets(what)})
