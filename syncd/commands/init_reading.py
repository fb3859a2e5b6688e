"""What `syncd init` reads before it writes: as much of both services as there are credentials for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from syncd.commands.shared.setup import command_clock

if TYPE_CHECKING:
    from syncd.config.mapping.starter import Choice
    from syncd.config.settings.settings import Settings
    from syncd.domain.field import FieldFacts
    from syncd.domain.project import ProjectFacts
    from syncd.remote.http.transport import Transport
    from syncd.remote.jira.client import JiraClient
    from syncd.remote.pagerduty.client import PagerDutyClient

USUAL_PROJECT = "OPS"


@dataclass(frozen=True)
class Read:
    """What a first mapping is made of, and what people should know of how it was found."""

    project: str
    services: tuple[str, ...]
    choice: Choice
    remarks: tuple[str, ...]


def read(team: str, services: tuple[str, ...], project: str | None, offline: bool) -> Read:
    """Read what can be read; raises `RemoteError`, or a usage error where a person has to say more."""
    from syncd.config.settings.access import load_settings
    from syncd.preflight.draft_mapping import choose
    from syncd.remote.http.transport import Transport

    settings = None if offline else load_settings()
    transport = Transport(command_clock(), ca_file=settings.trusted if settings else None)
    pagerduty = _pagerduty(settings, transport)
    names, remarks = services, list[str]()
    priorities: tuple[str, ...] = ()
    if pagerduty is not None:
        names, remarks = _services(pagerduty, team, services)
        priorities = tuple(one.name for one in pagerduty.priorities())
    if not names:
        raise click.UsageError(
            f"say which PagerDuty services are {team}'s: --service NAME, once for each;"
            " or set SYNCD_PAGERDUTY_TOKEN, and PagerDuty is asked"
        )
    jira = _jira(settings, transport)
    key, facts = project or USUAL_PROJECT, None
    screen: tuple[FieldFacts, ...] = ()
    if jira is not None:
        key, facts, screen, said = _project(jira, project)
        remarks += said
    return Read(key, names, choose(names, facts, screen, priorities), tuple(remarks))


def _pagerduty(settings: Settings | None, transport: Transport) -> PagerDutyClient | None:
    from syncd.remote.pagerduty.client import pagerduty_client

    if settings is None or settings.pagerduty_token is None:
        return None
    token = settings.pagerduty_token.get_secret_value()
    return pagerduty_client(settings.pagerduty_url, token, settings.pagerduty_from, transport)


def _jira(settings: Settings | None, transport: Transport) -> JiraClient | None:
    from syncd.remote.jira.client import jira_client

    if settings is None or settings.jira_url is None or settings.jira_token is None:
        return None
    token = settings.jira_token.get_secret_value()
    return jira_client(settings.jira_url, token, transport, email=settings.jira_email)


def _services(
    pagerduty: PagerDutyClient, team: str, given: tuple[str, ...]
) -> tuple[tuple[str, ...], list[str]]:
    from syncd.preflight.draft_mapping import services_of

    found = services_of(pagerduty, team, given)
    if not found.names:
        teams = f" (it has {', '.join(found.teams)})" if found.teams else ""
        raise click.UsageError(
            f"PagerDuty shows our token no services of a team {team}{teams}:"
            " say which are meant with --service NAME, once for each"
        )
    said = [*found.remarks]
    if not given:
        said.insert(0, f"services: the {len(found.names)} of PagerDuty's team {team}")
    return found.names, said


def _project(
    jira: JiraClient, given: str | None
) -> tuple[str, ProjectFacts | None, tuple[FieldFacts, ...], list[str]]:
    """The project's key and what it has; a key that somebody gave is kept even where nothing is there."""
    from syncd.preflight.draft_mapping import read_project
    from syncd.remote.errors import NotDone

    key = given or USUAL_PROJECT
    try:
        return key, *read_project(jira, key), []
    except NotDone as error:
        if not error.not_for_us:
            raise
    seen = [one.id for one in jira.projects()]
    there = f"it sees {', '.join(seen[:20])}" if seen else "it sees none at all"
    if given:
        return key, None, (), [f"our account sees no project {key}: {there}"]
    if len(seen) == 1:
        return seen[0], *read_project(jira, seen[0]), [f"assumed: project {seen[0]}, the only one we see"]
    raise click.UsageError(f"our account sees no project {key} ({there}): say which with --project KEY")
