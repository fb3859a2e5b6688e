"""Checks of PagerDuty: our account, the author of notes, services, priorities, and who is on call."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.config.problems import did_you_mean
from syncd.domain.incident import PagerDutyService
from syncd.domain.mapping.bindings import missing_words, remarks_on
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.preflight.checks.finding import PAGERDUTY_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight
from syncd.remote.errors import Cause, NotDone

_READERS = ("read_only_user", "read_only_limited_user", "observer")
"""PagerDuty's words for stakeholders and observers, who only look at incidents."""
MOST_NAMES = 20
"""Services of other teams that a finding lists."""


def account(sight: Sight) -> Iterator[Finding]:
    """Check that PagerDuty accepts our token."""
    yield ok("PD01", "PagerDuty", f"account {sight.pagerduty.identity()} answers")


def sender(sight: Sight) -> Iterator[Finding]:
    """Check that the author of our notes is a user of PagerDuty."""
    where, address = "SYNCD_PAGERDUTY_FROM", sight.sender
    if address is None:
        yield wrong(
            "PD04", where, "is not set, and notes need an author", "set it to a PagerDuty user's address"
        )
        return
    user = sight.pagerduty.find_user(address)
    if user is None:
        message = f"PagerDuty shows our token no user with the address {address}"
        yield wrong("PD04", where, message, "set it to the address of an existing user", PAGERDUTY_ADMIN)
        return
    role = sight.pagerduty.role_of(address)
    if role in _READERS:
        message = f"{user.name} has the role {role}, which may not write notes"
        yield wrong("PD04", where, message, "set it to a user with another role", PAGERDUTY_ADMIN)
    else:
        yield ok("PD04", where, f"syncd writes notes as {user.name}")


def key_may_write(sight: Sight) -> Iterator[Finding]:
    """Check that our key may write, by a note to no incident: for `--probe`, because it is a write."""
    where, hint = "SYNCD_PAGERDUTY_TOKEN", "make a key without `Read-only API key`"
    try:
        sight.pagerduty.try_note()
    except NotDone as error:
        if error.cause in (Cause.FORBIDDEN, Cause.CREDENTIALS):
            message = f"the key may only read, so syncd writes no notes: {error.describe()}"
            yield wrong("PD04", where, message, hint, PAGERDUTY_ADMIN)
            return
        if not error.absent:
            message = f"PagerDuty takes no notes of this author: {error.describe()}"
            yield wrong("PD04", "SYNCD_PAGERDUTY_FROM", message, "set it to a user who may write notes")
            return
    yield ok("PD04", where, "the key may write notes")


def services(sight: Sight) -> Iterator[Finding]:
    """Check that each mapped service exists and is enabled; list the services of no mapping."""
    for mapping in sight.mappings:
        for name, section in mapping.services.items():
            yield _claimed(sight, f"{mapping.team}, services.{name}", name, section)
    yield from _unclaimed(sight)


def _claimed(sight: Sight, where: str, name: str, section: ServiceSection) -> Finding:
    binding = sight.bindings[name]
    if binding.missing_since is not None:
        if binding.called and section.id is None:
            hint = "remove it from the mapping if it is gone; a restricted token does not see every service"
            return wrong("PD02", where, missing_words(name, binding), hint)
        near = did_you_mean(name, (service.name for service in sight.services))
        hint = near or "check its name, or give its id; a restricted token does not see every service"
        return wrong("PD02", where, "PagerDuty shows our token no service of this name", hint)
    service = next(service for service in sight.services if service.id in binding.called)
    if service.disabled:
        message = f"is {service.name} ({service.id}), which is disabled: it opens no incidents"
        return ok("PD02", where, message, "enable it in PagerDuty, unless this is intended", PAGERDUTY_ADMIN)
    if len(binding.called) > 1:
        return wrong("PD02", where, "several services have this name", "give the id of the right service")
    words = "; ".join(remarks_on(name, section, binding))
    if words:
        return wrong("PD02", where, words, "without its ledger syncd would not find the service by this name")
    return ok("PD02", where, f"is {service.name} ({service.id})")


def _unclaimed(sight: Sight) -> Iterator[Finding]:
    """Yield a finding for each service of no mapping.

    If its team has mapped services, somebody forgot it. For other teams only a person can tell.
    """
    teams = {
        team for mapping in sight.mappings for service in sight.mapped(mapping) for team in service.teams
    }
    others: list[PagerDutyService] = []
    hint = "add it to the `services` of a mapping, unless this is intended"
    for service in sight.services:
        # a disabled service opens no incidents
        if service.disabled or sight.claimant(service):
            continue
        if teams.intersection(service.teams):
            message = "is in no mapping, so its incidents get no ticket"
            yield wrong("PD05", f"service {service.name} ({service.id})", message, hint)
        else:
            others.append(service)
    if others:
        names = ", ".join(service.name for service in others[:MOST_NAMES])
        more = f" and {len(others) - MOST_NAMES} more" if len(others) > MOST_NAMES else ""
        verb, whose = ("is", "its") if len(others) == 1 else ("are", "their")
        message = f"{names}{more} {verb} in no mapping, so {whose} incidents get no ticket"
        yield unknown("PD05", "services of other teams", message, hint)


