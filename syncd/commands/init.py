"""`syncd init`: a first mapping in a folder, or one of the shipped examples, with the next steps."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Literal

import click

from syncd.commands.shared.options import Day
from syncd.commands.shared.setup import command_clock

_PROJECT_KEY = re.compile(r"[A-Z][A-Z0-9_]+")
_ENFORCES = re.compile(r"^(  mode: )enforce\b", re.MULTILINE)
_REOPENS = re.compile(r"^(close_gate:\s*\n\s+mode: )reopen\b", re.MULTILINE)


def _key(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _PROJECT_KEY.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no key of a Jira project; those look like OPS")
    return value


@click.command(help="Write a first mapping into DIR, or one of the shipped examples.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--team", metavar="NAME", help="Name of the team that the mapping is for.")
@click.option(
    "--service", "services", metavar="NAME", multiple=True, help="A PagerDuty service of the team's."
)
@click.option(
    "--project",
    metavar="KEY",
    callback=_key,
    help="Key of the Jira project. Default: OPS.",
)
@click.option("--example", type=click.Choice(("qrpay", "ramen")), help="Copy a shipped mapping instead.")
@click.option(
    "--enforce-from",
    type=Day(),
    help="The day (UTC) from which the rules hold; older ones are left in peace. Default: today.",
)
@click.option(
    "--mode",
    type=click.Choice(("report", "enforce")),
    help="`report`: no rule acts beyond tickets, their status and comments, and syncd status says what it"
    " would have done. `enforce`: tickets that owe nothing close by themselves, and an example is copied as"
    " it is. Default: report, for an example enforce.",
)
@click.option("--offline", is_flag=True, help="Write what is given and ask neither service.")
@click.option("--force", is_flag=True, help="Overwrite a mapping of that name.")
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
    """Write one file and say what comes next."""

    since = (enforce_from or command_clock().now()).date()
    remarks: tuple[str, ...] = ()
    if example:
        if team or services:
            raise click.UsageError(
                "--example copies a mapping with its team and services: leave out the others"
            )
        name, text = example, _example(example, since, mode)
    else:
        name, text, remarks = _starter(team, services, project, since, mode or "report", offline)
    path = folder / f"{name}.yaml"
    _write(path, text, force)
    click.echo(f"{path} is written; its rules hold from {since.isoformat()} on (UTC).")
    for remark in remarks:
        click.echo(f"  {remark}")
    click.echo("Read it, then set these and what `syncd check` asks for:")
    click.echo(f"  export SYNCD_MAPPINGS_DIR={folder}")
    click.echo("  syncd check      whether everything that it names is there, on both sides")
    click.echo("  syncd plan       what the first cycle would do")
    click.echo("  syncd run        the daemon")


def _example(name: str, since: dt.date, mode: str | None) -> str:
    from syncd.config.mapping.starter import example_mapping

    text = example_mapping(name, since)
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
    """The file's name, its text, and what people should know of how it came about."""
    from syncd.commands.init_reading import read
    from syncd.config.mapping.starter import starter_mapping
    from syncd.config.templates.text_limits import slug_label

    if team is None:
        raise click.UsageError("say for whom: --team NAME --service NAME, or --example qrpay|ramen")
    found = read(team, services, project, offline)
    text = starter_mapping(team, found.project, found.services, since, mode, found.choice)
    assumed = (f"assumed: {one}" for one in found.choice.assumed)
    return slug_label(team).lower() or "team", text, (*found.remarks, *assumed, *found.choice.open)


def _write(path: Path, text: str, force: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise click.ClickException(f"{path} is there already; --force overwrites it") from None
