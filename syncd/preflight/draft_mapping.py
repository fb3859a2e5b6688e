"""Draft a first mapping from both services: a team's services, and the names that a Jira project uses.

The severities are PagerDuty's priorities. If the other defaults fit the project, the mapping does not repeat
them. If they do not fit, syncd assumes something (a status of category done is closed) and tells each
assumption, so that a person can check it before the daemon runs.

A field that the create screen requires and that nothing else fills gets a value: the severity if it offers
the severities' names, the first option of a list, the incident's title for a text. A person, a date or a
number cannot be guessed; syncd lists such a field as open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from pydantic import Field

from syncd.config.mapping.starter import Choice, FirstField, FirstSeverity, first_severities
from syncd.config.problems import did_you_mean
from syncd.domain.base import Value
from syncd.domain.field import FieldFacts
from syncd.domain.incident import PagerDutyService
from syncd.domain.mapping.jira_section import STATUS_WORDS, IssueTypes, Statuses
from syncd.domain.project import IssueTypeFacts, ProjectFacts
from syncd.domain.ticket import Status
from syncd.engine.jira_knowledge.postmortem_setup import first_named
from syncd.engine.jira_knowledge.resolve_names import on_screen
from syncd.policy.ticket.field_values import how_to_fill

if TYPE_CHECKING:
    from syncd.remote.jira.client import JiraClient
    from syncd.remote.pagerduty.client import PagerDutyClient

_OVER = ("review", "resolv", "verif", "prüf", "revis", "résol")
"""Parts of status names (English, German, French) that mean "resolved, but not closed"."""


class TeamServices(Value):
    """A team's services: their names, their escalation policies by name, and remarks about those left out.

    `teams` are the teams of the account.
    """

    names: tuple[str, ...] = ()
    policies: dict[str, str] = Field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


def services_of(pagerduty: PagerDutyClient, team: str, given: Sequence[str]) -> TeamServices:
    """Return the services of a PagerDuty team, or the given ones, as PagerDuty spells them."""
    existing = pagerduty.services()
    if given:
        return _given(existing, given)
    teams = pagerduty.teams()
    team_ids = {thing.id for thing in teams if thing.name.casefold() == team.casefold()}
    team_services = [thing for thing in existing if team_ids.intersection(thing.teams)]
    off = [thing.name for thing in team_services if thing.disabled]
    return TeamServices(
        names=tuple(thing.name for thing in team_services if not thing.disabled),
        policies=_policies(team_services),
        remarks=(f"left out, because they are disabled: {', '.join(off)}",) if off else (),
        teams=tuple(thing.name for thing in teams),
    )


def _given(existing: Sequence[PagerDutyService], given: Sequence[str]) -> TeamServices:
    by_name = {service.name.casefold(): service.name for service in existing} | {
        service.id.casefold(): service.name for service in existing
    }
    names, remarks = [], []
    for word in dict.fromkeys(given):
        names.append(by_name.get(word.casefold(), word))
        if word.casefold() not in by_name:
            near = did_you_mean(word, (service.name for service in existing))
            remark = f"PagerDuty shows our token no service {word}"
            remarks.append(f"{remark}; {near}" if near else remark)
    return TeamServices(
        names=tuple(dict.fromkeys(names)), policies=_policies(existing), remarks=tuple(remarks)
    )


def _policies(services: Iterable[PagerDutyService]) -> dict[str, str]:
    return {service.name: service.policy for service in services if service.policy}


class CalledPeople(Value):
    """Whom PagerDuty calls for services: the address of a person and the name of a schedule by service."""

    owners: dict[str, str] = Field(default_factory=dict)
    commanders: dict[str, str] = Field(default_factory=dict)

    def assumed(self) -> tuple[str, ...]:
        """Return what syncd assumes of these people, in words."""
        schedules = "; ".join(_by_value(self.commanders))
        owners = "; ".join(_by_value(self.owners))
        return (
            *([f"commander is the escalation policy's first schedule: {schedules}"] if schedules else ()),
            *([f"owner is the escalation policy's first person: {owners}"] if owners else ()),
        )


def _by_value(values: dict[str, str]) -> Iterator[str]:
    for value in dict.fromkeys(values.values()):
        names = [name for name, other in values.items() if other == value]
        yield f"{value} ({', '.join(names)})"


def called_for(
    pagerduty: PagerDutyClient, services: TeamServices, assignable: Callable[[str], bool]
) -> CalledPeople:
    """Return whom the escalation policies call first; `assignable` tells if Jira can assign an address."""
    policies = {policy.id: policy for policy in pagerduty.escalation_policies()}
    schedules = {schedule.id: schedule.name for schedule in pagerduty.schedules()}
    addresses = {user.id: user.email for user in pagerduty.users()}
    known = cache(assignable)
    owners, commanders = {}, {}
    for name in services.names:
        policy = policies.get(services.policies.get(name, ""))
        if policy is None:
            continue
        called = (address for user in policy.users if (address := addresses.get(user)))
        owner = next((address for address in called if known(address)), None)
        schedule = next((schedules[ident] for ident in policy.schedules if ident in schedules), None)
        if owner is not None:
            owners[name] = owner
        if schedule is not None:
            commanders[name] = schedule
    return CalledPeople(owners=owners, commanders=commanders)


def choose(
    services: Sequence[str],
    facts: ProjectFacts | None,
    screen: Iterable[FieldFacts],
    priorities: Sequence[str] | None,
) -> Choice:
    """Return the choices of a mapping of these services.

    `facts` are None if syncd could not read the project. `screen` is the create screen of its incident type.
    `priorities` are PagerDuty's, in its order, None if syncd did not ask.
    """
    found, asked = priorities or (), priorities is not None
    if facts is None:
        severities = first_severities(found, (), asked=asked)
        return Choice(severities=severities, assumed=_told(severities))
    kind = incident_type(facts)
    shown = tuple(screen)
    # the site may have priorities and components that this project's create screen does not take
    facts = on_screen(facts, {field.id: field for field in shown})
    offered = tuple(priority.name for priority in facts.priorities) if shown else ()
    components = {part.name.casefold(): part.name for part in facts.components} if shown else {}
    statuses, assumed = _statuses(kind)
    names_of_type = IssueTypes().incident
    own_type = kind is not None and first_named(names_of_type, [kind]) is None
    if kind is not None and own_type:
        assumed.insert(
            0, f"tickets are of type {kind.name}: {facts.key} has none of {', '.join(names_of_type)}"
        )
    severities = first_severities(found, offered, asked=asked)
    names = [severity.name for severity in severities]
    filled, guessed, open_ = demanded_fields(shown, names)
    own = {name: components[name.casefold()] for name in services if name.casefold() in components}
    lent = _lent_components(services, own, facts, shown)
    assumed += [
        f"component of {name} is {part}: the create screen requires one" for name, part in lent.items()
    ]
    return Choice(
        issue_type=kind.name if kind is not None and own_type else None,
        statuses=statuses,
        severities=severities,
        components=own | lent,
        fields=filled,
        assumed=(*assumed, *guessed, *_told(severities)),
        open=open_,
    )


def _lent_components(
    services: Sequence[str], own: dict[str, str], facts: ProjectFacts, screen: Sequence[FieldFacts]
) -> dict[str, str]:
    """Return the project's first component for services without their own, if a ticket must have one."""
    demanded = any(field.id == "components" and field.demanded for field in screen)
    if not demanded or not facts.components:
        return {}
    return {name: facts.components[0].name for name in services if name not in own}


