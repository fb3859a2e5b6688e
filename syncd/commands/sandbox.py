"""`syncd sandbox`: serve the embedded PagerDuty and Jira on loopback until the operator stops it."""

from __future__ import annotations

import signal
from threading import Event

import click

from syncd.commands.shared.setup import command_clock


@click.command(help="Serve the embedded PagerDuty and Jira on loopback.")
@click.option("--seed", type=int, default=0, help="The seed of all random choices.")
def command(seed: int) -> None:
    """Print the settings that a daemon needs, then serve until Ctrl-C or SIGTERM."""
    from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY, default_world
    from syncd.sandbox.clock import SandboxClock
    from syncd.sandbox.server import SandboxServer

    world = default_world(SandboxClock(command_clock().now), seed)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with SandboxServer(world) as server:
        settings = {
            "SYNCD_PAGERDUTY_URL": server.url("pagerduty"),
            "SYNCD_PAGERDUTY_TOKEN": PAGERDUTY_KEY,
            "SYNCD_PAGERDUTY_FROM": BOT_EMAIL,
            "SYNCD_JIRA_URL": server.url("jira"),
            "SYNCD_JIRA_EMAIL": BOT_EMAIL,
            "SYNCD_JIRA_TOKEN": JIRA_KEY,
        }
        for name, value in settings.items():
            click.echo(f"export {name}={value}")
        _say_how(server.url("control"))
        stop.wait()


def _say_how(control: str) -> None:
    """Print the next steps on standard error, so that standard output can be saved as a `.env` file."""
    lines = (
        "",
        "Set these in another terminal (or: syncd sandbox > .env), then:",
        "  syncd init mappings --example qrpay && export SYNCD_MAPPINGS_DIR=mappings",
        "  syncd check      exits 1 on purpose: as on real accounts, not everything fits; finding J04 names",
        "                   an owner whose Jira account is closed",
        "  syncd run",
        "Trigger an incident:",
        """  curl -d '{"service": "Alipay Integration", "title": "Callbacks time out"}' \\""",
        f"    {control}/_sandbox/acts/pagerduty/trigger",
        f"  curl {control}/_sandbox   lists the other actions",
        "Ctrl-C stops the sandbox; it keeps nothing.",
    )
    for line in lines:
        click.echo(line, err=True)
