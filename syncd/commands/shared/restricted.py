"""`--restricted`: titles of restricted incidents, which the ledger does not hold, asked of PagerDuty now."""

from __future__ import annotations

from typing import Any

import click

from syncd.commands.shared.setup import Setup

restricted_option = click.option(
    "--restricted",
    is_flag=True,
    help="Ask PagerDuty for the titles of restricted incidents; else they read `Security incident #123`.",
)


def put_titles(ctx: click.Context, incidents: list[dict[str, Any]]) -> None:
    """Put the titles of those that are restricted into what a command is about to show.

    Needs the settings that the daemon has; raises `ConfigError` and `RemoteError`.
    """
    wanted = [one for one in incidents if one["restricted"]]
    if not wanted:
        return
    from syncd.config.masks import mask

    setup = Setup.load(ctx)
    setup.start_log(quiet=True)
    patterns = {one.team: one.redact.patterns for one in setup.configuration.mappings}
    client = setup.services()[0].pagerduty
    for one in wanted:
        incident = client.incident(one["id"])
        if incident is not None:
            one["title"] = mask(incident.title, patterns.get(one["team"], {}))
