"""Mail people at once when an incident reaches a severity, and tell them if it is lowered soon after.

QRPay runbook, "Escalation Matrix": CTO and Head of Compliance hear of SEV0 immediately. Ramen runbook,
"On-call rotation": escalate to Head of Ops and CTO. syncd sends a notice once for each severity, when a
trigger, a raise or a merge first reaches it. The rule needs the incident alone, so that no trouble with Jira
delays it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from syncd.domain.duty import OF_POSTMORTEM, DutyKind
from syncd.domain.mail import MailKind, mail_key
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import Operation, SendMail
from syncd.domain.operation.mail import (
    BreachMail,
    CorrectionMail,
    ImpactMail,
    MailContent,
    MissingRolesMail,
    NoticeMail,
    PostponedMail,
    ReminderMail,
    UnacknowledgedMail,
)
from syncd.domain.recurring import recurring_of
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.exercises import mark_of, silences
from syncd.policy.notify.recipients import Recipient, notified
from syncd.policy.rules_in_force import was_over_at_switch
from syncd.policy.severity import decide_severity

JUST_OVER = timedelta(minutes=10)
"""syncd still sends a notice so long after the resolve."""
SOON_LOWERED = timedelta(hours=1)
"""A lowering within this time after a notice goes to the same people."""
LATE = timedelta(minutes=10)
"""A notice that leaves later than this after its severity was reached says that it is late."""
BUNDLED_FOR = timedelta(minutes=10)
"""The longest time that a notice waits to leave in one mail with others (`notify.bundle`)."""
ENTRIES = 5
"""So many entries of a merged incident into one severity are looked at for a notice to the same person."""
_OF_OPEN = NoticeMail | UnacknowledgedMail | MissingRolesMail | ImpactMail
"""The mails on which people still act while the incident is open."""
BEFORE = "the incident reached this before enforce_from, so syncd lists it and mails nobody"
"""The reason of a mail that the ledger records as not sent on the first day."""
BEFORE_SWITCH = "it was over before the mode was switched, so syncd lists it and mails nobody"
"""The reason of a mail that the ledger records as not sent when a rule leaves the mode `report`."""


def decide_notices(case: Case, book: Rulebook) -> Decision:
    """Return the notices for the incident's severity and the corrections after a lowering."""
    mapping, section = book.mapping, book.section
    if mapping.mails.mode is Mode.OFF or case.before_enforcement or case.now is None:
        return Decision()
    return by_mode(case, mapping, (*_notices(case, mapping, section), *_corrections(case, mapping, section)))


def by_mode(case: Case, mapping: Mapping, operations: tuple[Operation, ...]) -> Decision:
    """Return the operations if mails have the mode `enforce`, else notes in words about them."""
    operations = tuple(_unless_before(case, op, mapping) for op in operations)
    if mapping.mails.mode is Mode.ENFORCE:
        return Decision(operations=operations)
    return Decision(dry_run_notes=tuple(_dry_run_note(op) for op in operations if not _skipped(op)))


def _unless_before(case: Case, op: Operation, mapping: Mapping) -> Operation:
    if not isinstance(op, SendMail) or op.skip is not None or op.moment is None:
        return op
    # The first day disturbs nobody: the ledger records a mail about an earlier time as not sent. A reminder
    # announces a deadline that is still ahead.
    listed = op.moment < mapping.enforced_since and op.content.mail is not MailKind.REMINDER
    if listed:
        return op.model_copy(update={"skip": BEFORE})
    return op.model_copy(update={"skip": BEFORE_SWITCH}) if _was_over(case, op, op.moment) else op


def _was_over(case: Case, op: SendMail, at: datetime) -> bool:
    """Return True if a mail is about something that was over when a mode was switched to `enforce`."""
    content = op.content
    if isinstance(content, ReminderMail):
        return False
    # People still act on an open incident: its mail leaves, a notice marked late.
    if isinstance(content, _OF_OPEN) and case.incident.open:
        return False
    sections = ["mails"]
    if isinstance(content, BreachMail):
        sections.append(section_of_duty(case, content.duty))
    if isinstance(content, PostponedMail):
        sections.append("follow_ups")
    return was_over_at_switch(case, tuple(sections), at)


def section_of_duty(case: Case, kind: str) -> str:
    """Return the section of the mapping whose mode decides about a kind of duty."""
    if kind == DutyKind.HELD:
        name = recurring_of(case.incident.id)
        return f"recurring.{name.name}" if name is not None else "recurring"
    return "postmortem" if kind in OF_POSTMORTEM else "follow_ups"


def _skipped(op: Operation) -> bool:
    return isinstance(op, SendMail) and op.skip is not None


def _dry_run_note(op: Operation) -> str:
    return f"mail {op.to}: {op.reason}" if isinstance(op, SendMail) else f"comment: {op.reason}"


def mail(
    case: Case,
    content: MailContent,
    moment: str,
    recipient: Recipient,
    reason: str,
    at: datetime | None,
    skip: str | None = None,
) -> SendMail:
    """Return a mail about an incident to one person; it holds ids, times and syncd's own words only.

    `moment` identifies it among mails of its kind. `at` (UTC) is the time at which the rule asked for it:
    syncd sends no mail from before a restore of the ledger (`syncd.ledger.store.restored`).
    """
    return SendMail(
        key=mail_key(content.mail, case.incident.id, moment, recipient.address),
        incident=case.incident.id,
        to=recipient.address,
        why=recipient.why,
        content=content,
        moment=at,
        skip=skip,
        reason=reason,
    )


