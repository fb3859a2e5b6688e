"""Mail the last reminder before a deadline, the breach, and the third postponement of an action item.

QRPay runbook, "Post-Incident Actions": track follow-up tasks to completion. Earlier reminders are lines of
the daily digest. After downtime only the latest step of a duty leaves; the ledger records the steps before it
as not sent. If syncd knows no address of an owner, it mentions them on the issue, and Jira mails them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from syncd.domain.clock import in_utc
from syncd.domain.duty import Duty, DutyKind, DutyState
from syncd.domain.mail import KEYS, MailKind
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import CommentOnActionItem, Operation
from syncd.domain.operation.base import ObjectKind, object_of
from syncd.domain.operation.keys import mention_key
from syncd.domain.operation.mail import BreachMail, PostponedMail, ReminderMail
from syncd.domain.ticket import Account
from syncd.policy.case import Case, Decision, ItemState, Rulebook
from syncd.policy.follow_ups.duties import TOO_OFTEN, postponed_at
from syncd.policy.notify.notices import by_mode, mail, section_of_duty
from syncd.policy.notify.recipients import (
    Recipient,
    can_be_acted_on,
    contacts,
    issue_of,
    out_of_reach,
    owners_of,
    told_of,
    with_deputies,
)
from syncd.policy.rules_in_force import was_over_at_switch
from syncd.policy.severity import decide_severity
from syncd.policy.time.quiet_hours import is_open, last_open, next_open
from syncd.policy.time.time_words import as_date
from syncd.policy.time.working_time import end_of_day

UNSEEN_FOR = timedelta(hours=24)
"""If syncd cannot see an issue at its deadline, the contacts hear of it after this time: it may come back."""
OLD_BREACH = timedelta(days=7)
"""syncd mails no breach and no postponement that is older than this; the weekly report has them."""
_NOT_YET = (DutyState.PENDING, DutyState.DUE_SOON)


def decide_reminders(case: Case, book: Rulebook) -> Decision:
    """Return the reminders and breach mails that are due now; the case's duties are judged already."""
    mapping, now = book.mapping, case.now
    if mapping.mails.mode is Mode.OFF or case.before_enforcement or now is None:
        return Decision()
    operations: list[Operation] = []
    look: frozenset[str] = frozenset()
    again: list[float] = []
    for duty in case.latest_duties():
        if not told_of(duty, mapping) or not can_be_acted_on(case, duty):
            continue
        if duty.state in _NOT_YET and case.skew.passes_at(duty.due_at) > now:
            moment = _moment(case, duty, mapping, now)
            if moment is not None and moment > now:
                again.append((moment - now).total_seconds())
            elif moment is not None:
                # The owner may have done it a minute ago: read the issue again before the reminder leaves.
                unread = _unread(case, duty, reminder_moment(duty, mapping))
                look |= unread
                operations += [] if unread else _reminder(case, book, duty)
        elif duty.state is DutyState.BREACHED and duty.corrected is None:
            operations += [*_passed_over(case, mapping, duty), *_breach(case, book, duty, now)]
            waits = (_told_from(case, duty) - now).total_seconds()
            again += [waits] if waits > 0 else []
    operations += _postponed(case, book)
    decision = by_mode(case, mapping, tuple(operations))
    return decision.plus(Decision(look=look, again=min(again, default=None)))


def reminder_moment(duty: Duty, mapping: Mapping) -> datetime | None:
    """Return the time (UTC) of a duty's last reminder by the rules alone; None: the mapping has none."""
    if not mapping.postmortem.remind_hours:
        return None
    hours = min(mapping.postmortem.remind_hours)
    return max(last_open(duty.due_at - timedelta(hours=hours), mapping), duty.started_at)


def _moment(case: Case, duty: Duty, mapping: Mapping, now: datetime) -> datetime | None:
    """Return the time (UTC) at which the last reminder leaves from `now` on; None: no open time is left."""
    moment = reminder_moment(duty, mapping)
    if moment is None or not case.skew.is_due(moment, now):
        return None if moment is None else case.skew.due_at(moment)
    # The time has passed, for example while syncd was down. Quiet hours still hold.
    if is_open(now, mapping):
        return now
    moment = next_open(now, mapping)
    return moment if moment < case.skew.passes_at(duty.due_at) else None


