"""`syncd check`: ask both services for everything that the mappings need, and try the ledger."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from syncd.commands.shared.how_to_start import next_step
from syncd.commands.shared.output import console, emit_json, json_option, plain
from syncd.commands.shared.owner import become_owner
from syncd.commands.shared.setup import Setup, command_clock, ledger_for_reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from syncd.domain.mapping.bindings import Bindings
    from syncd.domain.mapping.mapping import Mapping
    from syncd.preflight.checks.finding import Finding
    from syncd.preflight.checks.sight import Sight

ACCOUNTS = ("PD01", "J01")
"""The codes of the findings about our accounts: does the service answer, and does it accept our token?"""


@click.command(help="Check that PagerDuty and Jira have everything that the mappings need.")
@click.option("--offline", is_flag=True, help="Check settings, mappings and templates only; ask no service.")
@click.option(
    "--probe",
    is_flag=True,
    help="Also create a trial ticket (label syncd-probe) in each project, move it through every mapped status"
    " and leave it closed; post one trial message to each chat channel; and send a note to no incident, which"
    " shows if the PagerDuty key may write.",
)
@click.option("--yes", is_flag=True, help="Create the trial tickets without asking first.")
@click.option("--for-admin", is_flag=True, help="Print a page of Markdown for the Jira admin.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, offline: bool, probe: bool, yes: bool, for_admin: bool, as_json: bool
) -> None:
    """Exit 0 if nothing is wrong, 69 if a service is unreachable, 77 if it refuses our token, else 1."""
    if offline and probe:
        raise click.UsageError("--probe creates tickets, --offline asks no service: leave one out")
    if for_admin and (as_json or probe):
        raise click.UsageError("--for-admin prints a page only: leave out --json and --probe")
    from syncd.config.load import load_offline
    from syncd.preflight.checks.configured import configured

    # without accounts: `--offline` must work before anybody has a token
    if offline and not for_admin:
        become_owner(to_work=False)
        _tell([*configured(load_offline())], as_json)
    from syncd.preflight.checks.ledger import ledger

    setup = Setup.load(ctx)
    setup.start_log(quiet=True)
    if probe:
        _may_probe(setup, yes)
    findings = [*configured(setup.configuration)]
    if not offline:
        settings = setup.configuration.settings
        findings += [*ledger(settings.ledger_url, settings.state_dir)]
        findings += _asked(setup, probe, loud=not as_json)
    if for_admin:
        _page(setup, findings)
        sys.exit(_exit_code([finding for finding in findings if finding.code in ACCOUNTS]))
    _tell(findings, as_json)


def _tell(findings: list[Finding], as_json: bool) -> NoReturn:
    """Print the findings, and exit."""
    if as_json:
        hidden = {"credentials", "away"}
        emit_json({"findings": [finding.model_dump(mode="json", exclude=hidden) for finding in findings]})
    else:
        _show(findings)
    sys.exit(_exit_code(findings))


def _may_probe(setup: Setup, yes: bool) -> None:
    from syncd.preflight.checks.chats import to_try

    if setup.configuration.settings.dry_run:
        raise click.UsageError("SYNCD_DRY_RUN forbids all writes: unset it to use --probe")
    if not yes:
        projects = ", ".join(_trials(setup))
        warning = f"This creates a ticket labelled syncd-probe in {projects}. Jira may notify people there."
        channels = ", ".join(to_try(setup.configuration.mappings, setup.configuration.settings))
        if channels:
            warning += f" It also posts a trial message to the channel {channels}."
        click.confirm(f"{warning} Continue?", abort=True, err=True)


def _trials(setup: Setup) -> dict[str, Mapping]:
    """Return the mappings to try by project and team: one of those with the same `jira` section."""
    mappings: dict[str, Mapping] = {}
    tried: list[object] = []
    for mapping in setup.configuration.mappings:
        jira = mapping.jira
        if jira not in tried:
            tried.append(jira)
            mappings[f"{jira.project} ({mapping.team})"] = mapping
    return mappings


def _asked(setup: Setup, probe: bool, loud: bool) -> Iterator[Finding]:
    from syncd.daemon import chat_client
    from syncd.preflight.checks.chats import to_try, trial_post
    from syncd.preflight.checks.finding import guarded
    from syncd.preflight.checks.pagerduty import key_may_write
    from syncd.preflight.checks.run import check_all
    from syncd.preflight.checks.sight import Sight

    configuration = setup.configuration
    services, transport = setup.services()
    accounts, services_on_record, former = _on_record(mapping.team for mapping in configuration.mappings)
    sight = Sight(
        services,
        configuration.mappings,
        sender=configuration.settings.pagerduty_from,
        now=command_clock().now(),
        skew=transport.skew,
        on_record=accounts,
        former=configuration.settings.former_accounts,
        known=services_on_record,
        routing_key=key.get_secret_value() if (key := configuration.settings.alarm_routing_key) else None,
    )
    findings = [*former, *check_all(sight)]
    if probe and all(finding.level == "ok" for finding in findings if finding.code == "PD01"):
        findings += guarded("PD04", "SYNCD_PAGERDUTY_TOKEN", lambda: key_may_write(sight))
    # no trial where Jira did not answer: the ticket would not be made either
    if probe and not any(
        finding.code == "J01" and (finding.away or finding.credentials) for finding in findings
    ):
        for mapping in _trials(setup).values():
            steps = list(_tried(setup, sight, mapping, loud))
            findings = [*_without_what_was_tried(findings, mapping, steps), *steps]
    client = chat_client(configuration.settings, transport) if probe else None
    if client is not None:
        for channel, mapping in to_try(configuration.mappings, configuration.settings).items():
            findings += trial_post(client, channel, mapping)
    yield from findings


def _on_record(teams: Iterable[str]) -> tuple[dict[str, str], Bindings, list[Finding]]:
    """Return what the ledger knows: our accounts in Jira, the mapped services, teams without a mapping.

    Return nothing without a ledger. `teams` are those with a mapping.
    """
    from syncd.engine.observe.accounts import accounts_on_record
    from syncd.ledger.errors import LedgerError
    from syncd.ledger.store.key_values import service_bindings
    from syncd.preflight.checks.ledger import former

    try:
        with ledger_for_reading(tell_moved=False) as ledger:
            gone = [*former(ledger, {*teams})]
            return accounts_on_record(ledger), service_bindings(ledger), gone
    except LedgerError:
        # another finding says what is wrong with it
        return {}, {}, []


def _without_what_was_tried(
    findings: list[Finding], mapping: Mapping, steps: list[Finding]
) -> Iterator[Finding]:
    """Return the findings without those that the trial answered.

    A trial that went well proves the workflow, so unknown findings about it go. After a failed trial they
    stay, and their hint no longer advises the trial that was just made.
    """
    from syncd.preflight.checks.finding import Level
    from syncd.preflight.checks.sight import place

    went_well = all(step.level is Level.OK for step in steps)
    for finding in findings:
        of_workflow = finding.code in ("J08", "J09", "J10") and finding.where == place(mapping)
        if not (of_workflow and finding.level is Level.UNKNOWN):
            yield finding
        elif not went_well:
            yield finding.model_copy(update={"hint": "see the trial ticket's findings (T01)"})


def _tried(setup: Setup, sight: Sight, mapping: Mapping, loud: bool) -> Iterator[Finding]:
    """Yield the steps of one trial ticket; print each when it is done (`loud`)."""
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

    refused = list(dict.fromkeys(finding.where.split(",")[0] for finding in findings if finding.credentials))
    if refused:
        exit_codes.say(*(f"{service} refuses our credentials" for service in refused))
        return exit_codes.REFUSED
    unreachable = [
        finding.where for finding in findings if finding.code in ACCOUNTS and finding.level is Level.UNKNOWN
    ]
    if unreachable:
        exit_codes.say(*(f"{service} cannot be reached" for service in unreachable))
        return exit_codes.UNREACHABLE
    return 1 if any(finding.level is Level.WRONG for finding in findings) else 0


def _show(findings: list[Finding]) -> None:
    """Print the findings: wrong ones first, then unknown ones, then good ones that have a hint."""
    from syncd.domain.text import terminal
    from syncd.preflight.checks.finding import Level

    out = console()
    order = (Level.WRONG, Level.UNKNOWN, Level.OK)
    # an ok finding without a hint needs nobody's attention, so only its number is printed
    shown = [finding for finding in findings if finding.level is not Level.OK or finding.hint]
    for finding in sorted(shown, key=lambda finding: order.index(finding.level)):
        hint = f"{finding.hint} " if finding.hint else ""
        click.echo(f"{finding.level:<8} {finding.code:<5} {terminal(f'{finding.where}: {finding.message}')}")
        click.echo(f"{'':<15}{terminal(f'{hint}({finding.who})')}")
    count = {level: sum(finding.level is level for finding in findings) for level in Level}
    out.print(f"{count[Level.OK]} ok, {count[Level.WRONG]} wrong, {count[Level.UNKNOWN]} unknown")
    if not count[Level.WRONG]:
        out.print(f"Next: syncd plan shows what the next cycle would do; {next_step()}.")