def is_late(since: datetime, now: datetime, *, bundled: bool) -> bool:
    """Return True if a notice that leaves now is late; `since` is when its severity was reached."""
    # A bundled notice waits on purpose, so this wait does not make it late.
    on_purpose = BUNDLED_FOR if bundled else timedelta()
    return now - since > LATE + on_purpose


def _notices(case: Case, mapping: Mapping, section: ServiceSection) -> Iterator[Operation]:
    reached = _reached(case, mapping, section)
    if reached is None:
        return
    severity, since, entry = reached
    if silences(case, mapping, severity):
        return
    skip, mark = _not_now(case), mark_of(case)
    for recipient in notified(case, mapping, section, severity):
        # One notice for each severity and person, however often the incident enters the severity.
        keys = _keys(case, severity, recipient, entry)
        if any(key in case.sent for key in keys) or (skip and any(key in case.once for key in keys)):
            continue
        # The person heard of the severity already from an incident that was merged into this one.
        if _told_by_a_source(case, severity, recipient):
            continue
        yield mail(
            case,
            NoticeMail(severity=severity, since=since, exercise=mark),
            _moment(severity, entry),
            recipient,
            f"the incident reached {severity}",
            since,
            skip,
        )


def _told_by_a_source(case: Case, severity: str, recipient: Recipient) -> bool:
    # A source may have entered the severity more than once before it told this person.
    sources = [(source.id, entry) for source in case.merged_sources for entry in range(1, ENTRIES + 1)]
    return any(
        mail_key(MailKind.NOTICE, source, _moment(severity, entry), recipient.address) in case.sent
        for source, entry in sources
    )


def _moment(severity: str, entry: int) -> str:
    return severity if entry == 1 else f"{severity}~{entry}"


def _reached(case: Case, mapping: Mapping, section: ServiceSection) -> tuple[str, datetime, int] | None:
    """Return the severity that the incident rose to, the time (UTC), and the number of the entry.

    A merged incident may have brought the severity. None: the incident was lowered.
    """
    names = list(mapping.severities)
    own = decide_severity(case.incident, mapping, section).name
    severity_periods = [period for period in case.severity_periods if period.severity in names]
    # The ledger records a period together with the decision, so the present one may not be on record yet.
    recorded = bool(severity_periods) and severity_periods[-1].severity == own
    before = severity_periods[:-1] if recorded else severity_periods
    worse = [
        source
        for source in case.merged_sources
        if source.until is None and source.severity in names and _rank(names, source.severity, own) < 0
    ]
    if worse:
        worst = min(worse, key=lambda source: names.index(source.severity))
        return worst.severity, worst.merged_at, 1
    if before and _rank(names, before[-1].severity, own) < 0:
        return None
    entry = 1 + sum(period.severity == own for period in before)
    recorded_at = severity_periods[-1].since if recorded else None
    first = case.incident.created_at if not before else _changed_at(case)
    return own, recorded_at or first, entry


def _rank(names: list[str], severity: str, other: str) -> int:
    """Return a number below zero if `severity` is worse than `other`; a mapping lists the worst first."""
    return names.index(severity) - names.index(other)


def _changed_at(case: Case) -> datetime:
    return case.incident.updated_at or case.now or case.incident.created_at


def _not_now(case: Case) -> str | None:
    """Return the reason to send no notice any more; None: syncd sends it."""
    over = case.incident.over_since
    if over is None:
        return None
    if case.incident.merged_into is not None:
        return "the incident was merged into another one, whose notice counts"
    if case.now is not None and case.now - over > JUST_OVER:
        return "the incident was over before syncd could tell anybody"
    return None


def _keys(case: Case, severity: str, recipient: Recipient, entries: int) -> list[str]:
    """Return the keys of a person's notices of all entries into a severity, oldest first."""
    moments = (_moment(severity, number) for number in range(1, entries + 1))
    return [mail_key(MailKind.NOTICE, case.incident.id, moment, recipient.address) for moment in moments]


def _corrections(case: Case, mapping: Mapping, section: ServiceSection) -> Iterator[Operation]:
    names = list(mapping.severities)
    own = decide_severity(case.incident, mapping, section).name
    # With merged sources the severity that counts may be theirs, and then the incident was not lowered.
    if not case.incident.open or any(source.until is None for source in case.merged_sources):
        return
    mark = mark_of(case)
    recorded = bool(case.severity_periods) and case.severity_periods[-1].severity == own
    lowered = case.severity_periods[-1].since if recorded else _changed_at(case)
    corrected: set[str] = set()
    for name in names[: names.index(own)]:
        entries = sum(period.severity == name for period in case.severity_periods)
        for recipient in notified(case, mapping, section, name):
            keys = _keys(case, name, recipient, entries)
            # Only people who got the notice need the correction.
            told = next((key for key in reversed(keys) if key in case.sent), None)
            if told is None or lowered - case.sent[told] > SOON_LOWERED:
                continue
            # who had notices of several severities hears of the lowering once, by the gravest
            if recipient.address in corrected:
                continue
            corrected.add(recipient.address)
            yield mail(
                case,
                CorrectionMail(severity=own, before=name, since=lowered, notice=told, exercise=mark),
                f"{name}-{own}",
                recipient,
                f"the incident was lowered from {name} to {own}",
                lowered,
            )
