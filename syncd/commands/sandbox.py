"""`syncd sandbox`: serve the embedded PagerDuty, Jira and chat on loopback until the operator stops it."""

from __future__ import annotations

import signal
from threading import Event

import click

from syncd.commands.shared.setup import command_clock


@click.command(help="Serve the embedded PagerDuty, Jira and chat on loopback.")
@click.option("--seed", type=int, default=0, help="The seed of all random choices.")
def command(seed: int) -> None:
    """Print the settings that a daemon needs, then serve until Ctrl-C or SIGTERM."""
    from syncd.sandbox.cast import default_world
    from syncd.sandbox.clock import SandboxClock
    from syncd.sandbox.server import SandboxServer

    world = default_world(SandboxClock(command_clock().now), seed)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with SandboxServer(world) as server:
        settings = server.environment(chat=True)
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
        "Let a person resolve it (`by` is a name, an address or an id, `incident` an id or a number):",
        """  curl -d '{"incident": 1, "by": "Amara Osei"}' \\""",
        f"    {control}/_sandbox/acts/pagerduty/resolve",
        "  With a past time as `at`, only the slow poll or syncd resync sees it, not the next poll.",
        "Break something: Jira refuses the next ticket, so syncd parks the operation (see: syncd outbox):",
        """  curl -d '{"way": "error", "status": 400, "service": "jira","""
        """ "method": "POST", "path": "/issue$", "times": 1}' \\""",
        f"    {control}/_sandbox/faults",
        f"  curl {control}/_sandbox/state/chat   shows what was posted to #status-qrpay",
        "Ctrl-C stops the sandbox; it keeps nothing.",
    )
    for line in lines:
        click.echo(line, err=True)
