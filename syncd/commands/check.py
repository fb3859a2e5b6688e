"""`syncd check`: asks both services whether what the mappings need is there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from syncd.commands.shared.output import console, emit_json, json_option, plain
from syncd.commands.shared.setup import Setup, command_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncd.domain.mapping.mapping import Mapping
    from syncd.preflight.checks.finding import Finding
    from syncd.preflight.checks.sight import Sight

ACCOUNTS = ("PD01", "J01")
"""The codes of the findings that say whether a service answers us at all."""


@click.command(help="Ask both services whether everything that the mappings need is there.")
@click.option("--offline", is_flag=True, help="Only settings, mappings and templates; no request leaves.")
@click.option(
    "--probe",
    is_flag=True,
    help="Also make a trial ticket labelled syncd-probe in each project, walk it through every mapped status"
    " and leave it closed.",
)
@click.option("--yes", is_flag=True, help="Make the trial tickets without asking before.")
@click.option("--for-admin", is_flag=True, help="Print one page of Markdown to send to the Jira admin.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, offline: bool, probe: bool, yes: bool, for_admin: bool, as_json: bool
) -> None:
    """Exit 0 when nothing is wrong, 1 otherwise, 69 or 77 where a service cannot be asked."""
    if offline and probe:
        raise click.UsageError("--probe makes tickets, and --offline asks nobody: leave one out")
    if for_admin and (as_json or probe):
        raise click.UsageError("--for-admin prints one page and nothing else: leave out --json and --probe")
    from syncd.config.load import load_offline
    from syncd.preflight.checks.configured import configured

    if offline and not for_admin:
        _tell([*configured(load_offline())], as_json)
    setup = Setup.load(ctx)
    setup.start_log(quiet=True)
    if probe:
        _may_probe(setup, yes)
    findings = [*configured(setup.configuration)]
    if not offline:
        findings += _asked(setup, probe, loud=not as_json)
    if for_admin:
        _page(setup, findings)
        sys.exit(_exit_code([one for one in findings if one.code in ACCOUNTS]))
    _tell(findings, as_json)


def _tell(findings: list[Finding], as_json: bool) -> NoReturn:
    """Show what was found, and end."""
    if as_json:
        hidden = {"credentials", "away"}
        emit_json({"findings": [one.model_dump(mode="json", exclude=hidden) for one in findings]})
    else:
        _show(findings)
    sys.exit(_exit_code(findings))


def _may_probe(setup: Setup, yes: bool) -> None:
    if setup.configuration.settings.dry_run:
        raise click.UsageError("SYNCD_DRY_RUN is set, so nothing may be written: unset it for --probe")
    projects = ", ".join(_trials(setup))
    said = (
        f"This makes a ticket labelled syncd-probe in {projects}; people who watch that project may be told"
    )
    if not yes:
        click.confirm(f"{said}. Go on?", abort=True, err=True)


def _trials(setup: Setup) -> dict[str, Mapping]:
    """The mappings to try, one where several have the same project, type and statuses."""
    found: dict[str, Mapping] = {}
    seen: list[object] = []
    for mapping in setup.configuration.mappings:
        jira = mapping.jira
        if jira not in seen:
            seen.append(jira)
            found[f"{jira.project} ({mapping.team})"] = mapping
    return found


def _asked(setup: Setup, probe: bool, loud: bool) -> Iterator[Finding]:
    from syncd.preflight.checks.run import check_all
    from syncd.preflight.checks.sight import Sight

    configuration = setup.configuration
    services, transport = setup.services()
    sight = Sight(
        services,
        configuration.mappings,
        sender=configuration.settings.pagerduty_from,
        now=command_clock().now(),
        skew=transport.skew,
    )
    findings = list(check_all(sight))
    if probe and not any(one.code == "J01" and (one.away or one.credentials) for one in findings):
        for mapping in _trials(setup).values():
            steps = list(_tried(setup, sight, mapping, loud))
            findings = [*_without_what_was_tried(findings, mapping, steps), *steps]
    yield from findings


def _without_what_was_tried(
    findings: list[Finding], mapping: Mapping, steps: list[Finding]
) -> Iterator[Finding]:
    """The findings without those about the workflow that were not known before a trial that went well.

    Where it went wrong, they are left, and do not advise the trial that was just made.
    """
    from syncd.preflight.checks.finding import Level
    from syncd.preflight.checks.sight import place

    known = all(step.level is Level.OK for step in steps)
    for one in findings:
        of_workflow = one.code in ("J08", "J09", "J10") and one.where == place(mapping)
        if not (of_workflow and one.level is Level.UNKNOWN):
            yield one
        elif not known:
            yield one.model_copy(update={"hint": "the trial ticket says where it ended (T01)"})


def _tried(setup: Setup, sight: Sight, mapping: Mapping, loud: bool) -> Iterator[Finding]:
    """The steps of one trial ticket, each said when it is done."""
    from threading import Event

    from syncd.preflight.checks.configured import sample_inline
    from syncd.preflight.checks.finding import guarded
    from syncd.preflight.checks.sight import place
    from syncd.preflight.checks.trial import trial_ticket

    clock, never = command_clock(), Event()
    inline = sample_inline(mapping, setup.configuration.templates)
    steps = guarded(
        "T01",
        place(mapping),
        lambda: trial_ticket(sight, mapping, inline, lambda seconds: clock.sleep(seconds, never)),
    )
    out = console()
    for step in steps:
        if loud:
            plain(out, f"{step.where}: {step.message}")
        yield step


def _page(setup: Setup, findings: list[Finding]) -> None:
    from syncd.domain.text import terminal
    from syncd.preflight.checks.for_admin import page_for_admin

    account = setup.configuration.settings.jira_email or "the owner of our access token"
    page = page_for_admin(setup.configuration.mappings, account, findings)
    click.echo("\n".join(terminal(line) for line in page.splitlines()))


def _exit_code(findings: list[Finding]) -> int:
    from syncd.commands.shared import exit_codes
    from syncd.preflight.checks.finding import Level

    refused = list(dict.fromkeys(one.where.split(",")[0] for one in findings if one.credentials))
    if refused:
        exit_codes.say(*(f"{service} refuses our credentials" for service in refused))
        return exit_codes.REFUSED
    silent = [one.where for one in findings if one.code in ACCOUNTS and one.level is Level.UNKNOWN]
    if silent:
        exit_codes.say(*(f"{service} cannot be reached" for service in silent))
        return exit_codes.UNREACHABLE
    return 1 if any(one.level is Level.WRONG for one in findings) else 0


def _show(findings: list[Finding]) -> None:
    """What is wrong first, then what is not known, then what is fine but worth knowing."""
    from syncd.domain.text import terminal
    from syncd.preflight.checks.finding import Level

    out = console()
    order = (Level.WRONG, Level.UNKNOWN, Level.OK)
    shown = [one for one in findings if one.level is not Level.OK or one.hint]
    for one in sorted(shown, key=lambda one: order.index(one.level)):
        hint = f"{one.hint} " if one.hint else ""
        click.echo(f"{one.level:<8} {one.code:<5} {terminal(f'{one.where}: {one.message}')}")
        click.echo(f"{'':<15}{terminal(f'{hint}({one.who})')}")
    count = {level: sum(one.level is level for one in findings) for level in Level}
    out.print(f"{count[Level.OK]} ok, {count[Level.WRONG]} wrong, {count[Level.UNKNOWN]} unknown")
    if not count[Level.WRONG]:
        out.print("Next: syncd plan shows what the first cycle would do, syncd run starts the daemon.")
