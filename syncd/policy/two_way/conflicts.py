"""Stop writing where a person or another tool changed back three times within 24 hours what syncd wrote.

This rule runs before every other rule, for both sides, so that syncd does not answer the third revert. syncd
records the conflict, comments on the ticket once, and leaves the place alone until the conflict is over
(`revert_counter`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from syncd.domain.base import JsonValue
from syncd.policy.case import Case, Decision, Remark, Rulebook
from syncd.policy.restricted import is_stub
from syncd.policy.ticket.fields import aspects_of, comment_about
from syncd.policy.ticket.revert_counter import (
    CONFLICT,
    CONFLICT_OVER,
    INCIDENT,
    TIMES,
    conflict_on,
    conflict_over,
    conflicts_in,
    counted,
    followed,
    in_conflict,
    incident_value,
    is_over,
    seconds_left,
    seen,
    too_often,
    watched,
)
from syncd.policy.ticket.status import wanted_word
from syncd.policy.ticket.unseen_writes import on_incident, on_ticket

Conflicts = Mapping[str, Mapping[str, JsonValue]]
"""The facts about each present conflict, by aspect."""


def decide_conflicts(case: Case, book: Rulebook) -> Decision:
    """Return the new reverts, and which conflicts begin and end; nothing if the ticket was not read."""
    ticket = case.ticket
    if case.now is None or ticket is None or ticket.issue is None:
        return Decision()
    decision = _follow(case, book, conflicts_in(ticket.agreed), case.now)
    ticket = ticket.model_copy(update={"agreed": {**ticket.agreed, **decision.agreed}})
    places = set(watched(ticket.agreed))
    if not places:
        return decision
    for place, showing, fields in _showing(case, book):
        aspect = place.removeprefix(INCIDENT)
        agreed = {**ticket.agreed, **decision.agreed}
        if place not in places or in_conflict(agreed, aspect) or _unseen(case, place, fields):
            continue
        change = counted(agreed, place, showing, case.now)
        decision = decision.plus(Decision(agreed=change))
        if too_often(change):
            decision = decision.plus(conflict(case, aspect, place))
    return decision


def _follow(case: Case, book: Rulebook, conflicts: Conflicts, now: datetime) -> Decision:
    """Return what is known of the present conflicts by now, and the end of those that are over."""
    decision = Decision()
    if not conflicts or case.ticket is None:
        return decision
    for aspect, showing, target, agreed in _sides(case, book):
        known = conflicts.get(aspect)
        if known is None or _unseen(case, aspect, (aspect,)):
            continue
        over = is_over(known, showing, showing == target, now)
        if over is None:
            decision = decision.plus(
                Decision(
                    agreed=followed(aspect, known, showing, showing == target, now),
                    again=seconds_left(known, now) if showing == target else None,
                )
            )
            continue
        kept = {**conflict_over(aspect), **agreed, **seen(aspect, showing)}
        remark = Remark(rule=CONFLICT_OVER, reason=f"{aspect}: {over}", aspect=aspect)
        decision = decision.plus(Decision(agreed=kept, remarks=(remark,)))
    return decision


def _sides(case: Case, book: Rulebook) -> Iterator[tuple[str, JsonValue, JsonValue, dict[str, JsonValue]]]:
    """Return each aspect with the ticket's value, the incident's, and what agrees on the incident's."""
    issue = case.ticket.issue if case.ticket else None
    if issue is None:
        return
    target = book.project.statuses[wanted_word(case, book)].id
    yield "status", issue.status.id, target, {"state": case.incident.state}
    if not is_stub(case):
        for aspect in aspects_of(case, book):
            yield aspect.name, aspect.showing, aspect.target, {aspect.name: aspect.target}


def with_agreed(case: Case, agreed: dict[str, JsonValue]) -> Case:
    """Return the case with newly agreed values, for the rules that follow."""
    if case.ticket is None or not agreed:
        return case
    after = {**case.ticket.agreed, **agreed}
    return case.model_copy(update={"ticket": case.ticket.model_copy(update={"agreed": after})})


def conflict(case: Case, aspect: str, place: str) -> Decision:
    """Return the record of a conflict and the comment about it; syncd leaves the aspect alone then."""
    side = "in PagerDuty" if place.startswith(INCIDENT) else "on this ticket"
    reason = f"{aspect} was changed back {TIMES} times within 24 hours {side}"
    text = (
        f"a person or another tool changed back {TIMES} times within 24 hours what syncd wrote {side}."
        " syncd leaves it alone on both sides from now on"
    )
    comment = () if case.before_enforcement else (comment_about(case, aspect, CONFLICT, text, ""),)
    return Decision(
        operations=comment,
        agreed=conflict_on(aspect),
        remarks=(Remark(rule=CONFLICT, reason=reason, aspect=aspect),),
    )


def _unseen(case: Case, place: str, fields: Collection[str]) -> bool:
    """Return True if no read has shown syncd's own write yet: the value from before is no revert."""
    if place.startswith(INCIDENT):
        return on_incident(case, place.removeprefix(INCIDENT)) is not None
    return on_ticket(case, fields) is not None


def _showing(case: Case, book: Rulebook) -> Iterator[tuple[str, JsonValue, Collection[str]]]:
    """Return the present value of every place that syncd may have written to, and its fields in Jira."""
    ticket = case.ticket
    if ticket is None or ticket.issue is None:
        return
    yield "status", ticket.issue.status.id, ("status",)
    if not is_stub(case):
        yield from ((aspect.name, aspect.showing, aspect.write) for aspect in aspects_of(case, book))
    for name in ("status", "assignee", "priority", "summary"):
        # PagerDuty removes the assignees at the resolve, which is no revert.
        if name != "assignee" or case.incident.open:
            yield f"{INCIDENT}{name}", incident_value(case.incident, name), ()
