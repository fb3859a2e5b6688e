"""What the checks look at: both services, each thing read once however many checks ask for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from syncd.domain.base import Reference
from syncd.domain.directory import EscalationPolicy, Schedule
from syncd.domain.field import FieldFacts
from syncd.domain.incident import PagerDutyService, Responder
from syncd.domain.mapping.mapping import Mapping, claim_of
from syncd.domain.project import ProjectFacts, ResolvedProject
from syncd.domain.ticket import Account
from syncd.engine.context import Services
from syncd.engine.jira_knowledge.resolve_names import postmortem_screen, resolve

if TYPE_CHECKING:
    from syncd.remote.jira.client import JiraClient
    from syncd.remote.pagerduty.client import PagerDutyClient

Skew = Callable[[str], float | None]
"""Seconds by which a service's clock is ahead of ours, None where it has not answered yet."""


class Sight:
    """Both services as our accounts see them; every property may raise `RemoteError`."""

    def __init__(
        self,
        service_clients: Services,
        mappings: tuple[Mapping, ...],
        *,
        sender: str | None,
        now: datetime,
        skew: Skew = lambda _service: None,
    ) -> None:
        self.service_clients = service_clients
        self.mappings = mappings
        self.sender = sender
        self.now = now
        self.skew = skew
        self._facts: dict[str, ProjectFacts] = {}
        self._screens: dict[tuple[str, str], tuple[FieldFacts, ...]] = {}
        self._resolved: dict[str, ResolvedProject] = {}
        self._levels: dict[str, tuple[Reference, ...]] = {}
        self._rights: dict[str, dict[str, bool | None]] = {}
        self._assignable: dict[tuple[str, str], tuple[Account, ...]] = {}

    @property
    def pagerduty(self) -> PagerDutyClient:
        """PagerDuty."""
        return self.service_clients.pagerduty

    @property
    def jira(self) -> JiraClient:
        """Jira."""
        return self.service_clients.jira

    @cached_property
    def services(self) -> tuple[PagerDutyService, ...]:
        """All services that our token sees."""
        return self.pagerduty.services()

    @cached_property
    def policies(self) -> dict[str, EscalationPolicy]:
        """Escalation policies by id."""
        return {one.id: one for one in self.pagerduty.escalation_policies()}

    @cached_property
    def schedules(self) -> dict[str, Schedule]:
        """Schedules by id."""
        return {one.id: one for one in self.pagerduty.schedules()}

    @cached_property
    def users(self) -> dict[str, Responder]:
        """Users by id."""
        return {one.id: one for one in self.pagerduty.users()}

    @cached_property
    def resolutions(self) -> tuple[Reference, ...]:
        """The site's resolutions."""
        return self.jira.resolutions()

    def mapped(self, mapping: Mapping) -> tuple[PagerDutyService, ...]:
        """The services there are that a mapping claims."""
        return tuple(one for one in self.services if self.claimant(one) is mapping)

    def claimant(self, service: PagerDutyService) -> Mapping | None:
        """The mapping that claims a service, None where none does."""
        claim = claim_of(self.mappings, Reference(id=service.id, name=service.name))
        return claim[0] if claim else None

    def facts(self, key: str) -> ProjectFacts:
        """A project as Jira describes it."""
        if key not in self._facts:
            self._facts[key] = self.jira.project(key)
        return self._facts[key]

    def screen(self, key: str, type_id: str) -> tuple[FieldFacts, ...]:
        """The create screen of a type."""
        if (key, type_id) not in self._screens:
            self._screens[key, type_id] = self.jira.create_fields(key, type_id)
        return self._screens[key, type_id]

    def resolved(self, mapping: Mapping) -> ResolvedProject:
        """The mapping's project in ids; raises `MappingMismatch`, too."""
        if mapping.team not in self._resolved:
            facts = self.facts(mapping.jira.project)
            bare = resolve(mapping, facts, (), ())
            screen = self.screen(facts.key, bare.incident_type.id)
            postmortem_fields = postmortem_screen(self.jira, mapping, facts, screen)
            self._resolved[mapping.team] = resolve(
                mapping, facts, screen, self.resolutions, postmortem_screen=postmortem_fields
            )
        return self._resolved[mapping.team]

    def levels(self, key: str) -> tuple[Reference, ...]:
        """The security levels that our account may set in a project."""
        if key not in self._levels:
            self._levels[key] = self.jira.security_levels(key)
        return self._levels[key]

    def rights(self, key: str, names: tuple[str, ...]) -> dict[str, bool | None]:
        """Which of the rights our account has in a project; None: the answer does not say."""
        known = self._rights.setdefault(key, {})
        wanted = [name for name in names if name not in known]
        if wanted:
            known.update(self.jira.rights(key, wanted))
        return {name: known[name] for name in names}

    def assignable(self, email: str, key: str) -> tuple[Account, ...]:
        """Who can be assigned in a project and matches an address."""
        if (email, key) not in self._assignable:
            self._assignable[email, key] = self.jira.assignable(email, key)
        return self._assignable[email, key]


def place(mapping: Mapping) -> str:
    """Where a finding about a team's project stands."""
    return f"{mapping.team}, project {mapping.jira.project}"
