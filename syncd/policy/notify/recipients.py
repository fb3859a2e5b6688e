"""Whom a mail goes to, and why them: the owner of a duty, the contacts of late paperwork, who is notified.

In lists of addresses the word `owner` stands for the owner of the incident's service.
"""

from __future__ import annotations

from collections.abc import Iterable

from syncd.domain.base import Value
from syncd.domain.duty import Duty
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.mapping.value_types import Mode
from syncd.domain.ticket import Account
from syncd.policy.case import Case

OWNER = "owner"
"""The word for the owner of the incident's service."""


class Recipient(Value):
    """An address, and in words why this person."""

    address: str
    why: str


def notified(case: Case, mapping: Mapping, section: ServiceSection, severity: str) -> tuple[Recipient, ...]:
    """Who is told when an incident reaches a severity; nobody where the severity names nobody.

    Of a restricted incident the security lead hears, too.
    """
    named = mapping.severities[severity].notify
    if not named:
        return ()
    found = [*_named(named, section, f"the mapping names you for {severity}")]
    service = case.incident.service.name or case.incident.service.id
    found += _named(section.notify, section, f"the mapping names you for {service}")
    if case.restricted and mapping.restricted.lead:
        found.append(Recipient(address=mapping.restricted.lead, why="you are the security lead"))
    return _once(found)


def contacts(mapping: Mapping, section: ServiceSection, severity: str) -> tuple[Recipient, ...]:
    """Who is told once of late paperwork: `overdue` of the severity, else service owner and process owner."""
    named = mapping.severities[severity].overdue
    if named:
        return _once(_named(named, section, f"the mapping names you for overdue duties of {severity}"))
    found = [*_named((OWNER,), section, "")]
    if mapping.people.process_owner:
        found.append(Recipient(address=mapping.people.process_owner, why="you own the incident process"))
    return _once(found)


def account_of_duty(case: Case, duty: Duty) -> Account | None:
    """Whose a duty is: the assignee of the postmortem or of the action item; None: nobody's."""
    if duty.of_postmortem:
        issue = case.postmortem.issue if case.postmortem else None
    else:
        issue = next((one.issue for one in case.items if one.issue_id == duty.subject), None)
    account = issue.assignee if issue else None
    return account if account is not None and account.active else None


def out_of_reach(case: Case, duty: Duty) -> Account | None:
    """The owner of a duty whose address nobody knows: a comment names them, so that Jira mails them."""
    account = account_of_duty(case, duty)
    return None if account is None or account.email or case.addresses.get(account.id) else account


def owner_of(case: Case, duty: Duty, mapping: Mapping, section: ServiceSection) -> Recipient | None:
    """Whom a duty's reminders go to; None: nobody whose address is known.

    What nobody owns is for the owner of the service to give away, else for the fallback.
    """
    account = account_of_duty(case, duty)
    if account is not None:
        address = account.email or case.addresses.get(account.id)
        return Recipient(address=address, why="it is assigned to you") if address else None
    for address, why in (
        (section.owner, "nobody owns it yet, and you own the service"),
        (mapping.people.fallback, "nobody owns it yet, and you are the fallback (people.fallback)"),
        (mapping.people.process_owner, "nobody owns it yet, and you own the incident process"),
    ):
        if address:
            return Recipient(address=address, why=why)
    return None


def told_of(duty: Duty, mapping: Mapping) -> bool:
    """Whether people are told of a duty at all: its own section and the mails are switched on."""
    section = mapping.postmortem if duty.of_postmortem else mapping.follow_ups
    return section.mode is Mode.ENFORCE


def _named(names: Iterable[str], section: ServiceSection, why: str) -> Iterable[Recipient]:
    for name in names:
        if name.casefold() != OWNER:
            yield Recipient(address=name, why=why)
        elif section.owner:
            yield Recipient(address=section.owner, why="you own the service")


def _once(found: Iterable[Recipient]) -> tuple[Recipient, ...]:
    kept: dict[str, Recipient] = {}
    for one in found:
        kept.setdefault(one.address.casefold(), one)
    return tuple(kept.values())
