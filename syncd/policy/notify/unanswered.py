"""Tell once that nobody acknowledged an incident in time, and that a role which must be filled is empty.

QRPay runbook, "Incident Lifecycle", 2: the commander acknowledges within 5 minutes. "Roles": a communications
lead posts updates. An incident that nobody acknowledged is told by the first rule alone. The first rule needs
the incident alone, so that no trouble with Jira delays it.
"""

from __future__ import annotations

from datetime import timedelta

from syncd.domain.incident import IncidentStatus
from syncd.domain.mail import KEYS, MailKind
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation.mail import MissingRolesMail, UnacknowledgedMail
from syncd.domain.role import Role
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.exercises import mark_of, silences
from syncd.policy.notify.notices import by_mode, mail
from syncd.policy.notify.recipients import Recipient, notified, with_deputies
from syncd.policy.roles import role_holders
from syncd.policy.severity import decide_severity

TIME_TO_NAME = timedelta(minutes=5)
"""The time after the first acknowledgement in which people name who has which role."""
_ONCE = "once"
"""The moment of a mail that one person gets about an incident once, whatever happens to its severity."""


def decide_unacknowledged(case: Case, book: Rulebook) -> Decision:
    """Return the mails to the severity's contacts, or when to look again."""
    mapping, section = book.mapping, book.section
    incident, now = case.incident, case.now
    severity = decide_severity(incident, mapping, section).name
    minutes, alarm = mapping.severities[severity].acknowledge_minutes, mapping.severities[severity].alarm
    if not alarm or minutes is None or now is None or _says_nothing(case, mapping, severity):
        return Decision()
    # Once a person has acknowledged, a later time-out of the acknowledgement is no news for the contacts.
    if incident.status is not IncidentStatus.TRIGGERED or case.roles.acknowledged is not None:
        return Decision()
    # A reopened incident is triggered since its reopening.
    since = max(incident.created_at, incident.status_changed_at or incident.created_at)
    due = since + timedelta(minutes=minutes)
    if now < due:
        return Decision(again=(due - now).total_seconds())
    content = UnacknowledgedMail(severity=severity, triggered=since, since=due, exercise=mark_of(case))
    reason = f"nobody acknowledged the incident within {minutes:g} minutes"
    mails = (
        mail(case, content, _ONCE, recipient, reason, due)
        for recipient in notified(case, mapping, section, severity)
    )
    return by_mode(case, mapping, tuple(op for op in mails if op.key not in case.once))


def decide_missing_roles(case: Case, book: Rulebook) -> Decision:
    """Return the mail about required roles that nobody has, to the commander, else to the contacts."""
    mapping, now, acknowledged = book.mapping, case.now, case.roles.acknowledged_at
    severity = decide_severity(case.incident, mapping, book.section).name
    required = mapping.severities[severity].roles_required
    if not required or now is None or not case.incident.open or _says_nothing(case, mapping, severity):
        return Decision()
    # syncd keeps no line about a role of a restricted incident: nobody could name themselves.
    if acknowledged is None or case.restricted:
        return Decision()
    holders = role_holders(case, book)
    missing = tuple(role for role in required if role not in holders)
    told = f"{KEYS}{MailKind.MISSING_ROLES}/{case.incident.id}/"
    if not missing or any(key.startswith(told) for key in case.once):
        return Decision()
    due = acknowledged + TIME_TO_NAME
    if now < due:
        return Decision(again=(due - now).total_seconds())
    commander = holders.get(Role.COMMANDER)
    if commander is not None and commander.address:
        named = Recipient(address=commander.address, why="you are the incident commander")
        whom = with_deputies([named], mapping, now)
    else:
        whom = notified(case, mapping, book.section, severity)
    content = MissingRolesMail(severity=severity, roles=missing, exercise=mark_of(case))
    reason = f"nobody is {' or '.join(role.words for role in missing)}"
    mails = tuple(mail(case, content, _ONCE, recipient, reason, due) for recipient in whom)
    return by_mode(case, mapping, mails)


def _says_nothing(case: Case, mapping: Mapping, severity: str) -> bool:
    off = mapping.mails.mode is Mode.OFF or case.before_enforcement
    return off or silences(case, mapping, severity)
