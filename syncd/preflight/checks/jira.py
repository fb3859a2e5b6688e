"""What is asked of Jira: the account, the project with its type and statuses, its fields, its levels."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.domain.base import Reference
from syncd.domain.field import FieldFacts
from syncd.domain.mapping.jira_section import FieldValue
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.project import ResolvedProject
from syncd.engine.jira_knowledge.postmortem_setup import first_named
from syncd.policy.two_way.ticket_to_incident import STATE_KEYS, several_states
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight, place
from syncd.remote.errors import NotDone

NO_LINKS = "tickets of merged incidents are not linked"
NO_ITEMS = "linked issues are no action items"
NO_CLOSING = "a transition that demands a resolution is not taken"


def account(sight: Sight) -> Iterator[Finding]:
    """Whether the token is taken."""
    server = sight.jira.server()
    site = f"{server.base_url} ({server.edition} {server.version})"
    yield ok("J01", "Jira", f"{site} knows us as {sight.jira.myself().name}")


def project(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Whether the project, the issue type and a status for each word are there, and what it lacks."""
    where = place(mapping)
    found = sight.resolved(mapping)
    yield ok("J02", where, f"tickets are of type {found.incident_type.name}")
    yield from _statuses(where, found, mapping)
    required = {name for name, spec in mapping.jira.fields.items() if spec.required}
    for name in found.lacking:
        if name.startswith("field ") and name.removeprefix("field ") in required:
            said = f"the create screen has no {name}, and the mapping requires it: no ticket is made"
            yield wrong("J06", where, said, "put it on the screen, or drop `required`", JIRA_ADMIN)
        else:
            hint = "tickets go without it, or with a label instead"
            yield ok("J06", where, f"the project lacks: {name}", hint, JIRA_ADMIN)


def _statuses(where: str, found: ResolvedProject, mapping: Mapping) -> Iterator[Finding]:
    """Which status each word has; one for two states is wrong where moves are to travel to PagerDuty."""
    words: dict[str, list[str]] = {}
    for word, status in found.statuses.items():
        words.setdefault(status.id, []).append(word)
    names = {status.id: status.name for status in found.statuses.values()}
    travelling = [key for key in STATE_KEYS if getattr(mapping.two_way, key)]
    for ident, shared in words.items():
        said = f"{names[ident]} stands for {' and '.join(shared)}"
        if len(shared) == 1:
            yield ok("J05", where, f"{shared[0]} is {names[ident]}")
        elif not several_states(shared):
            yield ok("J05", where, said)
        elif travelling:
            keys = ", ".join(f"two_way.{key}" for key in travelling)
            hint = f"give each a status of its own under `jira.statuses`, or switch {keys} off"
            yield wrong("J05", where, f"{said}, so no move on a ticket reaches PagerDuty ({keys})", hint)
        else:
            hint = "moves on tickets cannot travel to PagerDuty (`two_way`) while one stands for two states"
            yield ok("J05", where, said, hint, JIRA_ADMIN)


