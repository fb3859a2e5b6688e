"""Another robot, or a person, changes back what we wrote: the third time within 24 hours, we stop.

Judged before every other rule, on both sides, so that the third change back is not answered any more. It is
on record, said on the ticket once, and left for good.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.domain.base import JsonValue
from syncd.policy.case import Case, Decision, Remark, Rulebook
from syncd.policy.restricted import STUB
from syncd.policy.ticket.fields import aspects_of, say
from syncd.policy.ticket.revert_counter import (
    CONFLICT,
    INCIDENT,
    TIMES,
    conflict_on,
    counted,
    in_conflict,
    incident_value,
    too_often,
    watched,
)


def decide_conflicts(case: Case, book: Rulebook) -> Decision:
    """Given a case with a ticket that was read, return what was changed back since, and what conflicts."""
    ticket, decision = case.ticket, Decision()
    if case.now is None or ticket is None or ticket.issue is None:
        return decision
    places = set(watched(ticket.agreed))
    if not places:
        return decision
    for place, showing in _showing(case, book):
        aspect = place.removeprefix(INCIDENT)
        known = {**ticket.agreed, **decision.agreed}
        if place not in places or in_conflict(known, aspect):
            continue
        change = counted(known, place, showing, case.now)
        decision = decision.plus(Decision(agreed=change))
        if too_often(change):
            decision = decision.plus(conflict(case, aspect, place))
    return decision


def with_agreed(case: Case, agreed: dict[str, JsonValue]) -> Case:
    """The case with what was agreed just now, for the rules that follow."""
    if case.ticket is None or not agreed:
        return case
    after = {**case.ticket.agreed, **agreed}
    return case.model_copy(update={"ticket": case.ticket.model_copy(update={"agreed": after})})


def conflict(case: Case, aspect: str, place: str) -> Decision:
    """From now on an aspect is left alone: on record, and said once."""
    side = "in PagerDuty" if place.startswith(INCIDENT) else "on this ticket"
    reason = f"{aspect} was changed back {TIMES} times within 24 hours {side}"
    text = (
        f"a person or another tool changed back {TIMES} times within 24 hours what syncd wrote {side}."
        " syncd leaves it alone on both sides from now on"
    )
    comment = () if case.before_enforcement else (say(case, aspect, CONFLICT, text, ""),)
    return Decision(
        operations=comment,
        agreed=conflict_on(aspect),
        remarks=(Remark(rule=CONFLICT, reason=reason, aspect=aspect),),
    )


def _showing(case: Case, book: Rulebook) -> Iterator[tuple[str, JsonValue]]:
    """What every place shows now that we may have written to."""
    ticket = case.ticket
    if ticket is None or ticket.issue is None:
        return
    yield "status", ticket.issue.status.id
    if not (case.restricted and ticket.agreed.get(STUB)):
        yield from ((aspect.name, aspect.showing) for aspect in aspects_of(case, book))
    for name in ("status", "assignee", "priority", "summary"):
        if name != "assignee" or case.incident.open:  # a resolve takes the assignees off
            yield f"{INCIDENT}{name}", incident_value(case.incident, name)
