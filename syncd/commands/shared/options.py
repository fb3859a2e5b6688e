"""Options of several commands: days, and the question before a step that cannot be undone."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click


class Day(click.ParamType[datetime]):
    """The type of an option that takes a day, as 2026-12-01."""

    name = "day"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return the word for the value in the help."""
        return "DATE"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the day's midnight without a zone: each command knows its zone."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d")  # noqa: DTZ007 - a day, not a moment
        except ValueError:
            self.fail(f"{value!r} is not a day; write a day like 2026-12-01", param, ctx)


class Moment(click.ParamType[datetime]):
    """The type of an option that takes a moment, as 2026-12-01T14:30+01:00."""

    name = "moment"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return the word for the value in the help."""
        return "TIME"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the moment with its offset; without one it is in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time; write one like 2026-12-01T14:30+01:00", param, ctx)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def confirm(question: str, *, yes: bool, err: bool = False) -> None:
    """Ask the operator unless `yes`; end the command on "no", raise a usage error without a terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: give --yes")
    click.confirm(question, abort=True, err=err)
