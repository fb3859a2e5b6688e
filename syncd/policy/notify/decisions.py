"""Mail each approver at once what a command gave in their name: a waiver, or a breach that is taken back.

The system user who types a command names the approver, so the approver must hear of it. A label in Jira needs
no mail: the approver wrote the comment there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from syncd.domain.duty import Duty, DutyKind, Waiver
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import Operation
from syncd.domain.operation.mail import DecisionMail
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.notify.notices import by_mode, mail
from syncd.policy.notify.recipients import Recipient, with_deputies
from syncd.policy.notify.reminders import OLD_BREACH, place_of, words_of
from syncd.policy.time.time_words import at_words

AND = " and "
"""The word between the two approvers of a third waiver."""
_WHY = "it was given in your name"


def decide_decisions(case: Case, book: Rulebook) -> Decision:
    """Return the mails to approvers about what was given in their names."""
    mapping = book.mapping
    if mapping.mails.mode is Mode.OFF or case.before_enforcement or case.now is None:
        return Decision()
    mails = [op for waiver in case.waivers for op in _of_waiver(case, mapping, waiver)]
    mails += [op for duty in case.duties for op in _of_correction(case, mapping, duty)]
    return by_mode(case, mapping, tuple(mails))


def _of_waiver(case: Case, mapping: Mapping, waiver: Waiver) -> Iterator[Operation]:
    if waiver.source != "command" or waiver.rebuilt:
        return
    until, waived = at_words(waiver.until, mapping.zone), _waived(case, waiver)
    several = waiver.duty is None
    text = f"syncd waive: {waived} {'are' if several else 'is'} waived until {until}."
    reason = f"{waived} {'were' if several else 'was'} waived"
    moment = f"waiver:{waiver.subject or ''}:{waiver.duty or ''}:{waiver.at:%Y%m%dT%H%M%S%f}"
    for address in waiver.by.split(AND):
        content = DecisionMail(text=text, ends=_unwaive(case, waiver, address))
        for who in _told(case, mapping, address, waiver.at):
            yield mail(case, content, moment, who, reason, waiver.at)


def _of_correction(case: Case, mapping: Mapping, duty: Duty) -> Iterator[Operation]:
    if duty.corrected_by is None or duty.corrected_at is None:
        return
    due, what = at_words(duty.due_at, mapping.zone), words_of(duty)
    text = f"syncd correct: the breach of {what}, due {due}, is taken back. Both stay on record."
    moment = f"correction:{place_of(duty)}"
    reason = f"the breach of {what} was taken back"
    for who in _told(case, mapping, duty.corrected_by, duty.corrected_at):
        yield mail(case, DecisionMail(text=text), moment, who, reason, duty.corrected_at)


def _told(case: Case, mapping: Mapping, address: str, at: datetime) -> tuple[Recipient, ...]:
    """Return the approver of a decision, and the deputy of one on leave while the decision is news."""
    approver = Recipient(address=address, why=_WHY)
    is_news = case.now is not None and case.now - at <= OLD_BREACH
    return with_deputies([approver], mapping, case.now) if is_news else (approver,)


def _unwaive(case: Case, waiver: Waiver, by: str) -> str:
    """Return the command that ends a waiver."""
    filing = waiver.duty is DutyKind.FILED
    of = _item(case, waiver) if waiver.subject and not filing else str(case.incident.number)
    named = f":{waiver.subject}" if waiver.subject and filing else ""
    duty = f" --duty {waiver.duty}{named}" if waiver.duty else ""
    return f'syncd unwaive {of}{duty} --reason "…" --by {by}'


def _item(case: Case, waiver: Waiver) -> str:
    item = case.item(waiver.subject)
    return item.key if item is not None else str(waiver.subject)


def _waived(case: Case, waiver: Waiver) -> str:
    if waiver.duty in (DutyKind.OWNED, DutyKind.DONE, DutyKind.HELD):
        return f"the duty {waiver.duty} of {_item(case, waiver)}"
    if waiver.duty is DutyKind.FILED:
        return f"the regulatory filing {waiver.subject}" if waiver.subject else "each regulatory filing"
    duties = "both duties" if waiver.duty is None else f"the duty {waiver.duty}"
    return f"{duties} of the postmortem"
