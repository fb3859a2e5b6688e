"""What a person changes on the ticket travels to the incident, as far as the mapping switches that on.

A change is what the ticket shows otherwise than both sides last agreed, and otherwise than was seen before:
a difference that stood there before a key was switched on never travels. What a write of ours made, confirmed
or not, is no change of a person's (rules: "Two ways"). Where both sides changed, the incident's own change
stands and nothing is written to it, because such a write pages people: the ticket follows, or is left, as it
would without two ways, and says so. A status is carried only while each status stands for one state of
incidents; what is not switched on, merged, silent or in conflict does not travel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from syncd.domain.base import JsonValue, Value
from syncd.domain.incident import MERGED, IncidentStatus
from syncd.domain.mapping.mapping import TwoWay
from syncd.domain.operation import ChangeIncident, WantedAssignee
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Status
from syncd.policy.case import Case, Decision, Remark, Rulebook, TicketState
from syncd.policy.restricted import STUB
from syncd.policy.ticket.fields import Aspect, aspects_of, say
from syncd.policy.ticket.revert_counter import SEEN, in_conflict, incident_value, print_of, seen
from syncd.policy.ticket.status import left_to_other_tool, same_state

KEYS = {"assignee": "reassign", "priority": "priority", "summary": "title"}
"""The key that lets a field travel."""
NOTHING = Decision()
STATE_KEYS = ("acknowledge", "resolve", "reopen")
_STATES = {
    "triggered": IncidentStatus.TRIGGERED,
    "acknowledged": IncidentStatus.ACKNOWLEDGED,
    "resolved": IncidentStatus.RESOLVED,
    "closed": IncidentStatus.RESOLVED,
}
_AGREED = {str(one): one for one in IncidentStatus} | {MERGED: IncidentStatus.RESOLVED}


class _Wish(Value):
    """What the incident is to say: one of these."""

    status: str | None = None
    assignee: WantedAssignee | None = None
    priority: str | None = None
    text: str | None = None


def decide_two_way(case: Case, book: Rulebook, so_far: Decision = NOTHING) -> Decision:
    """Given a case with a ticket that was read, return the writes to its incident that people asked for.

    `so_far` is what the rules of status and fields decided: where they leave the ticket as it is although the
    incident changed, it does not travel the other way either.
    """
    ticket = case.ticket
    if case.before_enforcement or ticket is None or ticket.issue is None or ticket.agreed.get(STUB):
        return Decision()
    decision = _status(case, book, ticket, so_far)
    for aspect in aspects_of(case, book):
        if aspect.name in KEYS:
            decision = decision.plus(_field(case, book, ticket, aspect, so_far))
    return decision


def _news(
    ticket: TicketState, name: str, showing: JsonValue, settled: Sequence[JsonValue]
) -> Decision | None:
    """None where the ticket shows something new; else what is agreed, mostly nothing."""
    known = ticket.agreed.get(SEEN + name)
    if showing in settled:
        return Decision() if known is None else Decision(agreed={SEEN + name: None})
    return Decision() if known == print_of(showing) else None


def _field(case: Case, book: Rulebook, ticket: TicketState, aspect: Aspect, so_far: Decision) -> Decision:
    agreed, showing = ticket.agreed.get(aspect.name), aspect.showing
    settled = [one for one in (agreed, aspect.wanted) if one is not None]
    nothing = _news(ticket, aspect.name, showing, settled)
    if nothing is not None:
        return nothing
    stays = Decision(agreed=seen(aspect.name, showing))
    if aspect.wanted != agreed:
        return stays if aspect.name in so_far.agreed else Decision()
    theirs = showing != case.attempted.get(aspect.name)
    if not theirs or not _may(case, book, KEYS[aspect.name], aspect.name) or showing is None:
        return stays
    wish = _wish(case, book, aspect)
    if wish is None:
        reason = f"{aspect.name}: no single PagerDuty priority stands for what the ticket says"
        return stays.plus(Decision(remarks=(Remark(rule="two_way", reason=reason),)))
    agree: dict[str, JsonValue] = {aspect.name: showing, SEEN + aspect.name: None}
    if aspect.name == "summary":
        agree = {}  # a text stands in `text` alone, where it is withheld if the incident becomes restricted
    return Decision(operations=(_change(case, aspect.name, wish, agree),))


def _wish(case: Case, book: Rulebook, aspect: Aspect) -> _Wish | None:
    """What the incident is to say, None where that cannot be told."""
    issue = case.ticket.issue if case.ticket else None
    if aspect.name == "assignee" and issue is not None and issue.assignee is not None:
        one = issue.assignee
        return _Wish(assignee=WantedAssignee(account=one.id, email=one.email, name=one.name))
    if aspect.name == "summary":
        return _Wish(text=str(aspect.showing))
    names = [name for name, one in book.project.priorities.items() if one.id == aspect.showing]
    words = [book.mapping.severities[name].pagerduty for name in names if name in book.mapping.severities]
    return _Wish(priority=words[0][0]) if len(words) == 1 and words[0] else None


def _may(case: Case, book: Rulebook, key: str, aspect: str) -> bool:
    """Whether a change may travel at all."""
    on: bool = getattr(book.mapping.two_way, key)
    conflict = case.ticket is not None and in_conflict(case.ticket.agreed, aspect)
    over = aspect == "assignee" and not case.incident.open
    return on and not conflict and not over and case.incident.merged_into is None


def _status(case: Case, book: Rulebook, ticket: TicketState, so_far: Decision) -> Decision:
    issue, state = ticket.issue, ticket.agreed.get("state")
    if issue is None or ticket.placed_status is None:
        return Decision()  # not placed yet
    status = issue.status.id
    nothing = _news(ticket, "status", status, (ticket.placed_status,))
    if nothing is not None:
        return nothing
    stays = Decision(agreed=seen("status", status))
    if state not in _AGREED:  # never agreed, or on its way
        return stays if "state" in so_far.agreed else Decision()
    on = any(getattr(book.mapping.two_way, key) for key in STATE_KEYS)
    if not same_state(str(state), case.incident.state):
        raced = _raced(case, book, _AGREED[str(state)], issue.status) if on else Decision()
        return stays.plus(raced) if "state" in so_far.agreed else raced
    if not on or status == case.attempted.get("status") or left_to_other_tool(case, book):
        return stays
    if ambiguous(book.project):
        text = (
            "one status of this project stands for two states of incidents, so syncd does not carry moves"
            " of the ticket to PagerDuty. Give each state a status of its own under jira.statuses"
        )
        return stays.plus(Decision(operations=(say(case, "status", "two-ways", text, ""),)))
    wanted = state_of(book.project, status)
    key = _key(case.incident.status, wanted)
    if wanted is None or key is None or not _may(case, book, key, "status"):
        return stays
    to = IncidentStatus.TRIGGERED if key == "reopen" else wanted
    agree: dict[str, JsonValue] = {"state": str(to), **seen("status", status)}
    return Decision(operations=(_change(case, "status", _Wish(status=str(to)), agree),))


def _key(state: IncidentStatus, wanted: IncidentStatus | None) -> str | None:
    """The key that lets an incident go from one state to another; nobody un-acknowledges by a ticket."""
    if wanted is None or wanted is state:
        return None
    if wanted is IncidentStatus.RESOLVED:
        return "resolve"
    if state is IncidentStatus.RESOLVED:
        return "reopen"
    return "acknowledge" if wanted is IncidentStatus.ACKNOWLEDGED else None


def _raced(case: Case, book: Rulebook, before: IncidentStatus, status: Status) -> Decision:
    """The incident changed, too: the rule of the status says what becomes of the ticket, this says why."""
    wanted, now = state_of(book.project, status.id), case.incident.status
    key = _key(before, wanted)
    if key is None or wanted is now or not _may(case, book, key, "status") or left_to_other_tool(case, book):
        return Decision()
    text = (
        f"the incident became {now} at the same time, so syncd did not change it. If you still want the"
        " change, make it in PagerDuty. The ticket was moved to:"
    )
    return Decision(operations=(say(case, "status", print_of([str(now), status.id]), text, status.name),))


def _change(case: Case, aspect: str, wish: _Wish, agree: dict[str, JsonValue]) -> ChangeIncident:
    return ChangeIncident(
        incident=case.incident.id,
        aspect=aspect,
        before=print_of(incident_value(case.incident, aspect)),
        agree=agree,
        status=wish.status,
        assignee=wish.assignee,
        priority=wish.priority,
        text=wish.text,
        reason=f"a person changed {aspect} on the ticket",
    )


def state_of(project: ResolvedProject, status_id: str) -> IncidentStatus | None:
    """The one state of incidents that a status stands for; None for people's own, and for two."""
    first = {_STATES[word] for word, one in project.statuses.items() if one.id == status_id}
    found = first or set(_instead(project, status_id))
    return found.pop() if len(found) == 1 else None


def _instead(project: ResolvedProject, status_id: str) -> Iterator[IncidentStatus]:
    for word, some in project.instead.items():
        if any(one.id == status_id for one in some):
            yield _STATES[word]


def ambiguous(project: ResolvedProject) -> bool:
    """Whether one status of the project stands for two states of incidents."""
    return any(
        several_states(word for word, one in project.statuses.items() if one.id == status.id)
        for status in project.statuses.values()
    )


def several_states(words: Iterable[str]) -> bool:
    """Whether these of the mapping's four words are more than one state of incidents."""
    return len({_STATES[word] for word in words}) > 1


def travels(two_way: TwoWay) -> bool:
    """Whether anything but texts may travel from tickets to incidents."""
    return any(getattr(two_way, key) for key in (*STATE_KEYS, *KEYS.values()))
