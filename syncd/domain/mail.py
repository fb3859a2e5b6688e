"""The mails that syncd sends: their kinds, how often each may leave, and their keys.

syncd cannot look up a mail that it sent. So notices, breaches, the weekly report and the operator's mails
leave at least once: a second time after an unknown outcome, never a third time. Reminders and digests leave
at most once.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256

from syncd.domain.recurring import recurring_of

OPERATOR = "operator"
"""The outbox stores this instead of an incident's id for mails to the operator."""
_TEAM = "team/"
KEYS = "mail/"
"""The prefix of every mail's key."""


class MailKind(StrEnum):
    """The kinds of mails."""

    NOTICE = "notice"
    CORRECTION = "correction"
    UNACKNOWLEDGED = "unacknowledged"
    MISSING_ROLES = "missing_roles"
    REMINDER = "reminder"
    BREACH = "breach"
    POSTPONED = "postponed"
    DIGEST = "digest"
    WEEKLY_REPORT = "weekly_report"
    OPERATOR = "operator"
    LEAD = "lead"
    DECISION = "decision"
    IMPACT = "impact"
    FILING = "filing"


AT_MOST_ONCE = frozenset({MailKind.REMINDER, MailKind.DIGEST})
"""syncd never sends these a second time after an unknown outcome. It sends all other kinds once more."""
AT_ONCE = frozenset(
    {
        *(MailKind.NOTICE, MailKind.CORRECTION, MailKind.UNACKNOWLEDGED, MailKind.MISSING_ROLES),
        MailKind.IMPACT,
    }
)
"""The mails while people work on an incident."""
WITHOUT_MAIL_RATE = AT_ONCE | {MailKind.LEAD, MailKind.FILING, MailKind.WEEKLY_REPORT, MailKind.OPERATOR}
"""The hourly limit on mails does not count these. What concerns people at work must not wait, and mails to
the security lead are notices, also those of regulatory clocks. The weekly report is one mail. The operator
gets one mail for each cause and day."""
OF_DUTIES = frozenset({MailKind.REMINDER, MailKind.BREACH, MailKind.POSTPONED, MailKind.FILING})
"""The mails of an incident that follow from the verdict on a duty."""
DECIDED = OF_DUTIES | AT_ONCE | {MailKind.DECISION}
"""The policy decides these for an incident. syncd drops a pending one that a newer decision omits."""


def mail_key(kind: MailKind, about: str, moment: str, recipient: str) -> str:
    """Return the key of one mail to one person. The key holds a hash instead of the address."""
    return f"{KEYS}{kind}/{about}/{moment}/{address_print(recipient)}"


def address_print(address: str) -> str:
    """Return the form of an address in keys: the first 12 hex digits of its SHA-256, case ignored."""
    return sha256(address.strip().casefold().encode()).hexdigest()[:12]


def of_team(team: str) -> str:
    """Return the text that the outbox stores instead of an incident's id for a mail about a whole team."""
    return f"{_TEAM}{team}"


def name_for_people(ident: str) -> str:
    """Return a name for a text that replaces an incident's id: "team QRPay", "all teams", "Review, 2027-Q1".

    Return any other text as it is.
    """
    recurring = recurring_of(ident)
    if recurring is not None:
        return recurring.words
    if not ident.startswith(_TEAM):
        return ident
    team = ident.removeprefix(_TEAM)
    return f"team {team}" if team else "all teams"


def concerns_no_incident(ident: str) -> bool:
    """Return True if this text replaces an incident's id: the operator, a team, or a recurring duty."""
    return ident == OPERATOR or ident.startswith(_TEAM) or recurring_of(ident) is not None
