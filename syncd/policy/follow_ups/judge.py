"""Judge the duties of an incident's action items, and list what is wrong with each item.

QRPay runbook, "Post-Incident Actions": "Ensure follow-up tasks are assigned and tracked to completion";
Ramen runbook, "Post-incident review": action items with owners and dates. An item that syncd
cannot see at its deadline is not met; the breach is taken back if its changelog shows later that it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from syncd.domain.base import JsonValue
from syncd.domain.clock import ClockSkew
from syncd.domain.duty import RUNNING, Duty, DutyKind, DutyState, Waiver
from syncd.domain.mapping.value_types import Mode
from syncd.domain.ticket import Issue, is_person
from syncd.policy.case import Case, Decision, ItemState, PostmortemState, Rulebook
from syncd.policy.duty_words import BY_RULE, NO_OWNER, NO_PERSON, OWNER_LEFT, SEEN_AGAIN
from syncd.policy.follow_ups.completion import End, end_of, gained
from syncd.policy.follow_ups.done import done
from syncd.policy.follow_ups.duties import (
    TOO_OFTEN,
    Item,
    JudgingRules,
    active,
    due_day,
    postponements,
)
from syncd.policy.follow_ups.handed_over import owed_runs
from syncd.policy.follow_ups.membership import is_runbook_item
from syncd.policy.follow_ups.owner import owner_times, taken_at, tenures
from syncd.policy.follow_ups.owner_clocks import OwnerClocks, windows_of
from syncd.policy.follow_ups.runs import left_at, runs_of
from syncd.policy.follow_ups.table_rows import rows_to_come
from syncd.policy.postmortem.fulfilment import stands_completed
from syncd.policy.postmortem.owed import counts_for_another
from syncd.policy.postmortem.resolved_periods import merged_at
from syncd.policy.postmortem.verdict import READ_AGAIN
from syncd.policy.postmortem.waiver_labels import label_waivers
from syncd.policy.time.time_words import as_date

NOT_VISIBLE = "not visible"
NONE_LABEL = "no-follow-ups"
"""The label by which a person says on the postmortem that no follow-ups are needed."""
OWNED_SOON = timedelta(hours=4)
"""The duty `owned` is due soon from this time before its deadline."""
DONE_SOON = timedelta(hours=24)
"""The duty `done` is due soon from this time before its deadline."""
DAILY = timedelta(days=1)
"""syncd judges an overdue or unread item again after this time."""


def candidates(case: Case) -> frozenset[str]:
    """Return the ids of the sub-tasks and linked issues of ticket and postmortem, as syncd last read both."""
    states = [state for state in (case.ticket, case.postmortem) if state is not None]
    ends = [state.issue for state in states if state.issue is not None]
    neighbours = {ident for end in ends for ident in end.subtasks}
    neighbours |= {link.other_id for end in ends for link in end.links}
    return frozenset(neighbours - {end.id for end in ends})


def decide_follow_ups(case: Case, book: Rulebook) -> Decision:
    """Return the duties and facts of the case's action items, or the sources that syncd must read first."""
    if book.mapping.follow_ups.mode is Mode.OFF:
        return Decision()
    look = _look(case)
    if look:
        return Decision(look=look)
    # The items of a merged incident count for its merge target.
    merged = counts_for_another(case)
    decision, left = Decision(), Decision()
    for item in case.items:
        if item.issue_id in case.unread:
            continue
        if merged or item.ended_at is not None:
            left = left.plus(_judge_left(case, item, book))
        else:
            decision = decision.plus(
                _listed(case, item, book) if case.before_enforcement else _judge(case, item, book)
            )
    if merged and case.items and not left.duties and left.again is None:
        return Decision(look=frozenset({"hand_over"}))
    return decision.plus(left).plus(Decision(duties=tuple(_let_go(case))))


