"""`syncd relocate`: record that Jira or PagerDuty has another address, after a proof that it is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from syncd.commands.shared.setup import command_clock, owners_settings

if TYPE_CHECKING:
    from syncd.config.settings.settings import Settings
    from syncd.domain.clock import Clock
    from syncd.engine.jobs.relocation import Relocation
    from syncd.ledger.open import Ledger


@click.command(
    help="Record that Jira has another address (or PagerDuty another subdomain), so that the ledger stays in"
    " use. NEW_URL is Jira's new base URL, or https://NAME.pagerduty.com. The daemon must not run. syncd"
    " compares its newest tickets (incidents) with those at the new address, and changes nothing there."
)
@click.argument("new_url", metavar="NEW_URL")
def command(new_url: str) -> None:
    """Compare and record; exit 75 while a daemon is running, 1 if it is another Jira or PagerDuty."""
    from syncd.config.settings.values import is_pagerduty, jira_address, web_address
    from syncd.daemon import open_ledger

    settings, clock = owners_settings(makes_ledger=True), command_clock()
    try:
        url = web_address(new_url) if is_pagerduty(new_url) else jira_address(new_url)
    except ValueError as error:
        raise click.UsageError(f"NEW_URL is {error}") from None
    ledger = open_ledger(settings, "syncd relocate", clock)
    try:
        _relocate(settings, clock, ledger, url)
    finally:
        ledger.close()


def _relocate(settings: Settings, clock: Clock, ledger: Ledger, url: str) -> None:
    from syncd.commands.shared.owner import typist
    from syncd.ledger.requests.relocation import relocate

    done = _compare(settings, clock, ledger, url)
    if not done.proofs:
        click.echo(f"Nothing to do: the ledger belongs to {done.address} already.")
        return
    ids = [proof.id for proof in done.proofs]
    relocate(ledger, clock.now(), done.service, done.address, ids, typist().name)
    for proof in done.proofs:
        click.echo(f"{proof.name} {proof.words}.")
    click.echo(f"The ledger belongs to {done.address} now (before: {done.before}).")
    if done.service == "jira":
        click.echo(f"Set SYNCD_JIRA_URL={url} and start the daemon.")


def _compare(settings: Settings, clock: Clock, ledger: Ledger, url: str) -> Relocation:
    from syncd.config.problems import ConfigError
    from syncd.config.settings.access import missing_accounts
    from syncd.config.settings.values import is_pagerduty
    from syncd.engine.jobs.relocation import jira_at, pagerduty_at
    from syncd.remote.http.transport import Transport
    from syncd.remote.jira.client import jira_client
    from syncd.remote.pagerduty.client import pagerduty_client

    host = urlsplit(url).hostname or ""
    named = "pagerduty" if is_pagerduty(url) else "jira"
    moved = settings.model_copy(update={"jira_url": url}) if named == "jira" else settings
    # the other service's settings are not needed
    problems = [problem for problem in missing_accounts(moved) if named.upper() in problem.key]
    token = settings.pagerduty_token if named == "pagerduty" else settings.jira_token
    if problems or token is None:
        raise ConfigError(problems)
    transport, secret = Transport(clock, ca_file=settings.trusted), token.get_secret_value()
    if named == "jira":
        return jira_at(ledger, jira_client(url, secret, transport, email=settings.jira_email))
    client = pagerduty_client(settings.pagerduty_url, secret, settings.pagerduty_from, transport)
    done = pagerduty_at(ledger, client)
    if done.address != host.split(".")[0]:
        raise click.ClickException(
            f"the token of SYNCD_PAGERDUTY_TOKEN belongs to {done.address}.pagerduty.com, not to {host}"
        )
    return done
