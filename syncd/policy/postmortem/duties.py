"""The two duties of a postmortem: that it is scheduled, and that it is completed.

Decided by the time of the act at its source, never by when the daemon looked: what the rules rest on is read
first (`Decision.look`). `resolved_periods` says when clocks run, `fulfilment` when a duty was met,
`syncd.policy.postmortem.judge` how each then stands (rules: "The postmortem: two duties").
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from syncd.domain.duty import OF_POSTMORTEM, RUNNING, Duty, DutyState
from syncd.domain.mapping.value_types import Mode
from syncd.policy.case import Case, Decision, Remark, Rulebook
from syncd.policy.postmortem.fulfilment import review_field, written_by_a_person
from syncd.policy.postmortem.judge import Clock, JudgeContext, cancelled, judge, own_duties, soon_at
from syncd.policy.postmortem.owed import Owed, counts_for_another, might_owe, qualifies
from syncd.policy.postmortem.resolved_periods import enforced, resolved_periods
from syncd.policy.postmortem.waiver_labels import label_waivers


def decide_duties(case: Case, book: Rulebook) -> Decision:
    """Given a case, return the two duties as far as they stand otherwise than on record."""
    now, known = case.now, own_duties(case)
    if book.mapping.postmortem.mode is Mode.OFF or case.before_enforcement or now is None:
        return Decision()
    rebuilt = "postmortem" not in case.rebuild
    if not known and ((case.incident.open and rebuilt) or not might_owe(case, book)):
        return Decision()
    if case.state_changes is None:
        return Decision(look=frozenset({"log"}))
    postmortem = case.postmortem
    unread = postmortem is not None and postmortem.in_sight and postmortem.changes_until is None
    if unread or not rebuilt:
        return Decision(look=frozenset({"postmortem"}))
    periods = resolved_periods(case.state_changes, now)
    owed, settles_at = qualifies(case, book)
    again = _until([settles_at] if settles_at else [], now)
    labels, waivers = label_waivers(case, book)
    nothing = _why_nothing(case, book, owed, settles_at)
    if nothing is not None:
        gone = tuple(cancelled(one, nothing) for one in known if one.state in RUNNING)
        return labels.plus(Decision(duties=gone, again=again))
    if owed is None:
        return labels.plus(Decision(again=again))
    clocks = [Clock(max(period.resolved_at, owed.since), period) for period in enforced(periods, book)]
    clocks = [one for one in clocks if one.ended_at is None or one.started_at < one.ended_at]
    context = JudgeContext(case, book, now, owed, clocks, waivers)
    for kind in OF_POSTMORTEM:
        judge(kind, context)
    if context.unread:
        return Decision(look=frozenset({"postmortem"}))
    context.moments += [period.doubtful_until for period in periods if period.doubtful_until]
    changed = tuple(one for one in context.duties if one not in known)
    judged = Decision(
        duties=changed, again=_until(context.moments, now), remarks=_passed_over(changed, case, book)
    )
    return labels.plus(judged)


def _why_nothing(case: Case, book: Rulebook, owed: Owed | None, settles_at: datetime | None) -> str | None:
    """Why no postmortem is owed (any more), None if one is or may soon be."""
    target = case.merged_into
    if counts_for_another(case) and not written_by_a_person(case.postmortem, review_field(book)):
        named = target.number or target.id if target is not None else case.incident.merged_into
        return f"it was merged into incident {named}, whose postmortem counts"
    if owed is not None or settles_at is not None:
        return None
    if book.mapping.postmortem.basis == "final":
        return "its severity was lowered to one that needs no postmortem"
    return "by the rules in force for it, it needs no postmortem"


def _until(moments: Iterable[datetime], now: datetime) -> float | None:
    """Seconds until the first of these moments that is still to come."""
    return min(((at - now).total_seconds() for at in moments if at > now), default=None)


def _passed_over(changed: Iterable[Duty], case: Case, book: Rulebook) -> tuple[Remark, ...]:
    """Steps that were passed over while nobody looked: only the latest of each duty goes out."""
    if book.mapping.postmortem.mode is not Mode.ENFORCE or case.postmortem is None:
        return ()
    before = {one.place: one.state for one in case.duties}
    return tuple(
        Remark(
            rule="postmortem.due_soon",
            reason=f"{one.kind}: not said when due soon, because it was overdue when syncd looked",
        )
        for one in changed
        if one.state is DutyState.BREACHED
        and one.met_at is None
        and before.get(one.place, DutyState.PENDING) is DutyState.PENDING
        and soon_at(one, book) is not None
    )