def _unread(case: Case, duty: Duty, since: datetime | None) -> frozenset[str]:
    """Return the part of the case that syncd has not read since the reminder became due."""
    part = "postmortem" if duty.of_postmortem else "items"
    state = issue_of(case, duty)
    # syncd cannot read an issue that is out of sight, and must not hold the reminder for it.
    if state is None or not state.in_sight or since is None:
        return frozenset()
    # The reminder left already.
    if any(key.startswith(_step(case, duty)) for key in case.sent):
        return frozenset()
    read = state.changes_until is not None and case.skew.is_due(since, state.changes_until)
    return frozenset() if read else frozenset({part})


def _reminder(case: Case, book: Rulebook, duty: Duty) -> Iterator[Operation]:
    owners = owners_of(case, duty, book.mapping, book.section)
    reason = f"{words_of(duty)} is due {in_utc(duty.due_at)}"
    at = reminder_moment(duty, book.mapping)
    for owner in owners:
        yield mail(case, ReminderMail(**_about(duty)), step_of(duty), owner, reason, at)
    if not owners:
        yield from _mention(case, book, duty, "due soon", reason)


def _passed_over(case: Case, mapping: Mapping, duty: Duty) -> Iterator[Operation]:
    """Record the last reminder as not sent if the deadline passed before it could leave."""
    step, moment = _step(case, duty), reminder_moment(duty, mapping)
    mentioned = _mention_key(case, duty, "due soon") in case.once or _commented_on_postmortem(case, duty)
    if moment is None or mentioned or any(key.startswith(step) for key in case.once):
        return
    skip = "the deadline has passed meanwhile, so syncd sends only the latest step"
    nobody = Recipient(address="nobody", why="")
    reason = "the last reminder"
    yield mail(case, ReminderMail(**_about(duty)), step_of(duty), nobody, reason, moment, skip)


def missed_at(case: Case, duty: Duty, mapping: Mapping) -> datetime:
    """Return the time (UTC) at which the deadline of an overdue duty passed."""
    # A person may enter a due date that lies before the clock's start.
    at, item = duty.breached_at or duty.due_at, case.item(duty.subject)
    dated = duty.kind is DutyKind.DONE and item is not None and item.issue is not None
    day = as_date(item.issue.due_date) if dated and item is not None and item.issue is not None else None
    return at if day is None else min(at, end_of_day(day, mapping.zone))


def _told_from(case: Case, duty: Duty) -> datetime:
    """Return when the contacts hear of a breach (UTC): a day later if syncd cannot see the issue."""
    at, state = duty.breached_at or duty.due_at, issue_of(case, duty)
    if not duty.unseen or state is None or state.deleted_by is not None:
        return at
    return max(at, state.out_of_sight_since or at) + UNSEEN_FOR


def _breach(case: Case, book: Rulebook, duty: Duty, now: datetime) -> Iterator[Operation]:
    recurring = duty.kind is DutyKind.HELD
    severity = None if recurring else decide_severity(case.incident, book.mapping, book.section).name
    reason = f"{words_of(duty)} is overdue since {in_utc(duty.due_at)}"
    old = now - (duty.breached_at or duty.due_at) > OLD_BREACH
    skip = "the deadline passed more than a week ago; the weekly report lists it" if old else None
    at = missed_at(case, duty, book.mapping)
    state = issue_of(case, duty)
    if duty.unseen and state is not None:
        reason = f"syncd cannot see {state.key}; was it moved, restricted or deleted?"
        for owner in owners_of(case, duty, book.mapping, book.section):
            moment = f"{place_of(duty)}:unseen"
            yield mail(case, BreachMail(**_about(duty)), moment, owner, reason, at, skip)
        if now < _told_from(case, duty):
            return
    for contact in with_deputies(contacts(book.mapping, book.section, severity), book.mapping, now):
        yield mail(case, BreachMail(**_about(duty)), place_of(duty), contact, reason, at, skip)
    # The first day disturbs nobody: a breach from before `enforce_from` is listed only.
    over = was_over_at_switch(case, ("mails", section_of_duty(case, duty.kind)), at)
    if not old and not over and at >= book.mapping.enforced_since and not duty.unseen:
        yield from _mention(case, book, duty, "overdue", reason)


