"""What is asked of PagerDuty: the account, the sender of notes, services, priorities, who is called."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.config.problems import did_you_mean
from syncd.domain.incident import PagerDutyService
from syncd.domain.mapping.mapping import Mapping
from syncd.preflight.checks.finding import PAGERDUTY_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight

MOST_NAMES = 20
"""Services of other teams that are named."""


def account(sight: Sight) -> Iterator[Finding]:
    """Whether the token is taken."""
    yield ok("PD01", "PagerDuty", f"account {sight.pagerduty.identity()} answers")


def sender(sight: Sight) -> Iterator[Finding]:
    """Whether notes can be written in somebody's name."""
    where, address = "SYNCD_PAGERDUTY_FROM", sight.sender
    if address is None:
        yield wrong("PD04", where, "is not set, and notes need it", "set it to the address of a user there")
        return
    user = sight.pagerduty.find_user(address)
    if user is None:
        said = f"PagerDuty shows our token no user of the address {address}"
        yield wrong("PD04", where, said, "take a valid user's address", PAGERDUTY_ADMIN)
    else:
        yield ok("PD04", where, f"notes are written as {user.name}")


def services(sight: Sight) -> Iterator[Finding]:
    """Whether each service of the mappings is there and switched on, and which are in no mapping."""
    there = sight.services
    for mapping in sight.mappings:
        for name, section in mapping.services.items():
            yield _claimed(there, f"{mapping.team}, services.{name}", name, section.id)
    yield from _unclaimed(sight)


def _claimed(there: tuple[PagerDutyService, ...], where: str, name: str, ident: str | None) -> Finding:
    found = next((one for one in there if one.id == ident or (ident is None and one.name == name)), None)
    if found is None:
        near = did_you_mean(name, (one.name for one in there))
        hint = near or "check its name, or give its id; a restricted token does not see every service"
        return wrong("PD02", where, "PagerDuty shows our token no such service", hint)
    if found.disabled:
        said = f"is {found.name} ({found.id}), which is disabled: it opens no incidents"
        return ok("PD02", where, said, "enable it in PagerDuty if that is not meant", PAGERDUTY_ADMIN)
    if ident is None and sum(one.name == name for one in there) > 1:
        return wrong("PD02", where, "several services have this name", "give the id of the one that is meant")
    return ok("PD02", where, f"is {found.name} ({found.id})")


def _unclaimed(sight: Sight) -> Iterator[Finding]:
    """A service of a team that has mapped ones was forgotten; of other teams only a person can tell."""
    teams = {team for mapping in sight.mappings for one in sight.mapped(mapping) for team in one.teams}
    others: list[PagerDutyService] = []
    hint = "add it to a team's services, or leave it if that is meant"
    for one in sight.services:
        if one.disabled or sight.claimant(one):
            continue
        if teams.intersection(one.teams):
            said = "is in no mapping: its incidents get no ticket"
            yield wrong("PD05", f"service {one.name} ({one.id})", said, hint)
        else:
            others.append(one)
    if others:
        names = ", ".join(one.name for one in others[:MOST_NAMES])
        more = f" and {len(others) - MOST_NAMES} more" if len(others) > MOST_NAMES else ""
        said = f"{names}{more} are in no mapping: their incidents get no ticket"
        yield unknown("PD05", "services of other teams", said, hint)


def priorities(sight: Sight) -> Iterator[Finding]:
    """Whether the priorities that the severities name exist, and whether others say nothing to us."""
    there = {one.name.casefold(): one.name for one in sight.pagerduty.priorities()}
    for mapping in sight.mappings:
        if not there:
            hint = "switch incident priorities on in PagerDuty, or leave it if that is meant"
            said = "our token sees no priorities in PagerDuty: severity is assumed from the urgency"
            yield ok("PD03", f"{mapping.team}, severities", said, hint, PAGERDUTY_ADMIN)
            continue
        yield from _of_severities(mapping, there)
        named = {word.casefold() for one in mapping.severities.values() for word in one.pagerduty}
        others = [name for fold, name in there.items() if fold not in named]
        if others:
            said = f"no severity names {', '.join(others)}: such incidents are assumed from their urgency"
            yield ok("PD03", f"{mapping.team}, severities", said, "add it to a severity's `pagerduty`")