def _judge_left(case: Case, item: ItemState, book: Rulebook) -> Decision:
    """Judge an item up to the moment at which it ceased to count for the incident.

    A deadline that passed before is missed, whenever syncd looks. Return only what differs from the record.
    """
    recorded = [duty for duty in case.duties if duty.subject == item.issue_id]
    if recorded and not any(duty.state in RUNNING for duty in recorded):
        return Decision()
    left = left_at(case, item) or merged_at(case)
    if left is not None and item.out_of_sight_since is not None and left < item.out_of_sight_since:
        # What Jira hides later changes nothing about what it showed until then.
        item = item.model_copy(update={"out_of_sight_since": None})
    judged = () if case.before_enforcement else _judge(case, item, book).duties
    places = {duty.place for duty in judged}
    judged += tuple(duty for duty in recorded if duty.state in RUNNING and duty.place not in places)
    duties, again = list[Duty](), None
    runs = runs_of(case, item, book, _end(case, item, book)) if judged else []
    runs_end = runs[-1].until if runs else None
    for duty in judged:
        if left is not None and duty.met_at is not None and left < duty.met_at:
            # What was missed stays as it stood: what people do later counts for another incident.
            duty = duty.model_copy(update={"state": DutyState.BREACHED, "met_at": None, "met_by": None})
        # A clock that a reopening stopped before that is missed no more.
        stopped = min((at for at in (left, runs_end) if at is not None), default=None)
        missed = duty.breached_at is None and stopped is not None and duty.due_at < stopped
        if duty.state in RUNNING and missed and duty.place in places and case.now is not None:
            again = max(READ_AGAIN, case.skew.judged_from(duty.due_at) - case.now).total_seconds()
        elif duty.state in RUNNING:
            duty = _gone(case, item, duty)
        duties += [duty] if duty not in recorded else []
    # The next decision hands the item over, or has nothing more to do.
    return Decision(duties=tuple(duties), again=1.0 if duties and again is None else again)


def _look(case: Case) -> frozenset[str]:
    """Return what syncd has to read before it can judge: neighbours, changelogs, the incident's log."""
    sources: set[str] = set()
    fresh = candidates(case) - case.non_items - case.unread
    children = set(case.ticket.issue.subtasks) if case.ticket and case.ticket.issue else set()
    if fresh:
        sources.add("items")
    # A sub-task of the ticket counts if it was made after the resolve, which only the log tells.
    if fresh & children and case.state_changes is None:
        sources.add("log")
    postmortem = case.postmortem
    if (
        postmortem is not None
        and not case.before_enforcement
        and postmortem.in_sight
        and postmortem.changes_until is None
        and postmortem.issue_id not in case.unread
    ):
        sources.add("postmortem")
    if not case.before_enforcement and (
        "items" in case.rebuild or any(stale(case, item) for item in case.items)
    ):
        sources.add("items")
    return frozenset(sources)


def stale(case: Case, item: ItemState) -> bool:
    """Return True if syncd has to read an item: it changed, or a deadline passed after the last read."""
    if not item.in_sight or item.issue_id in case.unread:
        return False
    # The changelog tells who removed the item: the reason of the cancelled duties names that person.
    if item.ended_at is not None:
        return "ended_by" not in item.facts
    until = item.changes_until
    if until is None or item.issue is None:
        return True
    running = [duty for duty in case.duties if duty.subject == item.issue_id and duty.state in RUNNING]
    # A read just after the deadline proves no breach yet, so the item is read when one can be proven.
    proofs = [case.skew.judged_from(duty.due_at) for duty in running]
    return any(until < moment <= (case.now or until) for moment in proofs)


def _let_go(case: Case) -> Iterator[Duty]:
    """Yield the duties to cancel: their issue counts for another incident now."""
    known = {item.issue_id for item in case.items}
    for duty in case.duties:
        of_item = not duty.of_postmortem and duty.kind is not DutyKind.FILED
        if of_item and duty.state in RUNNING and duty.subject not in known:
            yield _gone(case, None, duty)


def _gone(case: Case, item: ItemState | None, duty: Duty) -> Duty:
    # The audit trail keeps this reason for ever, so it names nobody; the item's facts do.
    reason = "it is no longer an action item"
    # The item itself goes over to the merge target.
    if case.merged_into is not None and (item is None or item.ended_at is None):
        number = case.merged_into.number or case.merged_into.id
        reason = f"it counts for incident {number}, into which this one was merged"
    return duty.model_copy(update={"state": DutyState.CANCELLED, "reason": reason})


