"""Find the recipients of mails, with the reason for each person: owners, overdue contacts, notice contacts.

In a mapping's lists of addresses the word `owner` means the owner of the incident's service.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from syncd.domain.base import Value
from syncd.domain.duty import Duty, DutyKind
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.mapping.value_types import Mode
from syncd.domain.role import Role
from syncd.domain.ticket import Account
from syncd.policy.case import Case, DutyIssueState, ItemState
from syncd.policy.follow_ups.membership import is_runbook_item

OWNER = "owner"
"""The word in lists of addresses for the owner of the incident's service."""


_NAMED_OWNER = "the mapping names you as its owner"


class Recipient(Value):
    """An address, and the reason in words for which this person gets the mail."""

    address: str
    why: str


def with_deputies(
    recipients: Iterable[Recipient], mapping: Mapping, now: datetime | None
) -> tuple[Recipient, ...]:
    """Return the recipients, each once, with the deputies of those who are on leave at a time (UTC)."""
    today = now.astimezone(ZoneInfo(mapping.zone)).date() if now is not None else dt.date.max
    leaves = {
        address.casefold(): leave for address, leave in mapping.people.away.items() if today <= leave.until
    }
    result = []
    for recipient in recipients:
        result.append(recipient)
        leave = leaves.get(recipient.address.casefold())
        if leave is not None:
            why = f"you are the deputy of {recipient.address}, who is away until {leave.until:%d %b %Y}"
            result.append(Recipient(address=leave.deputy, why=why))
    return _once(result)


def notified(case: Case, mapping: Mapping, section: ServiceSection, severity: str) -> tuple[Recipient, ...]:
    """Return the people who get a notice when an incident reaches a severity.

    QRPay runbook, "Escalation Matrix". A severity without `notify` has no recipients.
    """
    named = mapping.severities[severity].notify
    if not named:
        return ()
    recipients = [*_named(named, section, f"the mapping names you for {severity}")]
    service = case.incident.service.name or case.incident.service.id
    recipients += _named(section.notify, section, f"the mapping names you for {service}")
    # Ramen runbook, "Security/PII incident": engage the security lead.
    # Of a provisional restriction one mail tells the lead (`PROVISIONAL`).
    if case.restricted and not case.provisional and mapping.restricted.lead:
        recipients.append(Recipient(address=mapping.restricted.lead, why="you are the security lead"))
    return with_deputies(recipients, mapping, case.now)


def contacts(mapping: Mapping, section: ServiceSection, severity: str | None) -> tuple[Recipient, ...]:
    """Return the people who hear once of an overdue duty: `overdue` of the severity, else the owners.

    The owners are the service's owner and the process owner. `severity` None: the duty is a recurring one,
    and `section` names its owner.
    """
    named = mapping.severities[severity].overdue if severity is not None else ()
    if named:
        return _once(_named(named, section, f"the mapping names you for overdue duties of {severity}"))
    if severity is None:
        recipients = [Recipient(address=section.owner, why=_NAMED_OWNER)] if section.owner else []
    else:
        recipients = [*_named((OWNER,), section, "")]
    if mapping.people.process_owner:
        recipients.append(Recipient(address=mapping.people.process_owner, why="you own the incident process"))
    return _once(recipients)


def hears_next(mapping: Mapping, section: ServiceSection) -> str:
    """Return in words whom people call next: the secondary and the escalation, as the mapping names them."""
    roles = mapping.roles_of(section)
    called = {role: roles[role] for role in (Role.SECONDARY, Role.ESCALATION) if role in roles}
    named = {role: called[role].address or called[role].schedule for role in called}
    return ", then ".join(f"{role.words} {who}" for role, who in named.items() if who)


def issue_of(case: Case, duty: Duty) -> DutyIssueState | None:
    """Return the postmortem or the action item of a duty, None if syncd knows none."""
    if duty.of_postmortem:
        return case.postmortem
    return case.item(duty.subject)


