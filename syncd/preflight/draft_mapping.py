"""What a first mapping says, read from both services: a team's services, and what a project calls things.

Where the defaults fit, nothing is said. Where they do not, something is assumed from the kinds of things
(a status of category done is closed), and each assumption is told, for a person to read before the daemon
runs.

Of the fields that a create screen demands and nothing else fills, one that takes the names of the severities
gets those, a list its first choice, a text the incident's title. What cannot be guessed (a person, a date, a
number) is named as open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from syncd.config.mapping.starter import Choice, FirstField, FirstSeverity
from syncd.config.problems import did_you_mean
from syncd.domain.base import Value
from syncd.domain.field import FieldFacts
from syncd.domain.incident import PagerDutyService
from syncd.domain.mapping.jira_section import STATUS_WORDS, IssueTypes, Statuses
from syncd.domain.mapping.services import default_severities
from syncd.domain.project import IssueTypeFacts, ProjectFacts
from syncd.domain.ticket import Status
from syncd.engine.jira_knowledge.postmortem_setup import first_named

if TYPE_CHECKING:
    from syncd.remote.jira.client import JiraClient
    from syncd.remote.pagerduty.client import PagerDutyClient

_OVER = ("review", "resolv", "verif", "prüf", "revis", "résol")
"""Parts of names of statuses in which the work is done and something is still owed."""


class TeamServices(Value):
    """The names of a team's services, what was passed over and why, and the teams that there are."""

    names: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


def services_of(pagerduty: PagerDutyClient, team: str, given: Sequence[str]) -> TeamServices:
    """The services of the PagerDuty team of that name, or those that are given, as PagerDuty spells them."""
    there = pagerduty.services()
    if given:
        return _given(there, given)
    teams = pagerduty.teams()
    found = {one.id for one in teams if one.name.casefold() == team.casefold()}
    its = [one for one in there if found.intersection(one.teams)]
    off = [one.name for one in its if one.disabled]
    return TeamServices(
        names=tuple(one.name for one in its if not one.disabled),
        remarks=(f"left out, because they are disabled: {', '.join(off)}",) if off else (),
        teams=tuple(one.name for one in teams),
    )


def _given(there: Sequence[PagerDutyService], given: Sequence[str]) -> TeamServices:
    by_name = {one.name.casefold(): one.name for one in there} | {
        one.id.casefold(): one.name for one in there
    }
    names, remarks = [], []
    for word in dict.fromkeys(given):
        names.append(by_name.get(word.casefold(), word))
        if word.casefold() not in by_name:
            near = did_you_mean(word, (one.name for one in there))
            said = f"PagerDuty shows our token no service {word}"
            remarks.append(f"{said}; {near}" if near else said)
    return TeamServices(names=tuple(dict.fromkeys(names)), remarks=tuple(remarks))


def choose(
    services: Sequence[str],
    facts: ProjectFacts | None,
    screen: Iterable[FieldFacts],
    priorities: Sequence[str],
) -> Choice:
    """What a mapping of these services has to say.

    Without `facts` nothing is known of the project; `screen` is the create screen of its incident type,
    `priorities` are PagerDuty's, in its order.
    """
    if facts is None:
        return Choice(severities=_severities(priorities, ()), assumed=_told(priorities, ()))
    kind = incident_type(facts)
    shown = tuple(screen)
    fields = {one.id for one in shown}
    offered = tuple(one.name for one in facts.priorities) if "priority" in fields else ()
    components = {one.name.casefold(): one.name for one in facts.components if "components" in fields}
    statuses, assumed = _statuses(kind)
    wanted = IssueTypes().incident
    own_type = kind is not None and first_named(wanted, [kind]) is None
    if kind is not None and own_type:
        assumed.insert(0, f"tickets are of type {kind.name}: {facts.key} has none of {', '.join(wanted)}")
    severities = _severities(priorities, offered)
    names = [one.name for one in severities] or list(default_severities())
    filled, guessed, open_ = demanded_fields(shown, names)
    own = {n: components[n.casefold()] for n in services if n.casefold() in components}
    lent = _lent_components(services, own, facts, shown)
    assumed += [
        f"component of {name} is {part}: the create screen demands one" for name, part in lent.items()
    ]
    return Choice(
        issue_type=kind.name if kind is not None and own_type else None,
        statuses=statuses,
        severities=severities,
        components=own | lent,
        fields=filled,
        assumed=(*assumed, *guessed, *_told(priorities, offered)),
        open=open_,
    )


def _lent_components(
    services: Sequence[str], own: dict[str, str], facts: ProjectFacts, screen: Sequence[FieldFacts]
) -> dict[str, str]:
    """The project's first component for services without one of their name, where a ticket needs one."""
    demanded = any(one.id == "components" and one.demanded for one in screen)
    if not demanded or not facts.components:
        return {}
    return {name: facts.components[0].name for name in services if name not in own}


def incident_type(facts: ProjectFacts) -> IssueTypeFacts | None:
    """The type that the defaults take, else the first that is neither a sub-task nor an epic."""
    kinds = [one for one in facts.types if not one.subtask]
    found = first_named(IssueTypes().incident, kinds)
    if found is not None:
        return found
    plain = [one for one in kinds if first_named(["Epic"], [one]) is None]
    return next(iter(plain or kinds), None)


