"""Decide the two duties of a postmortem: to schedule it and to complete it.

QRPay runbook, "Post-Incident": schedule the postmortem within 48 hours. A verdict depends on the time of an
act in PagerDuty or Jira, never on the time at which syncd looks, so syncd reads the sources first
(`Decision.look`). `resolved_periods` tells when clocks run, `fulfilment` when a duty was met, `judge` which
clocks each duty has, and `verdict` its state on one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from syncd.domain.duty import OF_POSTMORTEM, Duty, DutyState
from syncd.domain.mapping.value_types import Mode
from syncd.policy.case import Case, Decision, Remark, Rulebook
from syncd.policy.exercises import exercise_of
from syncd.policy.postmortem.deadlines import soon_at
from syncd.policy.postmortem.fulfilment import review_field, written_by_a_person
from syncd.policy.postmortem.judge import judge, own_duties
from syncd.policy.postmortem.owed import (
    Stretch,
    counts_for_another,
    might_owe,
    owing_times,
    qualifies,
    severity_periods_of,
)
from syncd.policy.postmortem.resolved_periods import (
    Clock,
    ResolvedPeriod,
    counts_from_before_the_rules,
    enforced,
    merge_of,
    merged_at,
    resolved_periods,
)
from syncd.policy.postmortem.verdict import JudgeContext, merged_words
from syncd.policy.postmortem.waiver_labels import label_waivers
from syncd.policy.rules_in_force import changed_since_resolve, rules_at, rules_in_force
from syncd.policy.time.working_time import seconds_until


def decide_duties(case: Case, book: Rulebook) -> Decision:
    """Return those of the two duties that differ from the record, and the sources to read first."""
    now, recorded = case.now, own_duties(case)
    if book.mapping.postmortem.mode is Mode.OFF or case.before_enforcement or now is None:
        return Decision()
    # After a lost ledger the duties stand only in syncd's comments on the postmortem.
    rebuilt = "postmortem" not in case.rebuild
    if not recorded and ((case.incident.open and rebuilt and not case.resolves) or not might_owe(case, book)):
        return Decision()
    if case.state_changes is None:
        return Decision(look=frozenset({"log"}))
    postmortem = case.postmortem
    # An act on it may be unread: no verdict, no reminder, until syncd can read it again.
    if postmortem is not None and postmortem.issue_id in case.unread:
        return Decision()
    unread = postmortem is not None and postmortem.in_sight and postmortem.changes_until is None
    if unread or not rebuilt:
        return Decision(look=frozenset({"postmortem"}))
    periods = resolved_periods(case.state_changes, case.skew.earliest(now))
    owed, settles_at = qualifies(case, book)
    settles = [settles_at] if settles_at else []
    labels, waivers = label_waivers(case, book)
    owing = owing_times(case, book)
    nothing = _why_nothing(case, book, owing, settles_at)
    if nothing is None and not owing:
        return labels.plus(Decision(again=seconds_until(settles, now)))
    clocks = [
        Clock(max(period.resolved_at, time.since), period, lowered_at=time.until, merged_at=merged)
        for period, merged in _with_merges(enforced(periods, book), case, book)
        for time in _owing_by_rules_of(period, case, book)
    ]
    # The incident qualified only after it was reopened or merged: that resolve starts no clock.
    clocks = [clock for clock in clocks if clock.ended_at is None or clock.started_at < clock.ended_at]
    moments = settles if nothing is not None else []
    context = JudgeContext(case, book, now, owed, clocks, waivers, moments=moments)
    for kind in OF_POSTMORTEM:
        judge(kind, context, periods, nothing)
    # Only a changelog that was read beyond a deadline proves a breach.
    if context.unread:
        return Decision(look=frozenset({"postmortem"}))
    doubtful = [period.doubtful_until for period in periods if period.doubtful_until]
    context.moments += [case.skew.passes_at(until) for until in doubtful]
    changed = tuple(duty for duty in context.duties if duty not in recorded)
    judged = Decision(
        duties=changed, again=seconds_until(context.moments, now), remarks=_passed_over(changed, case, book)
    )
    return labels.plus(judged)


def _owing_by_rules_of(period: ResolvedPeriod, case: Case, book: Rulebook) -> list[Stretch]:
    """Return the times in which the incident owed a postmortem by the rules at the resolve of a period."""
    rules = rules_at(case, book, period.resolved_at)
    return owing_times(case, rules) if rules.mapping.postmortem.mode is not Mode.OFF else []


def _with_merges(
    periods: Sequence[ResolvedPeriod], case: Case, book: Rulebook
) -> Iterator[tuple[ResolvedPeriod, datetime | None]]:
    """Yield each period with the moment from which on another incident's postmortem counted for it."""
    for period in periods:
        merged = merge_of(period, periods, case)
        # What a person wrote before the merge keeps its duties; the resolve of a merge starts none.
        known = period.merged_at
        if merged is not None and known != period.resolved_at:
            written = written_by_a_person(case.postmortem, review_field(book), known)
            merged = None if written else merged
        yield period, merged


