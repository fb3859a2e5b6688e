"""Comment on the issue when people waive a duty, end a waiver, or take a breach back.

People who open the issue see the decision, and a new ledger can be rebuilt from the comments
(`syncd.policy.postmortem.facts_in_comments`). syncd comments as soon as it sees the issue.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.domain.clock import in_utc
from syncd.domain.duty import TAKEN_BACK, Duty, DutyKind, Waiver
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import CommentOnActionItem, CommentOnPostmortem, split_object
from syncd.domain.operation.postmortem import comment_on_duty_issue
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.postmortem.facts_in_comments import (
    POSTMORTEM,
    Stated,
    duty_stated,
    end_stated,
    facts_of,
    key_of,
    waiver_stated,
)
from syncd.policy.time.time_words import at_words

_WAIVED = {
    None: "the duty to schedule and complete it",
    DutyKind.SCHEDULED: "the duty to schedule it",
    DutyKind.COMPLETED: "the duty to complete it",
    DutyKind.OWNED: "the duty to find an owner",
    DutyKind.DONE: "the duty to finish it",
}
FILED = DutyKind.FILED
"""A filing stands on no issue of its own, and a ledger rebuilds it from the ticket."""
_LATE = {
    DutyKind.SCHEDULED: "it was not scheduled in time",
    DutyKind.COMPLETED: "it was not completed in time",
    DutyKind.OWNED: "it had no owner in time",
    DutyKind.DONE: "it was not done in time",
}


def comment_on_waivers(case: Case, book: Rulebook) -> Decision:
    """Return the comments on waivers and corrections; the case's duties are judged already."""
    if case.before_enforcement:
        return Decision()
    decision = Decision()
    comments = [
        comment
        for waiver in case.waivers
        if waiver.duty is not FILED
        for comment in _waiver(case, book, waiver)
    ]
    corrected = [duty for duty in case.duties if duty.corrected is not None and duty.kind is not FILED]
    comments += [comment for duty in corrected for comment in _correction(case, duty)]
    for comment in comments:
        mode = _mode(case, comment, book)
        if mode is Mode.OFF or comment.key in case.once:
            continue
        if mode is Mode.ENFORCE:
            decision = decision.plus(Decision(operations=(comment,)))
        else:
            decision = decision.plus(Decision(dry_run_notes=(f"comment: {comment.reason}",)))
    return decision


def _mode(case: Case, comment: CommentOnPostmortem | CommentOnActionItem, book: Rulebook) -> Mode:
    """Return the mode in which syncd may comment: off where the issue is out of sight."""
    kind, ident = split_object(comment.object)
    of_postmortem = kind == POSTMORTEM
    state = case.postmortem if of_postmortem else case.item(ident)
    section = book.mapping.postmortem if of_postmortem else book.mapping.follow_ups
    return section.mode if state is not None and state.in_sight else Mode.OFF


def _waiver(
    case: Case, book: Rulebook, waiver: Waiver
) -> Iterator[CommentOnPostmortem | CommentOnActionItem]:
    waived = _WAIVED[waiver.duty]
    until = at_words(waiver.until, book.mapping.zone)
    text = f"{waived} is waived until {until}. syncd reminds nobody until then, and every report shows it."
    yield _comment(case, waiver.subject, "waiver", text, waiver_stated(waiver), (waiver.by, waiver.reason))
    ended = end_stated(waiver)
    if ended is not None:
        at = at_words(ended.ended_at, book.mapping.zone)
        text = f"the waiver of {waived} was ended {at}. Its deadline counts again 24 hours later."
        yield _comment(case, waiver.subject, "waiver", text, ended, (waiver.ended_by or "", ""))


def _correction(case: Case, duty: Duty) -> Iterator[CommentOnPostmortem | CommentOnActionItem]:
    item = None if duty.of_postmortem else duty.subject
    text = f"syncd recorded that {_LATE[duty.kind]}. This is taken back; both stay on record."
    anew = next(
        (other for other in case.duties if other.place == (duty.kind, duty.subject, duty.clock + 1)), None
    )
    if anew is not None and anew.reason.startswith(TAKEN_BACK):
        text += f" It is owed anew, by {in_utc(anew.due_at)}."
    elif duty.claimed_met_at is not None:
        text += f" By the approver's word it was met {in_utc(duty.claimed_met_at)}; nothing more is owed."
    yield _comment(
        case, item, "correction", text, duty_stated(duty), (duty.corrected_by or "", duty.corrected or "")
    )


def _comment(
    case: Case, item: str | None, subject: str, text: str, stated: Stated, words: tuple[str, str]
) -> CommentOnPostmortem | CommentOnActionItem:
    """Return the comment; `words` are the person who decided and the reason, both typed by people."""
    # People's words about a restricted incident must not appear on issues.
    incident, words = case.incident.id, ("", "") if case.restricted else words
    place = POSTMORTEM if item is None else item
    return comment_on_duty_issue(
        incident,
        item,
        key=key_of(incident, place, stated),
        subject=subject,
        text=text,
        value=": ".join(word for word in words if word),
        facts=facts_of(stated),
        said=words[1],
        reason=f"so that people see the {subject}, and syncd can read it back if the ledger is lost",
    )
