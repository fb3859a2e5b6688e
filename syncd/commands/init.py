"""`syncd init`: write a first mapping or a shipped example into a folder, and print the next steps."""

from __future__ import annotations

import datetime as dt
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from syncd.commands.shared.how_to_start import how_to_start
from syncd.commands.shared.options import Day
from syncd.commands.shared.setup import command_clock

if TYPE_CHECKING:
    from syncd.commands.init_reading import Read
    from syncd.config.mapping.starter import Choice

_PROJECT_KEY = re.compile(r"[A-Z][A-Z0-9_]+")
_ENFORCES = re.compile(r"^(  mode: )enforce\b", re.MULTILINE)
_REOPENS = re.compile(r"^(close_gate:\s*\n\s+mode: )reopen\b", re.MULTILINE)


def _key(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _PROJECT_KEY.fullmatch(value):
        raise click.BadParameter(f"{value!r} is not the key of a Jira project; a key looks like OPS")
    return value


@click.command(help="Write a first mapping into DIR, or copy one of the shipped examples.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--team", metavar="NAME", help="The team of the mapping.")
@click.option(
    "--service",
    "services",
    metavar="NAME",
    multiple=True,
    help="A PagerDuty service of the team; repeatable.",
)
@click.option(
    "--project",
    metavar="KEY",
    callback=_key,
    help="The key of the Jira project. Default: OPS.",
)
@click.option("--example", type=click.Choice(("qrpay", "ramen")), help="Copy a shipped mapping instead.")
@click.option(
    "--enforce-from",
    type=Day(),
    help="The day (UTC) from which the rules apply; syncd leaves older incidents alone. Default: today.",
)
@click.option(
    "--mode",
    type=click.Choice(("report", "enforce")),
    help="`report`: syncd creates tickets and keeps their status and comments in sync; syncd status shows"
    " what the other rules would have done. `enforce`: the rules act; syncd closes tickets that owe nothing."
    " Default: report; for an example, enforce.",
)
@click.option(
    "--postmortem",
    "owing",
    metavar="SEVERITY",
    multiple=True,
    help="A severity that owes a postmortem; repeatable. Default: syncd asks you.",
)
@click.option("--yes", is_flag=True, help="Ask nothing: the two gravest severities owe a postmortem.")
@click.option("--full", is_flag=True, help="Write every key of a mapping, with its default, as a comment.")
@click.option("--offline", is_flag=True, help="Ask no service; write only what the options say.")
@click.option("--force", is_flag=True, help="Overwrite an existing mapping file.")
def command(
    folder: Path,
    team: str | None,
    services: tuple[str, ...],
    project: str | None,
    example: str | None,
    enforce_from: dt.datetime | None,
    mode: Literal["report", "enforce"] | None,
    owing: tuple[str, ...],
    yes: bool,
    full: bool,
    offline: bool,
    force: bool,
) -> None:
    """Write one file, and print the next steps."""
    from syncd.config.mapping.starter import starter_mapping

    since = (enforce_from or command_clock().now()).date()
    remarks: tuple[str, ...] = ()
    if example:
        if team or services or owing or full:
            raise click.UsageError(
                "--example copies a mapping with its team and services: leave out --team and --service,"
                " --postmortem and --full"
            )
        name, text = example, _example(example, since, mode)
    else:
        facts = _read(team, services, project, offline)
        choice = facts.choice.owing(_owing(facts.choice, owing, yes))
        remarks = _remarks(facts, choice)
        name = _file_name(str(team))
        text = starter_mapping(
            str(team), facts.project, facts.services, since, mode or "report", choice, full=full
        )
    path = folder / f"{name}.yaml"
    _write(path, text, force)
    click.echo(f"Wrote {path}; its rules apply from {since.isoformat()} (UTC).")
    for remark in remarks:
        click.echo(f"  {remark}")
    click.echo("Read it, then run these commands; syncd check names the settings that are missing:")
    click.echo(f"  export SYNCD_MAPPINGS_DIR={folder}")
    click.echo("  syncd check      check that PagerDuty and Jira have everything that it names")
    click.echo("  syncd plan       show what the first cycle would do")
    click.echo(f"  {how_to_start():<15}  start the daemon")


def _example(name: str, since: dt.date, mode: str | None) -> str:
    from syncd.config.mapping.starter import example_mapping

    text = example_mapping(name, since)
    # an example keeps the modes of its runbook (`enforce`) unless the operator asks for `report`
    if mode == "report":
        text = _REOPENS.sub(r"\g<1>comment", _ENFORCES.sub(r"\g<1>report", text))
    return text


def _read(team: str | None, services: tuple[str, ...], project: str | None, offline: bool) -> Read:
    from syncd.commands.init_reading import read

    if team is None:
        raise click.UsageError("give --team NAME and --service NAME, or --example qrpay|ramen")
    return read(team, services, project, offline)


def _owing(choice: Choice, given: tuple[str, ...], yes: bool) -> tuple[str, ...]:
    """Return the severities that owe a postmortem: as given, as answered, or the gravest ones."""
    names = {severity.name.casefold(): severity.name for severity in choice.severities}
    usual = tuple(severity.name for severity in choice.severities if severity.postmortem)

    def known(words: Iterable[str]) -> tuple[str, ...]:
        strange = [word for word in words if word.casefold() not in names]
        if strange:
            raise click.BadParameter(
                f"there is no severity {strange[0]}; there are {', '.join(names.values())}"
            )
        return tuple(names[word.casefold()] for word in words)

    if given:
        return known(given)
    # a script has no terminal, and must not wait for an answer
    if yes or not _may_ask():
        return usual
    question = f"Which of {', '.join(names.values())} owe a postmortem (none: -)?"
    answer: tuple[str, ...] = click.prompt(
        question,
        default=", ".join(usual),
        value_proc=lambda text: () if text.strip() == "-" else known(_words(text)),
        err=True,
    )
    return answer


def _may_ask() -> bool:
    return sys.stdin.isatty()


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _remarks(facts: Read, choice: Choice) -> tuple[str, ...]:
    """Return what syncd assumed or could not know, in words."""
    from syncd.policy.duty_words import NOTHING_OWED

    owing = [severity.name for severity in choice.severities if severity.postmortem]
    words = f"{', '.join(owing)} owe a postmortem" if owing else NOTHING_OWED
    assumed = (f"assumed: {assumption}" for assumption in choice.assumed)
    return (*facts.remarks, f"postmortem: {words}", *assumed, *choice.open)


def _file_name(team: str) -> str:
    from syncd.config.templates.text_limits import slug_label

    return slug_label(team).lower() or "team"


def _write(path: Path, text: str, force: bool) -> None:
    """Write the mapping; raise if it exists, unless `force`.

    What root writes is for the service's user, so everybody may read it, whatever root's umask is: a mapping
    holds no secret.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # "x" fails if the file exists, also if another process writes it at this moment
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise click.ClickException(f"{path} exists; use --force to overwrite it") from None
    if os.geteuid() == 0:
        for folder in made:
            folder.chmod(0o755)
        path.chmod(0o644)
