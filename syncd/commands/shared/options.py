"""What options of several commands have in common: days, and a question before what cannot be undone."""

from __future__ import annotations

import sys
from datetime import datetime

import click


class Day(click.ParamType[datetime]):
    """A day; what is none says how one is written."""

    name = "day"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What stands in the help."""
        return "DATE"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The day's midnight, without a zone: the command says whose."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d")  # noqa: DTZ007 - a day, not a moment
        except ValueError:
            self.fail(f"{value!r} is no day; days are written like 2026-12-01", param, ctx)


def confirm(question: str, *, yes: bool, err: bool = False) -> None:
    """Ask unless `yes`; ends the command where the answer is no, a usage error where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: give --yes")
    click.confirm(question, abort=True, err=err)