def _of_severities(mapping: Mapping, there: dict[str, str]) -> Iterator[Finding]:
    by_default = "severities" not in mapping.model_fields_set
    for name, section in mapping.severities.items():
        missing = [word for word in section.pagerduty if word.casefold() not in there]
        where = f"{mapping.team}, severities.{name}"
        # the severities that a mapping has without naming any list more priorities than an account has
        if missing and not (by_default and len(missing) < len(section.pagerduty)):
            said = f"PagerDuty has no priority {', '.join(missing)} (it has {', '.join(there.values())})"
            yield wrong("PD03", where, said, "without it, severity is assumed from the urgency")
        else:
            yield ok("PD03", where, "its priorities exist")


def on_call(sight: Sight) -> Iterator[Finding]:
    """Whether somebody is called for each mapped service."""
    for policy_id, names in _policies(sight).items():
        policy = sight.policies.get(policy_id)
        if policy is None:
            said = "their escalation policy is not shown to our token"
            yield unknown("PD06", ", ".join(names), said, "ask who is called for them", PAGERDUTY_ADMIN)
            continue
        where = f"escalation policy {policy.name}"
        if not policy.users and not policy.schedules:
            yield wrong("PD06", where, "calls nobody", "give it a target in PagerDuty", PAGERDUTY_ADMIN)
        else:
            yield ok("PD06", where, f"is for {', '.join(names)}")
        for schedule_id in policy.schedules:
            yield _schedule(sight, schedule_id)


def _policies(sight: Sight) -> dict[str, list[str]]:
    """The escalation policies of the mapped services, with the services' names."""
    found: dict[str, list[str]] = {}
    for mapping in sight.mappings:
        for service in sight.mapped(mapping):
            if service.policy:
                found.setdefault(service.policy, []).append(service.name)
    return found


def _schedule(sight: Sight, schedule_id: str) -> Finding:
    schedule = sight.schedules.get(schedule_id)
    if schedule is None or schedule.users is None:
        said = "is not shown to our token"
        return unknown("PD06", f"schedule {schedule_id}", said, "ask who is on it", PAGERDUTY_ADMIN)
    where = f"schedule {schedule.name}"
    if not schedule.users:
        return wrong("PD06", where, "nobody is on it", "put somebody on it", PAGERDUTY_ADMIN)
    return ok("PD06", where, f"{len(schedule.users)} people are on it")


def called(sight: Sight, mapping: Mapping) -> dict[str, str]:
    """The ids of everybody whom the mapped services of a team call, with why."""
    found: dict[str, str] = {}
    for service in sight.mapped(mapping):
        policy = sight.policies.get(service.policy or "")
        if policy is None:
            continue
        for user in policy.users:
            found.setdefault(user, f"escalation policy {policy.name}")
        for schedule_id in policy.schedules:
            schedule = sight.schedules.get(schedule_id)
            for user in (schedule.users or ()) if schedule else ():
                found.setdefault(user, f"schedule {schedule.name if schedule else ''}")
    return found


def aliases(sight: Sight) -> Iterator[Finding]:
    """Whether the addresses that a mapping translates are somebody's."""
    for mapping in sight.mappings:
        for address in mapping.people.aliases:
            where = f"{mapping.team}, people.aliases.{address}"
            known = {(one.email or "").casefold() for one in sight.users.values()}
            if address.casefold() in known:
                yield ok("PD07", where, "is a user's of PagerDuty")
            else:
                said = "PagerDuty shows our token no user of this address"
                hint = "write the address in PagerDuty before the colon, the one in Jira after it"
                yield wrong("PD07", where, said, hint)