def incident_type(facts: ProjectFacts) -> IssueTypeFacts | None:
    """Return the type that the defaults name, else the first that is neither a sub-task nor an epic."""
    kinds = [kind for kind in facts.types if not kind.subtask]
    usual = first_named(IssueTypes().incident, kinds)
    if usual is not None:
        return usual
    plain = [kind for kind in kinds if first_named(["Epic"], [kind]) is None]
    return next(iter(plain or kinds), None)


def _statuses(kind: IssueTypeFacts | None) -> tuple[dict[str, str], list[str]]:
    """Return a status for each word and what was assumed; both empty if the defaults name them all."""
    have = kind.statuses if kind is not None else ()
    chosen: dict[str, Status] = {}
    for word in STATUS_WORDS:
        status = first_named(Statuses().names(word), have)
        if status is not None:
            chosen[word] = status
    if not have or len(chosen) == len(STATUS_WORDS):
        return {}, []
    assumed = []
    for word in STATUS_WORDS:
        if word not in chosen:
            chosen[word] = _by_kind(word, have, chosen)
            assumed.append(f"{word} is {chosen[word].name}, by its category in Jira and its name")
    return {word: chosen[word].name for word in STATUS_WORDS}, assumed


def _by_kind(word: str, have: Sequence[Status], chosen: dict[str, Status]) -> Status:
    under_way = [status for status in have if status.category == "indeterminate"]
    if word == "triggered":
        return next((status for status in have if status.category == "new"), have[0])
    if word == "acknowledged":
        plain = [status for status in under_way if not _is_over(status)]
        return next(iter(plain or under_way), chosen["triggered"])
    if word == "resolved":
        return next((status for status in under_way if _is_over(status)), chosen["acknowledged"])
    return next((status for status in have if status.category == "done"), have[-1])


