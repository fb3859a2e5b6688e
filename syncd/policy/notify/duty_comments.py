"""Comment on the postmortem about its duties: once when a duty is due soon, once at the breach, never daily.

QRPay runbook, "Post-Incident": schedule the postmortem within 48 hours. syncd sets the label
`postmortem-overdue` at a breach and removes it when nothing is overdue any more. After a reopen of the
incident a comment asks for a review of the postmortem. After a merge a comment asks which of two written
postmortems counts.
"""

from __future__ import annotations

from syncd.domain.base import JsonValue
from syncd.domain.duty import MET, OF_POSTMORTEM, STATE_WORDS, Duty, DutyKind, DutyState
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import CommentOnPostmortem, EditPostmortem, Operation
from syncd.domain.operation.keys import comment_key, overdue_key
from syncd.policy.case import Case, Decision, PostmortemState, Rulebook
from syncd.policy.notify.recipients import out_of_reach
from syncd.policy.notify.reminders import mention
from syncd.policy.postmortem.duties import written_before_merge
from syncd.policy.postmortem.facts_in_comments import POSTMORTEM, duty_stated, facts_of, step_key
from syncd.policy.rules_in_force import was_over_at_switch
from syncd.policy.time.time_words import at_words

OVERDUE_LABEL = "postmortem-overdue"
_WORDS = {
    DutyKind.SCHEDULED: ("schedule it", "was not scheduled"),
    DutyKind.COMPLETED: ("complete it", "was not completed"),
}


def comment_on_duties(case: Case, book: Rulebook) -> Decision:
    """Return the comments and the label of the postmortem; the case's duties are judged already."""
    mode, postmortem = book.mapping.postmortem.mode, case.postmortem
    if mode is Mode.OFF or case.before_enforcement or postmortem is None or not postmortem.in_sight:
        return Decision()
    latest = [duty for kind in OF_POSTMORTEM if (duty := case.duty(kind)) is not None]
    steps = [_step(case, book, duty) for duty in latest]
    asked = [_review(case, book, latest), _which_counts(case, book)]
    comments = [op for op in (*steps, *asked) if op is not None and op.key not in case.once]
    label = _label(case, postmortem, latest)
    if mode is Mode.REPORT:
        return Decision(dry_run_notes=tuple(f"comment on {postmortem.key}: {op.text}" for op in comments))
    return Decision(operations=(*comments, *label))


def _step(case: Case, book: Rulebook, duty: Duty) -> CommentOnPostmortem | None:
    """Return the comment for a duty that is due soon or overdue, None for any other state."""
    if duty.state not in (DutyState.DUE_SOON, DutyState.BREACHED):
        return None
    # The first day disturbs nobody: `syncd status` lists what was overdue before `enforce_from`.
    overdue = duty.breached_at or duty.due_at
    if overdue < book.mapping.enforced_since or was_over_at_switch(case, ("postmortem",), overdue):
        return None
    due = at_words(duty.due_at, book.mapping.zone)
    soon, late = _WORDS[duty.kind]
    if duty.state is DutyState.DUE_SOON:
        text = f"{soon} by {due}. Why: {duty.reason}. To do: {duty.remedy}."
    else:
        text = f"it {late} by {due} and is overdue. Why: {duty.reason}. To do: {duty.remedy}."
    # No mail reaches an owner without a known address. The comment mentions them, so that Jira mails them.
    owner = out_of_reach(case, duty) if book.mapping.mails.mode is Mode.ENFORCE else None
    text = text if owner is None else f"{mention(owner, book)} {text}"
    key = step_key(case.incident.id, POSTMORTEM, duty, duty.state)
    reason, step = f"the postmortem is {STATE_WORDS[duty.state]}", f"{duty.kind}/{duty.clock}"
    # The comment carries the breach for a ledger that is lost later. A corrected breach must not come back.
    stated = duty.state is DutyState.BREACHED and duty.corrected is None
    return _comment(case, key, text, reason, step, facts_of(duty_stated(duty)) if stated else None)


def _review(case: Case, book: Rulebook, latest: list[Duty]) -> CommentOnPostmortem | None:
    """Return the comment that asks for a review after a reopen; a duty that was met stays met."""
    reopened = case.reopened_at
    met = [
        duty
        for duty in latest
        if duty.state in MET
        and reopened
        and duty.met_at
        and duty.started_at <= reopened
        and duty.met_at <= reopened
    ]
    if reopened is None or not met:
        return None
    done = " and ".join(str(duty.kind) for duty in met)
    when = at_words(reopened, book.mapping.zone)
    text = (
        f"the incident was reopened {when}, after the postmortem was {done}. Please check that it still fits."
    )
    key = comment_key(case.incident.id, POSTMORTEM, "review", int(reopened.timestamp()))
    return _comment(case, key, text, "the incident was reopened", "review")


def _which_counts(case: Case, book: Rulebook) -> CommentOnPostmortem | None:
    target = case.merged_into
    # A target that no mapping claims has no postmortem.
    if target is None or not target.claimed or not written_before_merge(case, book):
        return None
    text = (
        f"the incident was merged into incident {target.number or target.id}, whose postmortem counts from"
        " then on. A person already worked on this postmortem, so syncd closes and cancels nothing. Please"
        " decide which of the two counts, and close the other."
    )
    key = comment_key(case.incident.id, POSTMORTEM, "which-counts", target.id)
    return _comment(case, key, text, "the incident was merged", "merge")


def _comment(
    case: Case, key: str, text: str, reason: str, step: str, facts: dict[str, JsonValue] | None = None
) -> CommentOnPostmortem:
    return CommentOnPostmortem(
        key=key,
        incident=case.incident.id,
        subject="postmortem",
        text=text,
        value="",
        step=step,
        facts=facts,
        reason=reason,
    )


def _label(case: Case, postmortem: PostmortemState, latest: list[Duty]) -> tuple[Operation, ...]:
    """Return the edit that sets the label once for each breach, or removes it when nothing is overdue."""
    issue = postmortem.issue
    if issue is None:
        return ()
    late = sorted(f"{duty.kind}/{duty.clock}" for duty in latest if duty.state is DutyState.BREACHED)
    has_label = OVERDUE_LABEL in issue.labels
    labelled_for = postmortem.agreed.get(OVERDUE_LABEL)
    breaches: JsonValue = ",".join(late) or None
    # A person who removes the label does so for good, until the next breach.
    if late and not has_label and labelled_for != breaches:
        return (_edit(case, postmortem, "add", breaches),)
    if not late and has_label:
        return (_edit(case, postmortem, "remove", None),)
    return ()


def _edit(case: Case, postmortem: PostmortemState, verb: str, agree: JsonValue) -> Operation:
    return EditPostmortem(
        key=overdue_key(case.incident.id),
        incident=case.incident.id,
        aspect="overdue",
        issue=postmortem.issue_id,
        fields={},
        update={"labels": [{verb: OVERDUE_LABEL}]},
        agree={OVERDUE_LABEL: agree},
        reason="the postmortem is overdue" if verb == "add" else "the postmortem is not overdue any more",
    )
