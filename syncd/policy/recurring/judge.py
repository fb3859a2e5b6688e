"""Judge the duty of a GameDay's or review's issue: a person closes it by its due date.

QRPay runbook, "GameDay Exercises" and "Metrics for Process Health": 100 % of the scheduled exercises are
executed. The issue's changelog decides, as for action items (`follow_ups.done`). "Won't do" does not count as
held, and nobody but a person closes the issue: syncd never does.
"""

from __future__ import annotations

from datetime import date, datetime

from syncd.domain.base import JsonValue
from syncd.domain.duty import RUNNING, Duty, DutyKind, DutyState
from syncd.domain.mapping.recurring import Recurring
from syncd.domain.mapping.value_types import Mode
from syncd.domain.recurring import recurring_of
from syncd.policy.case import Case, Decision, ItemState, Rulebook
from syncd.policy.follow_ups.completion import End, end_of
from syncd.policy.follow_ups.done import done
from syncd.policy.follow_ups.duties import Item, JudgingRules, postponements
from syncd.policy.follow_ups.judge import (
    DONE_SOON,
    NOT_VISIBLE,
    judged_again,
    stale,
    with_sight,
    without_unseen,
)
from syncd.policy.follow_ups.runs import Run
from syncd.policy.postmortem.waiver_labels import label_waivers

LABEL = "syncd-recurring"
"""The label of every issue of a recurring duty, for people and searches."""
DUE, SINCE = "latest", "since"
"""Facts of the issue: the local day on which it is due, and the time (UTC) from which its clock runs."""


REMOVED, OFF = "the mapping does not name it any more", "its mode is `off`"
"""Why a recurring duty is not owed any more."""


def decide_held(case: Case, book: Rulebook) -> Decision:
    """Return the duty and the facts of a recurring issue, or the source that syncd must read first."""
    entry = entry_of(case, book)
    if entry is None or entry.mode is Mode.OFF:
        return Decision(duties=removed(case, REMOVED if entry is None else OFF))
    state = next(iter(case.items), None)
    # the create waits, or syncd reads the issue as soon as Jira shows it
    if state is None or case.now is None:
        return Decision()
    if stale(case, state):
        return Decision(look=frozenset({"items"}))
    if state.issue is None or state.changes_until is None:
        return Decision()
    end = end_of(
        state.issue,
        state.changes,
        book.mapping.follow_ups,
        statuses=book.project.known_statuses,
        knowledge=False,
        restricted=False,
        may_decline=False,
    )
    return _judge(case, state, book, end, state.changes_until, case.now)


def _judge(
    case: Case, state: ItemState, book: Rulebook, end: End, read_until: datetime, now: datetime
) -> Decision:
    labels, all_waivers = label_waivers(case, book, state)
    waivers = tuple(waiver for waiver in all_waivers if waiver.subject == state.issue_id)
    judging = JudgingRules(waivers=waivers, skew=case.skew, soon=DONE_SOON)
    records = {duty.place: duty for duty in case.duties}
    run = Run(item=_item(state, end, read_until if state.in_sight else now))
    clean = [without_unseen(duty, state) for duty in case.duties]
    judged = [
        with_sight(duty, records.get(duty.place), state)
        for duty in done([run], clean, book.mapping, now, judging)
    ]
    again = judged_again(case, state, judged, waivers, now)
    facts = {state.issue_id: _facts(state, end)}
    return labels.plus(Decision(duties=tuple(judged), facts=facts, again=again))


def _item(state: ItemState, end: End, seen_until: datetime) -> Item:
    """Return the facts by which the duty is judged; the issue's own due date may only be an earlier one."""
    assert state.issue is not None  # noqa: S101 - the caller has read it
    return Item(
        issue=state.issue,
        changes=state.changes,
        seen_until=seen_until,
        starts=datetime.fromisoformat(str(state.facts[SINCE])),
        latest=date.fromisoformat(str(state.facts[DUE])),
        ends=end.times,
        hidden_since=state.out_of_sight_since,
        kind=DutyKind.HELD,
    )


def _facts(state: ItemState, end: End) -> dict[str, JsonValue]:
    """Return the facts that people read, as of an action item."""
    wrong = [] if state.in_sight else [NOT_VISIBLE]
    wrong += [end.lacking] if end.lacking is not None else []
    due = state.issue.due_date if state.issue else None
    latest = str(state.facts[DUE])
    return {
        "stands": end.stands,
        "postponed": postponements(state.changes),
        "due": min(due, latest) if due else latest,
        "violations": [*wrong],
    }


def removed(case: Case, why: str = REMOVED) -> tuple[Duty, ...]:
    """Return the running duties of a case as cancelled, because no mapping asks for them any more."""
    cancelled = {"state": DutyState.CANCELLED, "reason": why}
    return tuple(duty.model_copy(update=cancelled) for duty in case.duties if duty.state in RUNNING)


def entry_of(case: Case, book: Rulebook) -> Recurring | None:
    """Return the mapping's section of the recurring duty that a case is about, None if it was removed."""
    name = recurring_of(case.incident.id)
    return book.mapping.recurring.get(name.name) if name is not None else None
