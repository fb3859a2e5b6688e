"""Both services as the checks see them; each object is read once, however many checks need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from syncd.domain.base import Reference
from syncd.domain.directory import EscalationPolicy, Schedule
from syncd.domain.incident import PagerDutyService, Responder
from syncd.domain.mapping.bindings import Bindings, bind, bound
from syncd.domain.mapping.mapping import Mapping, claim_of
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Account
from syncd.engine.context import Services
from syncd.engine.jira_knowledge.project_cache import RESOLUTIONS
from syncd.engine.jira_knowledge.resolve_names import postmortem_screen, resolve
from syncd.engine.observe.accounts import pick_former, user_meant
from syncd.remote.errors import NotDone
from syncd.remote.jira.read import LINK_TYPES, PRIORITIES

Skew = Callable[[str], float | None]
"""Seconds by which a service's clock is ahead of ours, None where it has not answered yet."""


class Sight:
    """Both services as our accounts see them. Each property and method may raise `RemoteError`."""

    def __init__(
        self,
        clients: Services,
        mappings: tuple[Mapping, ...],
        *,
        sender: str | None,
        now: datetime,
        skew: Skew,
        on_record: dict[str, str] | None = None,
        former: Sequence[str] = (),
        known: Bindings | None = None,
        routing_key: str | None = None,
    ) -> None:
        """Look with the clients; `known` are the services of the mappings as the ledger has them."""
        pagerduty, jira = clients.pagerduty, clients.jira
        self.pagerduty, self.jira = pagerduty, jira
        self.mappings = mappings
        self.sender = sender
        self.now = now
        self.skew = skew
        self.on_record = on_record or {}
        """The names of our accounts in Jira that the ledger saw, by account id."""
        self.former = former
        """Our former accounts in Jira, as the settings name them."""
        self.routing_key = routing_key
        """The key of the PagerDuty service that hears of alarms, None without one."""
        self._known = known or {}
        self._resolved: dict[str, ResolvedProject] = {}
        self._rights: dict[str, dict[str, bool | None]] = {}
        self.refused_lists: dict[str, str] = {}
        """The lists of the site that Jira refuses, with its words: syncd goes on without them."""
        self.facts = cache(lambda key: jira.project(key, self._list))
        """The facts of a project, by its key."""
        self.screen = cache(lambda key, type_id: jira.create_fields(key, type_id))
        """The create screen of an issue type in a project."""
        self.levels = cache(lambda key: jira.security_levels(key))
        """The security levels that our account may set in a project."""
        self.user = cache(lambda words: user_meant(jira, words))
        """The active user whom an address, an account or a name means."""
        self.shifts = cache(lambda schedule, ahead: pagerduty.shifts(schedule, now, now + ahead))
        """Who is on a schedule (its id) from now until so much later."""
        self.assignable = cache(lambda email, key: jira.assignable(email, key))
        """The accounts that match an address and can be assigned in a project."""

    @cached_property
    def former_accounts(self) -> dict[str, Account | None]:
        """The accounts that the settings name as our former ones, None where Jira names no single one."""
        return {entry: pick_former(entry, self.jira.accounts_named(entry)) for entry in self.former}

    @cached_property
    def ours(self) -> frozenset[str]:
        """The ids of our present and former accounts in Jira, as far as ledger and settings know them."""
        former = {account.id if account else entry for entry, account in self.former_accounts.items()}
        return frozenset({self.jira.myself().id, *self.on_record, *former})

    @cached_property
    def services(self) -> tuple[PagerDutyService, ...]:
        """All services that our token sees."""
        return self.pagerduty.services()

    @cached_property
    def policies(self) -> dict[str, EscalationPolicy]:
        """Escalation policies by id."""
        return {policy.id: policy for policy in self.pagerduty.escalation_policies()}

    @cached_property
    def schedules(self) -> dict[str, Schedule]:
        """Schedules by id."""
        return {schedule.id: schedule for schedule in self.pagerduty.schedules()}

    @cached_property
    def users(self) -> dict[str, Responder]:
        """Users by id."""
        return {user.id: user for user in self.pagerduty.users()}

    @cached_property
    def resolutions(self) -> tuple[Reference, ...]:
        """The site's resolutions."""
        resolutions: tuple[Reference, ...] = self._list(RESOLUTIONS, self.jira.resolutions)
        return resolutions

    def _list(self, name: str, ask: Callable[[], Any]) -> Any:
        """Return an answer; empty for a list of the site that Jira refuses in its own words."""
        try:
            return ask()
        except NotDone as error:
            if name not in (PRIORITIES, LINK_TYPES, RESOLUTIONS) or not error.of_one_object:
                raise
            self.refused_lists[name] = error.describe()
            return ()

    @cached_property
    def bindings(self) -> Bindings:
        """The services for which the sections of the mappings stand, by the section's name."""
        return bind(self.mappings, self.services, self._known, self.now)

    def mapped(self, mapping: Mapping) -> tuple[PagerDutyService, ...]:
        """Return the existing services that a mapping claims."""
        claimants = ((service, self.claimant(service)) for service in self.services)
        return tuple(service for service, claimant in claimants if claimant and claimant.team == mapping.team)

    def claimant(self, service: PagerDutyService) -> Mapping | None:
        """Return the mapping that claims a service; None if no mapping does."""
        claim = claim_of(self._bound, Reference(id=service.id, name=service.name))
        return claim[0] if claim else None

    @cached_property
    def _bound(self) -> tuple[Mapping, ...]:
        return bound(self.mappings, self.bindings)

    def resolved(self, mapping: Mapping) -> ResolvedProject:
        """Return the mapping's project with the ids of its names; raise also `MappingMismatch`."""
        if mapping.team not in self._resolved:
            facts = self.facts(mapping.jira.project)
            # two passes: the create screen needs the id of the issue type, which the first pass resolves
            bare = resolve(mapping, facts, (), ())
            screen = self.screen(facts.key, bare.incident_type.id)
            postmortem_fields = postmortem_screen(self.screen, mapping, facts, screen)
            self._resolved[mapping.team] = resolve(
                mapping, facts, screen, self.resolutions, postmortem_screen=postmortem_fields
            )
        return self._resolved[mapping.team]

    def rights(self, key: str, names: tuple[str, ...]) -> dict[str, bool | None]:
        """Return which rights our account has in a project; None if Jira does not say."""
        rights_by_name = self._rights.setdefault(key, {})
        missing = [name for name in names if name not in rights_by_name]
        if missing:
            rights_by_name.update(self.jira.rights(key, missing))
        return {name: rights_by_name[name] for name in names}


def place(mapping: Mapping) -> str:
    """Return the `where` of a finding about a team's project."""
    return f"{mapping.team}, project {mapping.jira.project}"
