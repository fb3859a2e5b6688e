"""Who is told at once that an incident has reached a severity, and that it was lowered soon after.

QRPay runbook, "Escalation Matrix": SEV0 is told immediately; Ramen runbook, "On-call rotation". A notice goes
out when a severity is first reached, by trigger, raise or merge; once a severity; while the incident is open,
or was a moment ago; not where it was reached before the mapping's `enforce_from`. It rests on the incident
alone, so that no trouble with Jira holds it (rules: "Who hears what").
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from syncd.domain.mail import MailKind, mail_key
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import Operation, SendMail
from syncd.domain.operation.mail import CorrectionMail, MailContent, NoticeMail
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.notify.recipients import Recipient, notified
from syncd.policy.severity import decide_severity

JUST_OVER = timedelta(minutes=10)
"""So long after the resolve a notice still goes out."""
SOON_LOWERED = timedelta(hours=1)
"""Who was told is told of a lowering within so long."""
BEFORE = "it was reached before the rules began (enforce_from), so it is listed and not mailed"
EXERCISE = "game-day"
"""The label of tickets of an exercise, of which nobody is notified."""


def decide_notices(case: Case, book: Rulebook) -> Decision:
    """Given a case, return the notices that its severity asks for and the corrections after a lowering."""
    return notices(case, book.mapping, book.section)


def notices(case: Case, mapping: Mapping, section: ServiceSection) -> Decision:
    """As `decide_notices`, from what is known without Jira."""
    if mapping.mails.mode is Mode.OFF or case.before_enforcement or case.now is None or _exercise(case):
        return Decision()
    wanted = (*_notices(case, mapping, section), *_corrections(case, mapping, section))
    return by_mode(mapping, wanted)


def by_mode(mapping: Mapping, wanted: tuple[Operation, ...]) -> Decision:
    """These operations where mails are enforced; else what they would do, in words.

    A mail about what was reached before the rules began is on record as not sent (rules: "The first day
    disturbs nobody").
    """
    wanted = tuple(_unless_before(op, mapping) for op in wanted)
    if mapping.mails.mode is Mode.ENFORCE:
        return Decision(operations=wanted)
    return Decision(dry_run_notes=tuple(_dry_run_note(op) for op in wanted if not _skipped(op)))


def _unless_before(op: Operation, mapping: Mapping) -> Operation:
    if not isinstance(op, SendMail) or op.skip is not None or op.moment is None:
        return op
    # a reminder speaks of a deadline that is still to come
    listed = op.moment < mapping.enforced_since and op.content.mail is not MailKind.REMINDER
    return op.model_copy(update={"skip": BEFORE}) if listed else op


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
    """One mail of an incident to one person; what it means holds ids, moments and our own words.

    `moment` tells it from others of its kind, `at` is when the rule asked for it: what lies before a restore
    of the ledger is not sent (`syncd.ledger.store.restored`).
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


def _exercise(case: Case) -> bool:
    issue = case.ticket.issue if case.ticket else None
    return issue is not None and EXERCISE in {label.casefold() for label in issue.labels}


def _notices(case: Case, mapping: Mapping, section: ServiceSection) -> Iterator[Operation]:
    reached = _reached(case, mapping, section)
    if reached is None:
        return
    severity, since, entry, source = reached
    skip = _not_now(case)
    for one in notified(case, mapping, section, severity):
        keys = [
            mail_key(MailKind.NOTICE, case.incident.id, _moment(severity, n), one.address)
            for n in range(1, entry + 1)
        ]
        if source:
            keys.append(mail_key(MailKind.NOTICE, source, severity, one.address))
        if any(key in case.sent for key in keys) or (skip and any(key in case.once for key in keys)):
            continue
        yield mail(
            case,
            NoticeMail(severity=severity, since=since),
            _moment(severity, entry),
            one,
            f"the incident reached {severity}",
            since,
            skip,
        )


def _moment(severity: str, entry: int) -> str:
    return severity if entry == 1 else f"{severity}~{entry}"


def _reached(
    case: Case, mapping: Mapping, section: ServiceSection
) -> tuple[str, datetime, int, str | None] | None:
    """The severity that the incident rose to, since when, for which time, and from which merged incident.

    None where it was lowered to what it has now.
    """
    names = list(mapping.severities)
    own = decide_severity(case.incident, mapping, section).name
    severity_periods = [one for one in case.severity_periods if one.severity in names]
    recorded = bool(severity_periods) and severity_periods[-1].severity == own
    before = severity_periods[:-1] if recorded else severity_periods
    worse = [
        one for one in case.merged_sources if one.severity in names and _rank(names, one.severity, own) < 0
    ]
    if worse:
        worst = min(worse, key=lambda one: names.index(one.severity))
        return worst.severity, worst.merged_at, 1, worst.id
    if before and _rank(names, before[-1].severity, own) < 0:
        return None
    entry = 1 + sum(one.severity == own for one in before)
    known = severity_periods[-1].since if recorded else None
    first = case.incident.created_at if not before else _changed_at(case)
    return own, known or first, entry, None


def _rank(names: list[str], one: str, other: str) -> int:
    """Below zero where `one` is worse than `other`."""
    return names.index(one) - names.index(other)


def _changed_at(case: Case) -> datetime:
    return case.incident.updated_at or case.now or case.incident.created_at


def _not_now(case: Case) -> str | None:
    """Why nobody is told any more; None: they are."""
    over = case.incident.over_since
    if over is None:
        return None
    if case.incident.merged_into is not None:
        return "it was merged into another incident, whose notice counts"
    if case.now is not None and case.now - over > JUST_OVER:
        return "it was over before anybody could be told"
    return None


def _corrections(case: Case, mapping: Mapping, section: ServiceSection) -> Iterator[Operation]:
    names = list(mapping.severities)
    own = decide_severity(case.incident, mapping, section).name
    if not case.incident.open or case.merged_sources:
        return
    recorded = bool(case.severity_periods) and case.severity_periods[-1].severity == own
    lowered = case.severity_periods[-1].since if recorded else _changed_at(case)
    for name in names[: names.index(own)]:
        entries = sum(one.severity == name for one in case.severity_periods)
        for one in notified(case, mapping, section, name):
            keys = [
                mail_key(MailKind.NOTICE, case.incident.id, _moment(name, n), one.address)
                for n in range(1, entries + 1)
            ]
            told = next((key for key in reversed(keys) if key in case.sent), None)
            if told is None or lowered - case.sent[told] > SOON_LOWERED:
                continue
            yield mail(
                case,
                CorrectionMail(severity=own, before=name, since=lowered, notice=told),
                f"{name}-{own}",
                one,
                f"the incident was lowered from {name} to {own}",
                lowered,
            )
