"""Carry a person's changes of the ticket to the incident, as far as the mapping's `two_way` switches them on.

A change is a value that differs from the agreed one and from the values that syncd saw before. So a
difference from before the switch never travels, and neither does a value that syncd wrote, confirmed or not.
If both sides changed, the incident's change wins and syncd writes nothing to it, because such a write can
page people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from syncd.domain.base import JsonValue, Value
from syncd.domain.incident import MERGED, IncidentStatus
from syncd.domain.mapping.two_way import TwoWay
from syncd.domain.operation import ChangeIncident, WantedAssignee
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Status
from syncd.policy.case import Case, Decision, Remark, Rulebook, TicketState
from syncd.policy.restricted import STUB
from syncd.policy.ticket.fields import Aspect, aspects_of_both, comment_about
from syncd.policy.ticket.revert_counter import SEEN, in_conflict, incident_value, print_of, seen
from syncd.policy.ticket.status import left_to_other_tool, same_state
from syncd.policy.ticket.unseen_writes import normal_print, on_incident, on_ticket

KEYS = {"assignee": "reassign", "priority": "priority", "summary": "title"}
"""The key of `two_way` that switches each field on."""
NOTHING = Decision()
STATE_KEYS = ("acknowledge", "resolve", "reopen")
_STATES = {
    "triggered": IncidentStatus.TRIGGERED,
    "acknowledged": IncidentStatus.ACKNOWLEDGED,
    "resolved": IncidentStatus.RESOLVED,
    "closed": IncidentStatus.RESOLVED,
}
_AGREED = {str(status): status for status in IncidentStatus} | {MERGED: IncidentStatus.RESOLVED}


class _NewValue(Value):
    """The new value for the incident; exactly one field is set."""

    status: str | None = None
    assignee: WantedAssignee | None = None
    priority: str | None = None
    text: str | None = None


def decide_two_way(case: Case, book: Rulebook, so_far: Decision = NOTHING) -> Decision:
    """Return the writes to the incident that people asked for on the ticket.

    `so_far` holds the decisions about status and fields. If those leave the ticket alone although the
    incident changed, the ticket's value does not travel either.
    """
    ticket = case.ticket
    # A stub holds syncd's words only, so they must not become the incident's title.
    if case.before_enforcement or ticket is None or ticket.issue is None or ticket.agreed.get(STUB):
        return Decision()
    decision = _status(case, book, ticket, so_far)
    for aspect in aspects_of_both(case, book):
        decision = decision.plus(_field(case, book, ticket, aspect, so_far))
    return decision


def _if_old(
    ticket: TicketState, name: str, showing: JsonValue, settled: Sequence[JsonValue]
) -> Decision | None:
    """Return None if the ticket shows a new value; else the decision about an old one, mostly empty."""
    seen_before = ticket.agreed.get(SEEN + name)
    if showing in settled:
        return Decision() if seen_before is None else Decision(agreed={SEEN + name: None})
    return Decision() if seen_before == print_of(showing) else None


def _field(case: Case, book: Rulebook, ticket: TicketState, aspect: Aspect, so_far: Decision) -> Decision:
    agreed, showing = ticket.agreed.get(aspect.name), aspect.showing
    no_effect = on_incident(case, aspect.name)
    # A read must first tell which of the two values is syncd's own.
    if no_effect is False or on_ticket(case, aspect.write) is not None:
        return Decision()
    # A write without effect agreed on nothing: the person's value still has to travel.
    agreed = aspect.target if no_effect else agreed
    settled = [value for value in (agreed, aspect.target) if value is not None]
    old = _if_old(ticket, aspect.name, showing, settled) if not _normalised(showing, settled) else Decision()
    if old is not None:
        return old
    stays = Decision(agreed=seen(aspect.name, showing))
    # Both sides changed: the incident's change wins.
    if aspect.target != agreed:
        return stays if aspect.name in so_far.agreed else Decision()
    by_person = showing != case.attempted.get(aspect.name)
    if not by_person or not _may_travel(case, book, KEYS[aspect.name], aspect.name) or showing is None:
        return stays
    value = _new_value(case, book, aspect)
    if value is None:
        reason = f"{aspect.name}: no single PagerDuty priority stands for what the ticket says"
        return stays.plus(Decision(remarks=(Remark(rule="two_way", reason=reason),)))
    agree: dict[str, JsonValue] = {aspect.name: showing, SEEN + aspect.name: None}
    if aspect.name == "summary":
        # The text stands only in `text`, where syncd removes it if the incident becomes restricted.
        agree = {}
    return Decision(operations=(_change(case, aspect.name, value, agree),))


def _normalised(showing: JsonValue, settled: Sequence[JsonValue]) -> bool:
    """Return True if the ticket shows what Jira made of a settled value: nobody changed it."""
    normal = normal_print(showing)
    return showing not in settled and any(normal == normal_print(value) for value in settled)


def _new_value(case: Case, book: Rulebook, aspect: Aspect) -> _NewValue | None:
    """Return the new value for the incident, None if no single value of PagerDuty fits."""
    issue = case.ticket.issue if case.ticket else None
    if aspect.name == "assignee" and issue is not None and issue.assignee is not None:
        person = issue.assignee
        return _NewValue(assignee=WantedAssignee(account=person.id, email=person.email, name=person.name))
    if aspect.name == "summary":
        return _NewValue(text=str(aspect.showing))
    priorities = book.project.priorities
    names = [name for name, priority in priorities.items() if priority.id == aspect.showing]
    words = [book.mapping.severities[name].pagerduty for name in names if name in book.mapping.severities]
    # If several severities share the Jira priority, the ticket does not say which one the person means.
    return _NewValue(priority=words[0][0]) if len(words) == 1 and words[0] else None


def _may_travel(case: Case, book: Rulebook, key: str, aspect: str) -> bool:
    """Return True if the mapping and the incident's state let a change travel."""
    on: bool = getattr(book.mapping.two_way, key)
    conflict = case.ticket is not None and in_conflict(case.ticket.agreed, aspect)
    # A resolved incident has no assignees. A merged one is part of its target.
    over = aspect == "assignee" and not case.incident.open
    return on and not conflict and not over and case.incident.merged_into is None


