"""`syncd check`: asks both services whether what the mappings need is there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from syncd.commands.output import console, emit_json, json_option, table
from syncd.commands.setup import Setup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncd.engine.checks import Finding

ACCOUNTS = ("PD01", "J01")
"""The codes of the findings that say whether a service answers us at all."""


@click.command(help="Ask both services whether everything that the mappings need is there.")
@click.option("--offline", is_flag=True, help="Only settings, mappings and templates; no request leaves.")
@json_option
@click.pass_context
def command(ctx: click.Context, offline: bool, as_json: bool) -> None:
    """Exit 0 when nothing is wrong, 1 otherwise, 69 or 77 where a service cannot be asked."""
    setup = Setup.load(ctx)
    setup.start_log(quiet=True)
    findings = [*_configured(setup)]
    if not offline:
        findings += _asked(setup)
    if as_json:
        emit_json({"findings": [one.model_dump(mode="json", exclude={"credentials"}) for one in findings]})
    else:
        _show(findings)
    sys.exit(_exit_code(findings))


def _configured(setup: Setup) -> Iterator[Finding]:
    from syncd.config.live import unknown_variables
    from syncd.engine.checks import Finding, Level

    mappings = setup.configuration.mappings
    yield Finding(
        code="C01",
        level=Level.OK,
        where="configuration",
        message="settings, templates and mappings are well formed: "
        + ", ".join(one.team for one in mappings),
    )
    for problem in unknown_variables():
        yield Finding(
            code="C02", level=Level.WRONG, where=problem.key, message=problem.message, hint=problem.hint
        )


def _asked(setup: Setup) -> Iterator[Finding]:
    from syncd.daemon import make_clients
    from syncd.engine.checks import check_all
    from syncd.engine.clock import SystemClock
    from syncd.remote.transport import Transport

    live = setup.configuration.live
    clients = make_clients(live, Transport(SystemClock()))
    return check_all(clients, setup.configuration.mappings, live.pagerduty.sender)


def _exit_code(findings: list[Finding]) -> int:
    from syncd.commands import failures
    from syncd.engine.checks import Level

    refused = list(dict.fromkeys(one.where.split(",")[0] for one in findings if one.credentials))
    if refused:
        failures.say(*(f"{service} refuses our credentials" for service in refused))
        return failures.REFUSED
    silent = [one.where for one in findings if one.code in ACCOUNTS and one.level is Level.UNKNOWN]
    if silent:
        failures.say(*(f"{service} cannot be reached" for service in silent))
        return failures.UNREACHABLE
    return 1 if any(one.level is Level.WRONG for one in findings) else 0


def _show(findings: list[Finding]) -> None:
    from syncd.engine.checks import Level

    out = console()
    rows = [
        (one.level, one.code, one.where, one.message, one.hint)
        for one in findings
        if one.level is not Level.OK
    ]
    if rows:
        out.print(table("", ("", "code", "where", "what", "what to do"), rows))
    count = {level: sum(one.level is level for one in findings) for level in Level}
    out.print(f"{count[Level.OK]} ok, {count[Level.WRONG]} wrong, {count[Level.UNKNOWN]} unknown")
    if not count[Level.WRONG]:
        out.print("Next: syncd plan shows what the first cycle would do, syncd run starts the daemon.")