def _is_over(status: Status) -> bool:
    return any(part in status.name.casefold() for part in _OVER)


def _told(severities: Iterable[FirstSeverity]) -> tuple[str, ...]:
    return tuple(
        f"{severity.name} is {', '.join(severity.pagerduty) or 'no priority'} in PagerDuty"
        f"{f', urgency {severity.urgency}' if severity.urgency else ''}"
        f" and {severity.priority or 'no priority'} in Jira"
        for severity in severities
    )


def read_project(jira: JiraClient, key: str) -> tuple[ProjectFacts, tuple[FieldFacts, ...]]:
    """Return the project and the create screen of its incident type; raise `RemoteError`."""
    facts = jira.project(key)
    kind = incident_type(facts)
    return facts, jira.create_fields(facts.key, kind.id) if kind is not None else ()


OURS = frozenset(
    {"project", "issuetype", "summary", "description", "labels", "reporter", "priority", "components"}
)
"""Fields that every ticket has anyway, or gets from its service and severity."""
_CHOSEN = ("option", "version", "resolution", "array:option", "array:version", "array:string")
_TITLE = "{{ incident.title }}"


def demanded_fields(
    screen: Iterable[FieldFacts], severities: Sequence[str]
) -> tuple[tuple[FirstField, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the fields to fill, what syncd assumed about them, and the open ones with the key to write."""
    fields = list(screen)
    names = [field.name for field in fields]
    filled_fields, assumed, open_ = [], [], []
    for field in fields:
        if not field.demanded or field.id in OURS:
            continue
        filled = _filled(field, severities)
        if filled is None:
            what = f"the create screen requires {field.name or field.id}, and only you know its value"
            open_.append(f"{what}: {how_to_fill([field], fields)}")
            continue
        # two fields of the same name can be told apart by id only
        key = field.name if field.name and names.count(field.name) == 1 else field.id
        filled_fields.append(filled.model_copy(update={"name": key}))
        assumed.append(f"{field.name or field.id}, which the create screen requires, is {_filling(filled)}")
    return tuple(filled_fields), tuple(assumed), tuple(open_)


def _filled(field: FieldFacts, severities: Sequence[str]) -> FirstField | None:
    offered = {option.name for option in field.allowed}
    if field.type in ("option", "string") and severities and offered.issuperset(severities):
        return FirstField(name=field.id, severity=True)
    if field.allowed:
        return FirstField(name=field.id, value=field.allowed[0].name) if field.type in _CHOSEN else None
    return FirstField(name=field.id, template=_TITLE) if field.type == "string" else None


def _filling(field: FirstField) -> str:
    if field.severity:
        return "the severity"
    return f"always {field.value}" if field.value is not None else "the incident's title"