def account_of_duty(case: Case, duty: Duty) -> Account | None:
    """Return the owner of a duty: the active assignee of the postmortem or action item, or None.

    The runbook item belongs to the postmortem's owner where nobody else has it.
    """
    state = issue_of(case, duty)
    owner = _active_assignee(state)
    if owner is None and isinstance(state, ItemState) and is_runbook_item(state):
        return _active_assignee(case.postmortem)
    return owner


def hidden_accounts(case: Case) -> set[str]:
    """Return the accounts that owe a duty and hide their address in Jira."""
    accounts = [account_of_duty(case, duty) for duty in case.duties]
    return {account.id for account in accounts if account is not None and not account.email}


def _active_assignee(state: DutyIssueState | None) -> Account | None:
    account = state.issue.assignee if state is not None and state.issue is not None else None
    # Nobody can act with an inactive account, so the duty has no owner.
    return account if account is not None and account.active else None


def out_of_reach(case: Case, duty: Duty) -> Account | None:
    """Return the owner of a duty if syncd knows no address of theirs; a comment mentions them then."""
    account = account_of_duty(case, duty)
    return None if account is None or account.email or case.addresses.get(account.id) else account


def owners_of(case: Case, duty: Duty, mapping: Mapping, section: ServiceSection) -> tuple[Recipient, ...]:
    """Return the recipients of a duty's reminders: its owner, and the deputy of one who is on leave."""
    owner = _owner_of(case, duty, mapping, section)
    return with_deputies([owner] if owner is not None else [], mapping, case.now)


def _owner_of(case: Case, duty: Duty, mapping: Mapping, section: ServiceSection) -> Recipient | None:
    """Return the recipient of a duty's reminders, None if syncd knows no address.

    A duty without an owner goes to the service's owner, who can assign it, else to the fallback; a recurring
    one to the owner whom the mapping names for it.
    """
    account = account_of_duty(case, duty)
    if account is not None:
        address = account.email or case.addresses.get(account.id)
        return Recipient(address=address, why="it is assigned to you") if address else None
    for address, why in (
        (
            section.owner,
            _NAMED_OWNER if duty.kind is DutyKind.HELD else "nobody owns it yet, and you own the service",
        ),
        (mapping.people.fallback, "nobody owns it yet, and you are the fallback (people.fallback)"),
        (mapping.people.process_owner, "nobody owns it yet, and you own the incident process"),
    ):
        if address:
            return Recipient(address=address, why=why)
    return None


def told_of(duty: Duty, mapping: Mapping) -> bool:
    """Return True if the section of a duty has the mode `enforce`, so that syncd tells people about it."""
    # whether a recurring duty is told of is asked before it is judged
    if duty.kind is DutyKind.HELD:
        return True
    # a filing has mails of its own (`policy.regulatory`)
    if duty.kind is DutyKind.FILED:
        return False
    section = mapping.postmortem if duty.of_postmortem else mapping.follow_ups
    return section.mode is Mode.ENFORCE


def can_be_acted_on(case: Case, duty: Duty) -> bool:
    """Return True unless syncd has not made the postmortem yet, or cannot read the duty's issue now.

    Nobody can act on a postmortem that does not exist, so syncd mails nobody about it.
    """
    if not duty.of_postmortem:
        return duty.subject not in case.unread
    return case.postmortem is not None and case.postmortem.issue_id not in case.unread


def _named(names: Iterable[str], section: ServiceSection, why: str) -> Iterable[Recipient]:
    for name in names:
        if name.casefold() != OWNER:
            yield Recipient(address=name, why=why)
        elif section.owner:
            yield Recipient(address=section.owner, why="you own the service")


def _once(recipients: Iterable[Recipient]) -> tuple[Recipient, ...]:
    by_address: dict[str, Recipient] = {}
    for recipient in recipients:
        by_address.setdefault(recipient.address.casefold(), recipient)
    return tuple(by_address.values())
