"""The mails that the daemon sends: their kinds, how often each may leave, and how each is named.

A mail cannot be looked up afterwards. Notices, breaches, the weekly report and what the operator hears go at
least once (a second time only after an unknown outcome, never a third), reminders and digests at most once
(rules: "Who hears what").
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256

OPERATOR = "operator"
"""Where mails to the operator stand in the outbox, in the place of an incident's id."""
_TEAM = "team/"
KEYS = "mail/"
"""What every mail's key begins with."""


class MailKind(StrEnum):
    """What a mail is."""

    NOTICE = "notice"
    CORRECTION = "correction"
    REMINDER = "reminder"
    BREACH = "breach"
    POSTPONED = "postponed"
    DIGEST = "digest"
    WEEKLY_REPORT = "weekly_report"
    OPERATOR = "operator"
    LEAD = "lead"


AT_MOST_ONCE = frozenset({MailKind.REMINDER, MailKind.DIGEST})
"""Kinds that never leave again once they may have left; the others leave a second time then."""
WITHOUT_MAIL_RATE = frozenset(
    {MailKind.NOTICE, MailKind.CORRECTION, MailKind.LEAD, MailKind.WEEKLY_REPORT, MailKind.OPERATOR}
)
"""Notices (those to the security lead are such), the weekly report and what the operator hears, which is one
mail a cause and day; the others are counted by the hour."""
DECIDED = frozenset(
    {MailKind.NOTICE, MailKind.CORRECTION, MailKind.REMINDER, MailKind.BREACH, MailKind.POSTPONED}
)
"""Kinds that an incident's decision asks for, and that are not sent when it does so no more."""


def mail_key(kind: MailKind, about: str, moment: str, recipient: str) -> str:
    """The key of one mail to one person; the address itself does not stand in it."""
    return f"{KEYS}{kind}/{about}/{moment}/{address_print(recipient)}"


def address_print(address: str) -> str:
    """An address as it stands in keys: the first 12 hex digits of its SHA-256, case ignored."""
    return sha256(address.strip().casefold().encode()).hexdigest()[:12]


def of_team(team: str) -> str:
    """What stands in the place of an incident's id where a mail concerns a whole team."""
    return f"{_TEAM}{team}"


def concerns_no_incident(ident: str) -> bool:
    """Whether this stands in the place of an incident's id."""
    return ident == OPERATOR or ident.startswith(_TEAM)