def _listed(case: Case, state: ItemState, book: Rulebook) -> Decision:
    """List an item of an incident that was resolved before `enforce_from`: syncd reminds nobody of it."""
    return Decision(facts={state.issue_id: _facts(state, None, _end(case, state, book))})


def _judge(case: Case, state: ItemState, book: Rulebook) -> Decision:
    if state.issue is None:
        return Decision(again=DAILY.total_seconds())
    end = _end(case, state, book)
    runs = runs_of(case, state, book, end)
    facts = _facts(state, runs[-1].item if runs else None, end)
    if not runs or case.now is None:
        return Decision(facts={state.issue_id: facts})
    labels, all_waivers = label_waivers(case, book, state)
    waivers = tuple(waiver for waiver in all_waivers if waiver.subject == state.issue_id)
    judging = JudgingRules(waivers=waivers, skew=case.skew, soon=DONE_SOON)
    mapping, now = book.mapping, case.now
    records = {duty.place: duty for duty in case.duties if duty.subject == state.issue_id}
    clean = {
        kind: [without_unseen(duty, state) for duty in records.values() if duty.kind is kind]
        for kind in (DutyKind.DONE, DutyKind.OWNED)
    }
    owed, opened_at = owed_runs(DutyKind.DONE, case, state, runs, runs[-1].item.ends)
    duties = [*done(owed, clean[DutyKind.DONE], mapping, now, judging, opened_at)]
    # The runbook item belongs to the postmortem's owner. syncd chose that owner, so nobody met a duty.
    if not is_runbook_item(state):
        soon = judging.model_copy(update={"soon": OWNED_SOON})
        item = runs[-1].item
        times = owner_times(item)
        owed, _lost_at = owed_runs(DutyKind.OWNED, case, state, runs, times)
        clocks = OwnerClocks(
            item=item,
            windows=windows_of(owed, item.ends),
            times=times,
            recorded=clean[DutyKind.OWNED],
            mapping=mapping,
            judging=soon,
            now=now,
        )
        duties += clocks.judged()
    duties = [with_sight(duty, records.get(duty.place), state) for duty in duties]
    again = judged_again(case, state, duties, waivers, now, stopped=runs[-1].until is not None)
    return labels.plus(Decision(duties=tuple(duties), facts={state.issue_id: facts}, again=again))


def judged_again(
    case: Case,
    state: ItemState,
    duties: Sequence[Duty],
    waivers: Iterable[Waiver],
    now: datetime,
    *,
    stopped: bool = False,
) -> float | None:
    """Return the seconds until time alone changes one of an issue's duties, None if it never does.

    While the incident is open again its clocks are `stopped`: the next resolve starts them anew.
    """
    moments = [left for duty in duties for left in _seconds_to_change(duty, now, case.skew) if not stopped]
    moments += [(waiver.end - now).total_seconds() for waiver in waivers if waiver.runs(now)]
    # What is done is not met if nobody can see it when its deadline passes.
    judged_from = [case.skew.judged_from(duty.due_at) for duty in duties if not state.in_sight]
    moments += [(at - now).total_seconds() for at in judged_from if at > now]
    return min(moments, default=None)


def without_unseen(record: Duty, state: ItemState) -> Duty:
    """Return the duty without a breach that rests on an item that syncd could not see and sees again."""
    if record.state is DutyState.VOID or not record.unseen or not state.in_sight:
        return record
    return record.model_copy(update={"breached_at": None, "unseen": False, "state": DutyState.PENDING})


def with_sight(duty: Duty, record: Duty | None, state: ItemState) -> Duty:
    """Return the duty with its mark if its breach is new and rests on an item that syncd cannot see."""
    is_new = record is None or record.breached_at is None or record.unseen
    if not state.in_sight and duty.breached_at is not None and is_new:
        return duty.model_copy(update={"unseen": True})
    if state.in_sight and record is not None and record.unseen and duty.breached_at is None:
        return duty.model_copy(update={"reason": f"{duty.reason}; {SEEN_AGAIN}"})
    return duty


