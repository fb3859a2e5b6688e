"""Read PagerDuty and Jira for `syncd init`, as far as there are credentials for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from syncd.commands.shared.setup import command_clock
from syncd.domain.text import counted

if TYPE_CHECKING:
    from syncd.config.mapping.starter import Choice
    from syncd.config.settings.settings import Settings
    from syncd.domain.field import FieldFacts
    from syncd.domain.project import ProjectFacts
    from syncd.preflight.draft_mapping import TeamServices
    from syncd.remote.http.transport import Transport
    from syncd.remote.jira.client import JiraClient
    from syncd.remote.pagerduty.client import PagerDutyClient

USUAL_PROJECT = "OPS"


@dataclass(frozen=True)
class Read:
    """The parts of a first mapping, and remarks on how syncd chose them."""

    project: str
    services: tuple[str, ...]
    choice: Choice
    remarks: tuple[str, ...]


def read(team: str, services: tuple[str, ...], project: str | None, offline: bool) -> Read:
    """Return what both services tell; raise `RemoteError`, or a usage error if an option is missing."""
    from syncd.config.problems import ConfigError
    from syncd.config.settings.access import jira_problems, load_settings
    from syncd.preflight.draft_mapping import TeamServices, choose
    from syncd.remote.http.transport import Transport

    settings = None if offline else load_settings()
    if settings is not None and (problems := jira_problems(settings)):
        raise ConfigError(problems)
    transport = Transport(command_clock(), ca_file=settings.trusted if settings else None)
    pagerduty = _pagerduty(settings, transport)
    chosen, remarks = TeamServices(names=services), list[str]()
    priorities: tuple[str, ...] | None = None
    if pagerduty is not None:
        chosen, remarks = _services(pagerduty, team, services)
        priorities = tuple(priority.name for priority in pagerduty.priorities())
    if not chosen.names:
        raise click.UsageError(
            f"give the PagerDuty services of team {team} with --service NAME, once for each;"
            " or set SYNCD_PAGERDUTY_TOKEN, so that syncd can ask PagerDuty"
        )
    jira = _jira(settings, transport)
    key, facts = project or USUAL_PROJECT, None
    screen: tuple[FieldFacts, ...] = ()
    if jira is not None:
        key, facts, screen, notes = _project(jira, project)
        remarks += notes
    choice = choose(chosen.names, facts, screen, priorities)
    if pagerduty is not None:
        choice, notes = _with_people(choice, pagerduty, chosen, jira if facts is not None else None, key)
        remarks += notes
    return Read(key, chosen.names, choice, tuple(remarks))


def _with_people(
    choice: Choice, pagerduty: PagerDutyClient, services: TeamServices, jira: JiraClient | None, project: str
) -> tuple[Choice, list[str]]:
    """Return the choice with the services' owners and commanders, and a remark where PagerDuty refuses."""
    from syncd.engine.observe.accounts import pick
    from syncd.preflight.draft_mapping import called_for
    from syncd.remote.errors import Cause, NotDone

    def assignable(address: str) -> bool:
        # without Jira only a person knows if it has an account for the address
        return jira is not None and pick(address, jira.assignable(address, project))[0] is not None

    try:
        people = called_for(pagerduty, services, assignable)
    except NotDone as error:
        if error.cause is Cause.CREDENTIALS:
            raise
        return choice, [f"no owners and commanders: {error.describe()}"]
    update = {
        "owners": people.owners,
        "commanders": people.commanders,
        "assumed": (*choice.assumed, *people.assumed()),
    }
    return choice.model_copy(update=update), []


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
) -> tuple[TeamServices, list[str]]:
    from syncd.preflight.draft_mapping import services_of

    team_services = services_of(pagerduty, team, given)
    if not team_services.names:
        teams = f" (it has {', '.join(team_services.teams)})" if team_services.teams else ""
        raise click.UsageError(
            f"PagerDuty shows our token no services of a team {team}{teams}:"
            " give them with --service NAME, once for each"
        )
    remarks = [*team_services.remarks]
    if not given:
        number = counted(len(team_services.names), "service")
        remarks.insert(0, f"services: {number} of PagerDuty's team {team}")
    return team_services, remarks


def _project(
    jira: JiraClient, given: str | None
) -> tuple[str, ProjectFacts | None, tuple[FieldFacts, ...], list[str]]:
    """Return the project's key, its facts, its create screen and remarks.

    A key that the operator gave stays even if our account cannot see that project.
    """
    from syncd.preflight.draft_mapping import read_project
    from syncd.remote.errors import NotDone

    key = given or USUAL_PROJECT
    try:
        return key, *read_project(jira, key), []
    except NotDone as error:
        # Jira answers the same for a missing project and for one that our account may not see
        if not error.not_for_us:
            raise
    seen = [project.id for project in jira.projects()]
    others = f"it sees {', '.join(seen[:20])}" if seen else "it sees no project at all"
    if given:
        return key, None, (), [f"our account sees no project {key}: {others}"]
    if len(seen) == 1:
        return (
            seen[0],
            *read_project(jira, seen[0]),
            [f"assumed: project {seen[0]}, the only one our account sees"],
        )
    raise click.UsageError(f"our account sees no project {key} ({others}): name it with --project KEY")