def _statuses(kind: IssueTypeFacts | None) -> tuple[dict[str, str], list[str]]:
    """A status for each word where the defaults do not name one, and what was assumed."""
    have = kind.statuses if kind is not None else ()
    chosen: dict[str, Status] = {}
    for word in STATUS_WORDS:
        found = first_named(Statuses().names(word), have)
        if found is not None:
            chosen[word] = found
    if not have or len(chosen) == len(STATUS_WORDS):
        return {}, []
    assumed = []
    for word in STATUS_WORDS:
        if word not in chosen:
            chosen[word] = _by_kind(word, have, chosen)
            assumed.append(f"{word} is {chosen[word].name}, by its category in Jira and its name")
    return {word: chosen[word].name for word in STATUS_WORDS}, assumed


def _by_kind(word: str, have: Sequence[Status], chosen: dict[str, Status]) -> Status:
    under_way = [one for one in have if one.category == "indeterminate"]
    if word == "triggered":
        return next((one for one in have if one.category == "new"), have[0])
    if word == "acknowledged":
        plain = [one for one in under_way if not _is_over(one)]
        return next(iter(plain or under_way), chosen["triggered"])
    if word == "resolved":
        return next((one for one in under_way if _is_over(one)), chosen["acknowledged"])
    return next((one for one in have if one.category == "done"), have[-1])


def _is_over(status: Status) -> bool:
    return any(part in status.name.casefold() for part in _OVER)


def _fits(names: Sequence[str], wanted: Iterable[str]) -> bool:
    known = {one.casefold() for one in wanted}
    return all(name.casefold() in known for name in names)


def _severities(priorities: Sequence[str], offered: Sequence[str]) -> tuple[FirstSeverity, ...]:
    """Two severities by PagerDuty's priorities and by position in Jira's; none where the defaults fit."""
    defaults = default_severities()
    said = [name for one in defaults.values() for name in one.pagerduty]
    own = [name for one in defaults.values() for name in one.priority]
    if _fits(priorities, said) and (not offered or _fits(own, offered)):
        return ()
    names = priorities if not _fits(priorities, said) else said
    grave = len(names) - len(names) * 2 // 5
    places = (min(1, len(offered) - 1), max(0, len(offered) - 2)) if offered else (0, 0)
    parts = (tuple(names[:grave]), tuple(names[grave:]))
    found = []
    for (name, section), part, at in zip(defaults.items(), parts, places, strict=True):
        default = next((one for one in offered if _fits([one], section.priority)), None)
        priority = default or (offered[at] if offered else None)
        urgency = section.urgency or "high"
        found.append(FirstSeverity(name=name, urgency=urgency, pagerduty=part, priority=priority))
    return tuple(found)


def _told(priorities: Sequence[str], offered: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f"{one.name} is {', '.join(one.pagerduty) or 'no priority'} in PagerDuty, urgency {one.urgency}"
        f" and {one.priority or 'no priority'} in Jira"
        for one in _severities(priorities, offered)
    )


def read_project(jira: JiraClient, key: str) -> tuple[ProjectFacts, tuple[FieldFacts, ...]]:
    """The project and the create screen of its incident type; raises `RemoteError`."""
    facts = jira.project(key)
    kind = incident_type(facts)
    return facts, jira.create_fields(facts.key, kind.id) if kind is not None else ()


OURS = frozenset(
    {"project", "issuetype", "summary", "description", "labels", "reporter", "priority", "components"}
)
"""What every ticket has anyway, or gets from its service and severity."""
_CHOSEN = ("option", "version", "resolution", "array:option", "array:version", "array:string")
_TITLE = "{{ incident.title }}"


def demanded_fields(
    screen: Iterable[FieldFacts], severities: Sequence[str]
) -> tuple[tuple[FirstField, ...], tuple[str, ...], tuple[str, ...]]:
    """The fields to fill, what was assumed of them, and what is left open with what to do."""
    fields = list(screen)
    names = [one.name for one in fields]
    found, assumed, open_ = [], [], []
    for field in fields:
        if not field.demanded or field.id in OURS:
            continue
        filled = _filled(field, severities)
        if filled is None:
            key = "people.fallback" if field.id == "assignee" else f"jira.fields.{field.name or field.id}"
            open_.append(
                f"the create screen demands {field.name or field.id}, and only you can say it: {key}"
            )
            continue
        # a name that two fields share means neither
        key = field.name if field.name and names.count(field.name) == 1 else field.id
        found.append(filled.model_copy(update={"name": key}))
        assumed.append(f"{field.name or field.id}, which the create screen demands, is {_filling(filled)}")
    return tuple(found), tuple(assumed), tuple(open_)


def _filled(field: FieldFacts, severities: Sequence[str]) -> FirstField | None:
    offered = {one.name for one in field.allowed}
    if field.type in ("option", "string") and severities and offered.issuperset(severities):
        return FirstField(name=field.id, severity=True)
    if field.allowed:
        return FirstField(name=field.id, value=field.allowed[0].name) if field.type in _CHOSEN else None
    return FirstField(name=field.id, template=_TITLE) if field.type == "string" else None


def _filling(field: FirstField) -> str:
    if field.severity:
        return "the severity"
    return f"always {field.value}" if field.value is not None else "the incident's title"
