"""What an account can be asked about before the daemon runs: each finding ok, wrong or unknown.

Unknown is what our accounts may not see; it says who could tell. A check never writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial

from syncd.domain.base import Value
from syncd.domain.incident import PagerDutyService
from syncd.domain.mapping import Mapping
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Account
from syncd.engine.desk import Clients
from syncd.engine.jira_facts import MappingDoesNotFit, resolve
from syncd.remote.errors import Cause, RemoteError
from syncd.remote.ports import Jira

NEEDED_PERMISSIONS = (
    "BROWSE_PROJECTS",
    "CREATE_ISSUES",
    "EDIT_ISSUES",
    "TRANSITION_ISSUES",
    "ASSIGN_ISSUES",
    "ADD_COMMENTS",
)


class Level(StrEnum):
    """How a finding came out."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Finding(Value):
    """One thing that was looked at."""

    code: str
    level: Level
    where: str
    message: str
    hint: str = ""
    credentials: bool = False


def _ok(code: str, where: str, message: str) -> Finding:
    return Finding(code=code, level=Level.OK, where=where, message=message)


def _wrong(code: str, where: str, message: str, hint: str = "") -> Finding:
    return Finding(code=code, level=Level.WRONG, where=where, message=message, hint=hint)


def _guarded(code: str, where: str, ask: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a check finds, or why it could not be asked."""
    try:
        yield from ask()
    except RemoteError as error:
        refused = error.cause is Cause.CREDENTIALS
        known = refused or error.cause is Cause.MISSING
        hint = {
            Cause.CREDENTIALS: "renew the token, and check the address that belongs to it",
            Cause.FORBIDDEN: "ask whoever administers it for the right to see this",
            Cause.MISSING: "check its spelling, and that our account may see it",
        }.get(error.cause, "try again when it answers")
        yield Finding(
            code=code,
            level=Level.WRONG if known else Level.UNKNOWN,
            where=where,
            message=error.describe(),
            hint=hint,
            credentials=refused,
        )
    except MappingDoesNotFit as error:
        for problem in error.problems:
            yield _wrong(code, where, problem, "change the mapping, or ask the Jira admin")


def check_all(clients: Clients, mappings: tuple[Mapping, ...], from_address: str | None) -> Iterator[Finding]:
    """Ask both services about everything that the mappings name."""
    yield from _guarded("PD01", "PagerDuty", lambda: _pagerduty_account(clients, from_address))
    yield from _guarded("PD02", "PagerDuty", lambda: _services(clients, mappings))
    yield from _guarded("PD03", "PagerDuty", lambda: _priorities(clients, mappings))
    yield from _guarded("J01", "Jira", lambda: _jira_account(clients.jira))
    for mapping in mappings:
        where = f"{mapping.team}, project {mapping.jira.project}"
        yield from _guarded("J02", where, partial(_project, clients.jira, mapping))
        yield from _guarded("J03", where, partial(_permissions, clients.jira, mapping))
        yield from _guarded("J04", where, partial(_people, clients.jira, mapping))


def _pagerduty_account(clients: Clients, from_address: str | None) -> Iterator[Finding]:
    yield _ok("PD01", "PagerDuty", f"account {clients.pagerduty.identity()} answers")
    if from_address is None:
        hint = "set it to the address of a user there"
        yield _wrong("PD04", "SYNCD_PAGERDUTY_FROM", "is not set, and notes need it", hint)
        return
    user = clients.pagerduty.find_user(from_address)
    if user is None:
        said = f"no user has the address {from_address}"
        yield _wrong("PD04", "SYNCD_PAGERDUTY_FROM", said, "take a valid user's address")
    else:
        yield _ok("PD04", "SYNCD_PAGERDUTY_FROM", f"notes are written as {user.name}")


def _services(clients: Clients, mappings: tuple[Mapping, ...]) -> Iterator[Finding]:
    there = clients.pagerduty.services()
    for mapping in mappings:
        for name, section in mapping.services.items():
            found = _find(there, name, section.id)
            where = f"{mapping.team}, services.{name}"
            if found is None:
                yield _wrong("PD02", where, "PagerDuty has no such service", "check its name, or give its id")
            else:
                yield _ok("PD02", where, f"is {found.name} ({found.id})")
    for service in there:
        if not any(mapping.service(service.id, service.name) for mapping in mappings):
            yield _wrong(
                "PD05",
                f"service {service.name} ({service.id})",
                "is in no mapping: its incidents get no ticket",
                "add it to a team's services, or leave it if that is meant",
            )


def _find(there: tuple[PagerDutyService, ...], name: str, ident: str | None) -> PagerDutyService | None:
    return next((one for one in there if one.id == ident or (ident is None and one.name == name)), None)


def _priorities(clients: Clients, mappings: tuple[Mapping, ...]) -> Iterator[Finding]:
    there = {one.name.casefold() for one in clients.pagerduty.priorities()}
    for mapping in mappings:
        for name, section in mapping.severities.items():
            missing = [word for word in section.pagerduty if word.casefold() not in there]
            where = f"{mapping.team}, severities.{name}"
            if missing:
                said = f"PagerDuty has no priority {', '.join(missing)}"
                yield _wrong("PD03", where, said, "without it, severity is assumed from the urgency")
            else:
                yield _ok("PD03", where, "its priorities exist")


def _jira_account(jira: Jira) -> Iterator[Finding]:
    server = jira.server()
    site = f"{server.base_url} ({server.edition} {server.version})"
    yield _ok("J01", "Jira", f"{site} knows us as {jira.myself().name}")


def _resolved(jira: Jira, mapping: Mapping) -> ResolvedProject:
    facts = jira.project(mapping.jira.project)
    bare = resolve(mapping, facts, (), ())
    return resolve(mapping, facts, jira.create_fields(facts.key, bare.incident_type.id), jira.resolutions())


def _project(jira: Jira, mapping: Mapping) -> Iterator[Finding]:
    where = f"{mapping.team}, project {mapping.jira.project}"
    project = _resolved(jira, mapping)
    yield _ok("J02", where, f"tickets are of type {project.incident_type.name}")
    for word, status in project.statuses.items():
        yield _ok("J05", where, f"{word} is {status.name}")
    for name in project.lacking:
        hint = "tickets go without it, or with a label instead"
        yield _wrong("J06", where, f"the project lacks: {name}", hint)
    filled = {"project", "issuetype", "summary", "description", "labels", "reporter"}
    filled |= {project.fields[name].id for name in mapping.jira.fields if name in project.fields}
    filled |= {"priority"} if project.priorities else set()
    filled |= {"components"} if project.components else set()
    for field in {one.id: one for one in project.fields.values()}.values():
        if field.required and not field.has_default and field.id not in filled:
            yield _wrong(
                "J07",
                where,
                f"the create screen requires {field.name} ({field.id}), and nothing fills it",
                "add it to jira.fields of the mapping",
            )


def _permissions(jira: Jira, mapping: Mapping) -> Iterator[Finding]:
    where = f"{mapping.team}, project {mapping.jira.project}"
    have = jira.permissions(mapping.jira.project, NEEDED_PERMISSIONS)
    for name in NEEDED_PERMISSIONS:
        if have.get(name):
            yield _ok("J03", where, f"our account has {name}")
        else:
            yield _wrong("J03", where, f"our account lacks {name}", "ask the Jira admin for it")


def _people(jira: Jira, mapping: Mapping) -> Iterator[Finding]:
    for email in _addresses(mapping):
        where = f"{mapping.team}, {email}"
        found = [one for one in jira.assignable(email, mapping.jira.project) if one.active and one.human]
        exact: list[Account] = [one for one in found if (one.email or "").casefold() == email.casefold()]
        if len(exact) == 1 or (not exact and len(found) == 1 and not found[0].email):
            yield _ok("J04", where, f"is {(exact or found)[0].name}")
        elif found:
            said = f"{len(found)} people match, none for certain"
            yield _wrong("J04", where, said, "give one address a person")
        else:
            yield Finding(
                code="J04",
                level=Level.UNKNOWN,
                where=where,
                message="nobody assignable matches",
                hint="the address is wrong or hidden, or our account may not browse users: ask the admin",
            )


def _addresses(mapping: Mapping) -> list[str]:
    owners = [section.owner for section in mapping.services.values() if section.owner]
    fallback = [mapping.people.fallback] if mapping.people.fallback else []
    return list(dict.fromkeys([*fallback, *owners]))