def create_screen(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Whether something fills each field that the create screen demands."""
    found, where = sight.resolved(mapping), place(mapping)
    filled = filled_fields(found, mapping)
    empty = [one for one in _screen(found) if one.demanded and one.id not in filled]
    for field in empty:
        said = f"the create screen requires {field.name} ({field.id}), and nothing certain fills it"
        hint = {
            "assignee": "name `people.fallback`",
            "priority": "give every severity a `priority`",
            "components": "give every service a `component` that the project has",
        }.get(field.id, f"add jira.fields.{field.name or field.id} to the mapping")
        yield wrong("J07", where, said, hint)
    if not empty:
        yield ok("J07", where, "everything that the create screen requires is filled")


def _screen(found: ResolvedProject) -> list[FieldFacts]:
    return list({one.id: one for one in found.fields.values()}.values())


def filled_fields(found: ResolvedProject, mapping: Mapping) -> set[str]:
    """The fields that every ticket of the mapping gives a value."""
    filled = {"project", "issuetype", "summary", "description", "labels", "reporter"}
    filled |= {found.fields[name].id for name in mapping.jira.fields if name in found.fields}
    if set(mapping.severities) == set(found.priorities):
        filled.add("priority")
    if all(one.component in found.components for one in mapping.services.values()):
        filled.add("components")
    if mapping.people.fallback:
        filled.add("assignee")
    return filled


def values(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Whether the fields take what the mapping gives them, each from one key alone."""
    found, where = sight.resolved(mapping), place(mapping)
    keys: dict[str, list[str]] = {}
    for name, spec in mapping.jira.fields.items():
        field = found.fields.get(name)
        if field is None:
            continue
        keys.setdefault(field.id, []).append(name)
        refused = _refused(spec, field, mapping)
        if refused:
            have = ", ".join(one.name for one in field.allowed)
            said = f"{field.name} does not take {', '.join(refused)} (it has {have})"
            yield wrong("J13", f"{where}, jira.fields.{name}", said, "add it in Jira, or write another value")
        else:
            yield ok("J13", f"{where}, jira.fields.{name}", f"fills {field.name}")
    for ident, names in keys.items():
        if len(names) > 1:
            said = f"{' and '.join(names)} are the same field ({ident})"
            yield wrong("J13", f"{where}, jira.fields", said, "remove one")


def _refused(spec: FieldValue, field: FieldFacts, mapping: Mapping) -> list[str]:
    """The values that are certain to come and that the field does not offer."""
    if not field.allowed:
        return []
    offered = {one.name.casefold() for one in field.allowed} | {one.id for one in field.allowed}
    given: list[object] = list(mapping.severities) if spec.severity else []
    if spec.value is not None:
        given = list(spec.value) if isinstance(spec.value, list) else [spec.value]
    return [one for one in given if isinstance(one, str) and one.casefold() not in offered]


def links(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Whether a link type and a resolution of the mapping's are there."""
    found, where = sight.resolved(mapping), place(mapping)
    types = found.link_types
    for what, key, wanted, have, without in (
        ("link types", "jira.link_types", mapping.jira.link_types, types, NO_LINKS),
        ("link types", "follow_ups.link_types", mapping.follow_ups.link_types, types, NO_ITEMS),
        ("resolutions", "jira.resolution", mapping.jira.resolution, found.resolutions, NO_CLOSING),
    ):
        chosen = first_named(wanted, have)
        if chosen is not None:
            yield ok("J12", where, f"{key} is {chosen.name}")
        elif wanted:
            said = f"Jira has none of the {what} {', '.join(wanted)} ({_named(have)})"
            yield ok("J12", where, said, f"name one under `{key}`; without it {without}")


def _named(have: tuple[Reference, ...]) -> str:
    return f"it has {', '.join(one.name for one in have)}" if have else "it has none that our account sees"


def levels(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Whether our account may put a restricted ticket under its level, or where it goes instead."""
    wanted, where = mapping.restricted.level, f"{place(mapping)}, restricted"
    if not wanted and not _restricts(mapping):
        return
    have = sight.levels(mapping.jira.project)
    chosen = first_named(wanted, have)
    instead = mapping.restricted.project
    if chosen is not None and sight.resolved(mapping).offers("security"):
        yield ok("J11", where, f"our account may set the level {chosen.name}")
    else:
        may = sight.rights(mapping.jira.project, ("SET_ISSUE_SECURITY",))["SET_ISSUE_SECURITY"]
        said = f"our account may not set {', '.join(wanted) or 'any level, and none is named'}: " + (
            f"restricted tickets go to {instead}" if instead else "a ticket says no more than its number"
        )
        hint = (
            "put our account into the level, give it Set Issue Security, and the field on the create screen"
        )
        judge = ok if instead else (unknown if may is None else wrong)
        yield judge("J11", where, said, hint, JIRA_ADMIN)
    if instead is not None:
        yield _restricted_project(sight, where, instead)


def _restricted_project(sight: Sight, where: str, key: str) -> Finding:
    may = sight.rights(key, ("CREATE_ISSUES",))["CREATE_ISSUES"] if _seen(sight, key) else False
    if may:
        return ok("J11", where, f"our account may make restricted tickets in {key}")
    said = f"our account may not make restricted tickets in {key}: they say no more than their number"
    judge = unknown if may is None else wrong
    return judge("J11", where, said, f"give it Browse Projects and Create Issues in {key}", JIRA_ADMIN)


def _seen(sight: Sight, key: str) -> bool:
    """Whether Jira shows a project to our account; raises `RemoteError` where it does not say."""
    try:
        sight.facts(key)
    except NotDone as error:
        if not error.not_for_us:
            raise
        return False
    return True


def _restricts(mapping: Mapping) -> bool:
    rules = mapping.restricted
    by_rule = rules.titles or rules.incident_types or rules.services or rules.project
    return bool(by_rule) or any(one.restricted for one in mapping.severities.values())
