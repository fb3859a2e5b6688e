"""What a postmortem itself says about its duties: one comment when due soon, one at the breach, none daily.

The label `postmortem-overdue` comes with a breach and goes when nothing is overdue any more. A postmortem
that was scheduled or completed before its incident was reopened is to be reviewed; one that a person wrote
for an incident that was merged into another asks which counts (rules: "The postmortem", "Who hears what").
An owner whom no mail reaches is named in the comment, so that Jira mails them and nothing is said twice.
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
from syncd.policy.postmortem.facts_in_comments import POSTMORTEM, duty_stated, facts_of, step_key
from syncd.policy.postmortem.fulfilment import review_field, written_by_a_person
from syncd.policy.time.time_words import at_words

OVERDUE_LABEL = "postmortem-overdue"
_WORDS = {
    DutyKind.SCHEDULED: ("schedule it", "was not scheduled"),
    DutyKind.COMPLETED: ("complete it", "was not completed"),
}


def comment_on_duties(case: Case, book: Rulebook) -> Decision:
    """Given a case with its duties judged, return what people are told on the postmortem."""
    mode, postmortem = book.mapping.postmortem.mode, case.postmortem
    if mode is Mode.OFF or case.before_enforcement or postmortem is None or not postmortem.in_sight:
        return Decision()
    latest = [one for kind in OF_POSTMORTEM if (one := case.duty(kind)) is not None]
    said = [op for duty in latest if (op := _step(case, book, duty)) is not None]
    said += [op for op in (_review(case, book, latest), _which_counts(case, book)) if op is not None]
    said = [op for op in said if op.key not in case.once]
    label = _label(case, postmortem, latest)
    if mode is Mode.REPORT:
        return Decision(dry_run_notes=tuple(f"comment on {postmortem.key}: {op.text}" for op in said))
    return Decision(operations=(*said, *label))


def _step(case: Case, book: Rulebook, duty: Duty) -> CommentOnPostmortem | None:
    """The comment of how a duty stands now: due soon, or overdue."""
    if duty.state not in (DutyState.DUE_SOON, DutyState.BREACHED):
        return None
    if (duty.breached_at or duty.due_at) < book.mapping.enforced_since:
        return None
    due = at_words(duty.due_at, book.mapping.zone)
    soon, late = _WORDS[duty.kind]
    if duty.state is DutyState.DUE_SOON:
        text = f"{soon} by {due}. Why: {duty.reason}. To do: {duty.remedy}."
    else:
        text = f"it {late} by {due} and is overdue. Why: {duty.reason}. To do: {duty.remedy}."
    owner = out_of_reach(case, duty) if book.mapping.mails.mode is Mode.ENFORCE else None
    text = text if owner is None else f"{mention(owner, book)} {text}"
    key = step_key(case.incident.id, POSTMORTEM, duty, duty.state)
    reason, step = f"the postmortem is {STATE_WORDS[duty.state]}", f"{duty.kind}/{duty.clock}"
    stated = duty.state is DutyState.BREACHED and duty.corrected is None
    return _comment(case, key, text, reason, step, facts_of(duty_stated(duty)) if stated else None)


def _review(case: Case, book: Rulebook, latest: list[Duty]) -> CommentOnPostmortem | None:
    """Reopened after it was met: it stays met, and somebody looks whether it still fits."""
    reopened = case.reopened_at
    met = [
        one
        for one in latest
        if one.state in MET
        and reopened
        and one.met_at
        and one.started_at <= reopened
        and one.met_at <= reopened
    ]
    if reopened is None or not met:
        return None
    done = " and ".join(str(one.kind) for one in met)
    when = at_words(reopened, book.mapping.zone)
    text = (
        f"the incident was reopened {when}, after the postmortem was {done}. Please check that it still fits."
    )
    key = comment_key(case.incident.id, POSTMORTEM, "review", int(reopened.timestamp()))
    return _comment(case, key, text, "the incident was reopened", "review")


def _which_counts(case: Case, book: Rulebook) -> CommentOnPostmortem | None:
    target = case.merged_into
    if target is None or not target.claimed or not written_by_a_person(case.postmortem, review_field(book)):
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
    """The label comes once with each breach, so that one which a person takes away stays away."""
    issue = postmortem.issue
    if issue is None:
        return ()
    late = sorted(f"{one.kind}/{one.clock}" for one in latest if one.state is DutyState.BREACHED)
    there = OVERDUE_LABEL in issue.labels
    known = postmortem.agreed.get(OVERDUE_LABEL)
    wanted: JsonValue = ",".join(late) or None
    if late and not there and known != wanted:
        return (_edit(case, postmortem, "add", wanted),)
    if not late and there:
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