def _status(case: Case, book: Rulebook, ticket: TicketState, so_far: Decision) -> Decision:
    issue, state = ticket.issue, ticket.agreed.get("state")
    if issue is None or ticket.placed_status is None:
        # syncd has not moved the ticket yet, so a person's move cannot be told from the create's status.
        return Decision()
    status, no_effect = issue.status.id, on_incident(case, "status")
    # A read must first tell which of the two states is syncd's own.
    if no_effect is False or on_ticket(case, ("status",)) is not None:
        return Decision()
    old = _if_old(ticket, "status", status, (ticket.placed_status,)) if not no_effect else None
    if old is not None:
        return old
    stays = Decision(agreed=seen("status", status))
    # Both sides never agreed on a state, or a move of syncd is on its way.
    if state not in _AGREED:
        return stays if "state" in so_far.agreed else Decision()
    on = any(getattr(book.mapping.two_way, key) for key in STATE_KEYS)
    # The incident changed, too: its change wins, and a comment says so.
    if not no_effect and not same_state(str(state), case.incident.state):
        raced = _raced(case, book, _AGREED[str(state)], issue.status) if on else Decision()
        return stays.plus(raced) if "state" in so_far.agreed else raced
    if not on or status == case.attempted.get("status") or left_to_other_tool(case, book):
        return stays
    if ambiguous(book.project):
        text = (
            "one status of this project stands for two states of incidents, so syncd does not carry moves"
            " of the ticket to PagerDuty. Give each state a status of its own under jira.statuses"
        )
        return stays.plus(Decision(operations=(comment_about(case, "status", "two-ways", text, ""),)))
    chosen = state_of(book.project, status)
    key = _key(case.incident.status, chosen)
    if chosen is None or key is None or not _may_travel(case, book, key, "status"):
        return stays
    # A reopened incident starts as triggered, so that its escalation policy pages somebody.
    to = IncidentStatus.TRIGGERED if key == "reopen" else chosen
    agree: dict[str, JsonValue] = {"state": str(to), **seen("status", status)}
    return Decision(operations=(_change(case, "status", _NewValue(status=str(to)), agree),))


def _key(state: IncidentStatus, chosen: IncidentStatus | None) -> str | None:
    """Return the key of `two_way` for a change of state; None: no change, or back to triggered."""
    if chosen is None or chosen is state:
        return None
    if chosen is IncidentStatus.RESOLVED:
        return "resolve"
    if state is IncidentStatus.RESOLVED:
        return "reopen"
    return "acknowledge" if chosen is IncidentStatus.ACKNOWLEDGED else None


def _raced(case: Case, book: Rulebook, before: IncidentStatus, status: Status) -> Decision:
    """Return the comment that explains why a person's move did not change the incident."""
    chosen, now = state_of(book.project, status.id), case.incident.status
    key = _key(before, chosen)
    if (
        key is None
        or chosen is now
        or not _may_travel(case, book, key, "status")
        or left_to_other_tool(case, book)
    ):
        return Decision()
    text = (
        f"the incident became {now} at the same time, so syncd did not change it. If you still want the"
        " change, make it in PagerDuty. The ticket was moved to:"
    )
    return Decision(
        operations=(comment_about(case, "status", print_of([str(now), status.id]), text, status.name),)
    )


def _change(case: Case, aspect: str, value: _NewValue, agree: dict[str, JsonValue]) -> ChangeIncident:
    return ChangeIncident(
        incident=case.incident.id,
        aspect=aspect,
        before=print_of(incident_value(case.incident, aspect)),
        agree=agree,
        status=value.status,
        assignee=value.assignee,
        priority=value.priority,
        text=value.text,
        reason=f"a person changed {aspect} on the ticket",
    )


def state_of(project: ResolvedProject, status_id: str) -> IncidentStatus | None:
    """Return the one state of incidents that a status stands for; None if it stands for none or two."""
    first = {_STATES[word] for word, status in project.statuses.items() if status.id == status_id}
    states = first or set(_instead(project, status_id))
    return states.pop() if len(states) == 1 else None


def _instead(project: ResolvedProject, status_id: str) -> Iterator[IncidentStatus]:
    for word, statuses in project.instead.items():
        if any(status.id == status_id for status in statuses):
            yield _STATES[word]


def ambiguous(project: ResolvedProject) -> bool:
    """Return True if one status of the project stands for two states of incidents."""
    return any(
        several_states(word for word, other in project.statuses.items() if other.id == status.id)
        for status in project.statuses.values()
    )


def several_states(words: Iterable[str]) -> bool:
    """Return True if these words of the mapping stand for more than one state of incidents."""
    return len({_STATES[word] for word in words}) > 1


def travels(two_way: TwoWay) -> bool:
    """Return True if any change except texts may travel from tickets to incidents."""
    return any(getattr(two_way, key) for key in (*STATE_KEYS, *KEYS.values()))
