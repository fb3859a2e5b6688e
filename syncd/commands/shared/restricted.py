"""`--restricted`: ask PagerDuty for the titles of restricted incidents, which the ledger does not hold."""

from __future__ import annotations

from typing import Any

import click

from syncd.commands.shared.setup import Setup

restricted_option = click.option(
    "--restricted",
    is_flag=True,
    help="Show the titles of restricted incidents, asked of PagerDuty now; else `Security incident #123`.",
)


def put_titles(ctx: click.Context, incidents: list[dict[str, Any]]) -> None:
    """Replace the titles of restricted incidents in a command's data by those that PagerDuty tells.

    The command needs the daemon's settings for this. Raise `ConfigError` and `RemoteError`.
    """
    restricted = [incident for incident in incidents if incident["restricted"]]
    if not restricted:
        return
    from syncd.config.masks import mask

    setup = Setup.load(ctx)
    setup.start_log(quiet=True)
    patterns = {incident.team: incident.redact.patterns for incident in setup.configuration.mappings}
    client = setup.services()[0].pagerduty
    for incident in restricted:
        answer = client.incident(incident["id"])
        if answer is not None:
            # the daemon masks titles before it shows them; this one comes straight from PagerDuty
            incident["title"] = mask(answer.title, patterns.get(incident["team"], {}))