def _postponed(case: Case, book: Rulebook) -> Iterator[Operation]:
    if book.mapping.follow_ups.mode is not Mode.ENFORCE:
        return
    severity = decide_severity(case.incident, book.mapping, book.section).name
    for item in case.items:
        over = item.issue is not None and item.issue.status.category == "done"
        if over or item.recurring or postponements(item) < TOO_OFTEN:
            continue
        told = contacts(book.mapping, book.section, severity)
        for contact in with_deputies(told, book.mapping, case.now):
            reason = f"the action item {item.key} was postponed for the third time"
            moment = f"{item.issue_id}:{TOO_OFTEN}"
            at = next(iter(postponed_at(item.changes)[TOO_OFTEN - 1 :]), None)
            # who becomes a contact or a deputy later must not hear of it as news
            old = at is not None and case.now is not None and case.now - at > OLD_BREACH
            skip = "it was postponed more than a week ago; the weekly report counts it" if old else None
            yield mail(case, PostponedMail(issue=item.issue_id), moment, contact, reason, at, skip)


def postponements(item: ItemState) -> int:
    """Return how often people postponed the due date of an action item."""
    times = item.facts.get("postponed", 0)
    return times if isinstance(times, int) else 0


def _mention(case: Case, book: Rulebook, duty: Duty, when: str, reason: str) -> Iterator[Operation]:
    """Return a comment that mentions the owner of an action item, if syncd knows no address of theirs."""
    account = out_of_reach(case, duty)
    if account is None or _commented_on_postmortem(case, duty):
        return
    yield CommentOnActionItem(
        key=_mention_key(case, duty, when),
        incident=case.incident.id,
        object=object_of(ObjectKind.ACTION_ITEM, duty.subject),
        subject=when,
        text=f"{mention(account, book)} {reason}.",
        value="",
        reason=f"syncd knows no e-mail address of the owner: {reason}",
    )


def mention(account: Account, book: Rulebook) -> str:
    """Return the markup that mentions a person, so that Jira mails them."""
    return f"[~accountid:{account.id}]" if book.project.edition == "cloud" else f"[~{account.id}]"


def _commented_on_postmortem(case: Case, duty: Duty) -> bool:
    """Return True if the comment on the postmortem mentions the owner already (`comment_on_duties`)."""
    return duty.of_postmortem and out_of_reach(case, duty) is not None


def words_of(duty: Duty) -> str:
    """Return the duty in words."""
    return {
        DutyKind.SCHEDULED: "scheduling the postmortem",
        DutyKind.COMPLETED: "completing the postmortem",
        DutyKind.OWNED: "an owner for the action item",
        DutyKind.DONE: "the action item",
        DutyKind.HELD: "the exercise or review",
        DutyKind.FILED: f"the regulatory filing {duty.subject}",
    }[duty.kind]


def place_of(duty: Duty) -> str:
    """Return the form of a duty in keys."""
    return f"{duty.kind}:{duty.subject}:{duty.clock}"


def step_of(duty: Duty) -> str:
    """Return the form of a duty's last reminder in keys; a moved deadline is reminded of anew."""
    return f"{place_of(duty)}:{duty.due_at:%Y%m%dT%H%M}"


def _step(case: Case, duty: Duty) -> str:
    return f"{KEYS}{MailKind.REMINDER}/{case.incident.id}/{step_of(duty)}/"


def _mention_key(case: Case, duty: Duty, when: str) -> str:
    return mention_key(case.incident.id, step_of(duty), when.replace(" ", "-"))


def _about(duty: Duty) -> dict[str, str]:
    return {"duty": duty.kind, "subject": duty.subject, "clock": str(duty.clock)}