def _why_nothing(
    case: Case, book: Rulebook, owing: Sequence[Stretch], settles_at: datetime | None
) -> str | None:
    """Return why no postmortem is owed (any more), None if one is owed or may soon be."""
    # The postmortem that a person already wrote keeps its duties: people decide which of the two counts.
    if counts_for_another(case) and not written_before_merge(case, book):
        return merged_words(case)
    exercise = exercise_of(case)
    if exercise is not None:
        # The audit trail keeps this reason for ever, so it names nobody; the report does.
        return f"it is an exercise: {exercise.why}"
    if owing or settles_at is not None:
        return None
    return _needs_none(case, book)


def why_no_postmortem(case: Case, book: Rulebook) -> str | None:
    """Return why the incident never owed a postmortem, None if it owed or owes one, or may owe one soon.

    A duty on record tells its own reason.
    """
    book = rules_in_force(case, book)
    if own_duties(case):
        return None
    if case.before_enforcement or counts_from_before_the_rules(case, book):
        return f"it was resolved before the rules began (`enforce_from: {book.mapping.enforce_from}`)"
    severity = severity_periods_of(case, book)[-1].severity
    why: str | None = "the rule is off (`postmortem.mode`)"
    if book.mapping.postmortem.mode is not Mode.OFF:
        _owed, settles_at = qualifies(case, book)
        why = _why_nothing(case, book, owing_times(case, book), settles_at)
    changed = changed_since_resolve(case, book, severity)
    if why is None or not changed or counts_for_another(case):
        return why
    return f"{why}, by the rules at its resolve: a change was loaded later ({', '.join(changed)})"


def _needs_none(case: Case, book: Rulebook) -> str:
    severity = severity_periods_of(case, book)[-1].severity
    if not might_owe(case, book):
        return f"{severity} incidents need no postmortem"
    if book.mapping.postmortem.basis == "final":
        return f"its severity was lowered to {severity}, which needs no postmortem"
    return "it had no severity that needs a postmortem for 10 minutes or at the resolve"


def written_before_merge(case: Case, book: Rulebook) -> bool:
    """Return True if a person wrote the postmortem before its incident was merged into another.

    Where PagerDuty does not tell when that was, what a person ever wrote counts.
    """
    return written_by_a_person(case.postmortem, review_field(book), merged_at(case))


def _passed_over(changed: Iterable[Duty], case: Case, book: Rulebook) -> tuple[Remark, ...]:
    """Return a remark for each duty that became overdue before syncd could remind people of it."""
    if book.mapping.postmortem.mode is not Mode.ENFORCE or case.postmortem is None:
        return ()
    before = {duty.place: duty.state for duty in case.duties}
    return tuple(
        Remark(
            rule="postmortem.due_soon",
            reason=f"{duty.kind}: not said when due soon, because it was overdue when syncd looked",
        )
        for duty in changed
        if duty.state is DutyState.BREACHED
        and duty.met_at is None
        and before.get(duty.place, DutyState.PENDING) is DutyState.PENDING
        and soon_at(duty, book) is not None
    )