def _seconds_to_change(duty: Duty, now: datetime, skew: ClockSkew) -> Iterator[float]:
    """Yield the seconds after which time alone changes a duty."""
    if duty.state not in RUNNING:
        return
    judged = skew.judged_from(duty.due_at)
    # The deadline has passed, and a service cannot be read: judge soon again.
    if judged <= now and duty.state in (DutyState.PENDING, DutyState.DUE_SOON):
        yield READ_AGAIN.total_seconds()
        return
    soon = OWNED_SOON if duty.kind is DutyKind.OWNED else DONE_SOON
    ahead = [at for at in (skew.due_at(duty.due_at - soon), judged) if at > now]
    # An overdue duty is judged every day, so that syncd does not take its incident for finished.
    yield (min(ahead, default=now + DAILY) - now).total_seconds()


def _end(case: Case, state: ItemState, book: Rulebook) -> End:
    if state.issue is None:
        return End()
    return end_of(
        state.issue,
        state.changes,
        book.mapping.follow_ups,
        statuses=book.project.known_statuses,
        knowledge=is_runbook_item(state),
        restricted=case.restricted,
    )


def _facts(state: ItemState, item: Item | None, end: End) -> dict[str, JsonValue]:
    """Return the facts of an item that people read: its state, its due date and its violations."""
    facts: dict[str, JsonValue] = {
        "stands": end.stands,
        "postponed": postponements(state.changes),
        "due": state.issue.due_date if state.issue else None,
    }
    if item is not None:
        facts["due"] = due_day(item).isoformat()
        facts["latest"], facts["latest_for"] = item.latest.isoformat(), item.counted
    facts["violations"] = [*violations(state, item, end)]
    return facts


def violations(state: ItemState, item: Item | None, end: End) -> Iterator[str]:
    """Yield each violation of an action item except lateness, in a few words."""
    if not state.in_sight:
        yield NOT_VISIBLE
    issue = state.issue
    if issue is None:
        return
    if end.lacking is not None:
        yield end.lacking
    if end.closed is not None:
        return
    # The runbook item belongs to the postmortem's owner, whoever is assigned.
    if not is_runbook_item(state):
        yield from _unowned(issue, item)
    own = as_date(issue.due_date)
    if item is not None and own is not None and own > item.latest:
        yield f"its due date is after the latest day allowed, {item.latest}"
    times = postponements(state.changes)
    if times >= TOO_OFTEN:
        yield f"postponed {times} times"


def _unowned(issue: Issue, item: Item | None) -> Iterator[str]:
    if issue.assignee is None:
        yield NO_OWNER
    elif not issue.assignee.active:
        yield OWNER_LEFT
    elif not active(issue.assignee):
        yield NO_PERSON
    elif item is not None and untaken(item):
        yield BY_RULE


def untaken(item: Item) -> bool:
    """Return True if syncd assigned the owner by rule and the owner has not touched the item since."""
    present = next((tenure for tenure in tenures(item) if tenure.until is None), None)
    by_rule = present is not None and present.account == item.by_rule and not present.by_person
    return by_rule and present is not None and taken_at(item, present) is None


def follow_ups_unsaid(case: Case, book: Rulebook) -> bool:
    """Return True if a completed postmortem has no follow-up and no person said that none is needed.

    The comment, the gate and the automatic close all use this function. The runbook item does not count as a
    follow-up here: syncd makes it for every incident that owes a postmortem.
    """
    postmortem, duty = case.postmortem, case.duty(DutyKind.COMPLETED)
    if book.mapping.follow_ups.mode is Mode.OFF or counts_for_another(case):
        return False
    # An issue that syncd cannot read now may be a follow-up.
    if case.unread:
        return False
    if duty is not None and duty.state is DutyState.CANCELLED:
        return False
    if postmortem is None or postmortem.issue is None or not stands_completed(postmortem, book):
        return False
    if any(item.ended_at is None and not is_runbook_item(item) for item in case.items):
        return False
    # A row that will become an action item is a follow-up already.
    return not rows_to_come(case, postmortem, book) and not _none_said(postmortem)


def _none_said(postmortem: PostmortemState) -> bool:
    """Return True if the postmortem has the label, unless no person is known to have set it last."""
    if postmortem.issue is None or NONE_LABEL not in postmortem.issue.labels:
        return False
    labels = (change for change in reversed(postmortem.changes) if change.field == "labels")
    last = next((change for change in labels if gained(change, NONE_LABEL)), None)
    return last is None or is_person(last.author)
