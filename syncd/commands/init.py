"""`syncd init`: write a first mapping or a shipped example into a folder, and print the next steps."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Literal

import click

from syncd.commands.shared.how_to_start import how_to_start
from syncd.commands.shared.options import Day
from syncd.commands.shared.setup import command_clock

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
    offline: bool,
    force: bool,
) -> None:
    """Write one file, and print the next steps."""
    since = (enforce_from or command_clock().now()).date()
    remarks: tuple[str, ...] = ()
    if example:
        if team or services:
            raise click.UsageError(
                "--example copies a mapping with its team and services: leave out --team and --service"
            )
        name, text = example, _example(example, since, mode)
    else:
        name, text, remarks = _starter(team, services, project, since, mode or "report", offline)
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


def _starter(
    team: str | None,
    services: tuple[str, ...],
    project: str | None,
    since: dt.date,
    mode: Literal["report", "enforce"],
    offline: bool,
) -> tuple[str, str, tuple[str, ...]]:
    """Return the file's name, its text, and remarks about what syncd assumed or could not know."""
    from syncd.commands.init_reading import read
    from syncd.config.mapping.starter import starter_mapping
    from syncd.config.templates.text_limits import slug_label

    if team is None:
        raise click.UsageError("give --team NAME and --service NAME, or --example qrpay|ramen")
    facts = read(team, services, project, offline)
    text = starter_mapping(team, facts.project, facts.services, since, mode, facts.choice)
    assumed = (f"assumed: {assumption}" for assumption in facts.choice.assumed)
    return slug_label(team).lower() or "team", text, (*facts.remarks, *assumed, *facts.choice.open)


def _write(path: Path, text: str, force: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # "x" fails if the file exists, also if another process writes it at this moment
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise click.ClickException(f"{path} exists; use --force to overwrite it") from None