def priorities(sight: Sight) -> Iterator[Finding]:
    """Check that PagerDuty has the priorities that the severities name; list those that no severity names."""
    existing = {priority.name.casefold(): priority.name for priority in sight.pagerduty.priorities()}
    for mapping in sight.mappings:
        if not existing:
            hint = "enable incident priorities in PagerDuty, unless this is intended"
            message = (
                "our token sees no priorities in PagerDuty, so syncd assumes the severity from the urgency"
            )
            yield ok("PD03", f"{mapping.team}, severities", message, hint, PAGERDUTY_ADMIN)
            continue
        yield from _of_severities(mapping, existing)
        named = {word.casefold() for priority in mapping.severities.values() for word in priority.pagerduty}
        others = [name for fold, name in existing.items() if fold not in named]
        if others:
            message = f"no severity names {', '.join(others)}: syncd assumes their severity from the urgency"
            yield ok(
                "PD03", f"{mapping.team}, severities", message, "add it to the `pagerduty` of a severity"
            )


def _of_severities(mapping: Mapping, existing: dict[str, str]) -> Iterator[Finding]:
    by_default = "severities" not in mapping.model_fields_set
    for name, section in mapping.severities.items():
        missing = [word for word in section.pagerduty if word.casefold() not in existing]
        where = f"{mapping.team}, severities.{name}"
        # the default severities list the names of several naming schemes, and an account has only one of them
        if missing and not (by_default and len(missing) < len(section.pagerduty)):
            message = (
                f"PagerDuty has no priority {', '.join(missing)} (it has {', '.join(existing.values())})"
            )
            hint = "name an existing priority; without it, syncd assumes the severity from the urgency"
            yield wrong("PD03", where, message, hint)
        else:
            yield ok("PD03", where, "its priorities exist")


def on_call(sight: Sight) -> Iterator[Finding]:
    """Check that PagerDuty calls somebody for each mapped service."""
    for policy_id, names in _policies(sight).items():
        policy = sight.policies.get(policy_id)
        if policy is None:
            message = "PagerDuty does not show their escalation policy to our token"
            yield unknown("PD06", ", ".join(names), message, "ask whom PagerDuty calls", PAGERDUTY_ADMIN)
            continue
        where = f"escalation policy {policy.name}"
        if not policy.users and not policy.schedules:
            yield wrong("PD06", where, "calls nobody", "give it a target in PagerDuty", PAGERDUTY_ADMIN)
        else:
            yield ok("PD06", where, f"serves {', '.join(names)}")
        for schedule_id in policy.schedules:
            yield _schedule(sight, schedule_id)


def _policies(sight: Sight) -> dict[str, list[str]]:
    """Return the ids of the mapped services' escalation policies, with the services' names."""
    names_by_policy: dict[str, list[str]] = {}
    for mapping in sight.mappings:
        for service in sight.mapped(mapping):
            if service.policy:
                names_by_policy.setdefault(service.policy, []).append(service.name)
    return names_by_policy


def _schedule(sight: Sight, schedule_id: str) -> Finding:
    schedule = sight.schedules.get(schedule_id)
    if schedule is None or schedule.users is None:
        message = "PagerDuty does not show it to our token"
        return unknown("PD06", f"schedule {schedule_id}", message, "ask who is on it", PAGERDUTY_ADMIN)
    where = f"schedule {schedule.name}"
    if not schedule.users:
        return wrong("PD06", where, "has no people", "add somebody to it in PagerDuty", PAGERDUTY_ADMIN)
    people = len(schedule.users)
    return ok("PD06", where, "has 1 person" if people == 1 else f"has {people} people")


def called(sight: Sight, mapping: Mapping) -> dict[str, str]:
    """Return the ids of everybody whom a team's services call, with the policy or schedule."""
    reasons: dict[str, str] = {}
    for service in sight.mapped(mapping):
        policy = sight.policies.get(service.policy or "")
        if policy is None:
            continue
        for user in policy.users:
            reasons.setdefault(user, f"escalation policy {policy.name}")
        for schedule_id in policy.schedules:
            schedule = sight.schedules.get(schedule_id)
            for user in (schedule.users or ()) if schedule else ():
                reasons.setdefault(user, f"schedule {schedule.name if schedule else ''}")
    return reasons


def aliases(sight: Sight) -> Iterator[Finding]:
    """Check that the addresses under `people.aliases` belong to users of PagerDuty."""
    for mapping in sight.mappings:
        for address in mapping.people.aliases:
            where = f"{mapping.team}, people.aliases.{address}"
            addresses = {(user.email or "").casefold() for user in sight.users.values()}
            if address.casefold() in addresses:
                yield ok("PD07", where, "belongs to a PagerDuty user")
            else:
                message = "PagerDuty shows our token no user with this address"
                hint = "write the PagerDuty address before the colon, the Jira address after it"
                yield wrong("PD07", where, message, hint)


def alarms(sight: Sight) -> Iterator[Finding]:
    """Check that no mapping claims the service that hears of syncd's own alarms.

    Each alarm would get a ticket, and an alarm about tickets that cannot be written would wait for one.
    """
    where, key = "SYNCD_ALARM_ROUTING_KEY", sight.routing_key
    if key is None:
        return
    ident = sight.pagerduty.routing_keys().get(key)
    service = next((service for service in sight.services if service.id == ident), None)
    claimant = sight.claimant(service) if service is not None else None
    if service is None:
        message = "PagerDuty shows our token no service with this routing key"
        hint = "make sure that no mapping names its service: alarms about syncd would become tickets"
        yield unknown("PD10", where, message, hint, PAGERDUTY_ADMIN)
    elif claimant is not None:
        message = f"is the key of {service.name} ({service.id}), which the mapping of {claimant.team} names"
        hint = "take the key of a service in no mapping: alarms about syncd would become tickets"
        yield wrong("PD10", where, message, hint)
    else:
        yield ok("PD10", where, f"alarms about syncd go to {service.name} ({service.id}), in no mapping")
