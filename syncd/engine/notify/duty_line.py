"""Compose one duty as a line of a mail: what is owed, since when, why this person gets the line.

Each line also names the act that ends it with its link, the other ways out, and the people who hear next.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.base import texts_in
from syncd.domain.duty import OWED, Duty, DutyKind, DutyState
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.recurring import recurring_of
from syncd.ledger.views.postmortems import OwingIncident
from syncd.policy.case import Case, ItemState
from syncd.policy.duty_words import BY_RULE, out_of_sight
from syncd.policy.notify.recipients import contacts, issue_of
from syncd.policy.postmortem.fulfilment import review_of
from syncd.policy.severity import decide_severity
from syncd.report.mail.calendar import Review
from syncd.report.mail.letters import Line, format_time

_WAIVE = 'get a waiver: syncd waive {id} --duty {duty} --until DATE --reason "…" --by ADDRESS'
_LABEL = "an approver sets the label waived on {key} and comments why"
_WONT_DO = "set the label wont-do on {key} and comment why"


def section_of(mapping: Mapping, incident: Incident) -> ServiceSection:
    """Return the mapping's section of an incident's service; of a recurring duty one that names its owner."""
    name = recurring_of(incident.id)
    entry = mapping.recurring.get(name.name) if name is not None else None
    if entry is not None:
        return ServiceSection(owner=entry.owner)
    return mapping.service(incident.service) or ServiceSection()


def line_of(
    owing_incident: OwingIncident,
    mapping: Mapping,
    section: ServiceSection,
    duty: Duty,
    why: str,
    *,
    owner: bool,
) -> Line | None:
    """Return a duty as a line for its `owner` or for a contact, None where it is not owed any more."""
    if duty.state not in OWED:
        return None
    late = duty.state is DutyState.BREACHED
    case, key = owing_incident.case, _place(owing_incident, duty)
    return Line(
        state="not visible" if duty.unseen else "overdue" if late else "due soon",
        what=_what(case, duty),
        about=_about(case, mapping, section),
        since=format_time(duty.started_at, mapping.zone),
        due=format_time(duty.due_at, mapping.zone),
        why=why[:1].upper() + why[1:],
        act=_act(case, duty, mapping, key),
        url=owing_incident.subject.browse(key),
        others=_others(case, mapping, duty, key),
        next=_next(case, mapping, section, late=late, owner=owner),
    )


def postponed_line(
    owing_incident: OwingIncident, mapping: Mapping, section: ServiceSection, issue_id: str, why: str
) -> Line | None:
    """Return an action item that was postponed for the third time as a line for a contact."""
    case = owing_incident.case
    item = case.item(issue_id)
    if item is None:
        return None
    done_by = (duty.due_at for duty in case.duties if duty.subject == issue_id and duty.kind == "done")
    due = next(done_by, None)
    owner = item.issue.assignee.name if item.issue and item.issue.assignee else "nobody"
    return Line(
        state="postponed",
        what=f"Agree on a date for {_named(case, item)}",
        about=_about(case, mapping, section),
        since=format_time(item.first_seen_at, mapping.zone),
        due=format_time(due, mapping.zone) if due else "no date",
        why=why[:1].upper() + why[1:],
        act=f"Agree with {owner} on a date for {item.key}",
        url=owing_incident.subject.browse(item.key),
        others=(_WONT_DO.format(key=item.key),),
        next="nobody else by mail; the weekly report lists each postponement",
    )


def upcoming_review(
    owing_incident: OwingIncident, mapping: Mapping, duty: Duty, field: str, instance: str, now: datetime
) -> Review | None:
    """Return the review of a postmortem for its owner's calendar; None if it is over, or without an issue.

    Where nobody has entered a day, it is the last one that counts. `field` holds the day, `instance` names
    the ledger, `now` is in UTC.
    """
    case, zone = owing_incident.case, ZoneInfo(mapping.zone)
    postmortem = case.postmortem
    if not duty.of_postmortem or postmortem is None or duty.state not in OWED:
        return None
    at = review_of(postmortem, field)
    entered = at is not None
    if at is None and duty.kind is DutyKind.SCHEDULED:
        at = duty.started_at.astimezone(zone).date() + timedelta(days=mapping.postmortem.review_within_days)
    day = at.astimezone(zone).date() if isinstance(at, datetime) else at
    if at is None or day is None or day < now.astimezone(zone).date():
        return None
    return Review(
        uid=f"review-{postmortem.issue_id}@{instance}.syncd",
        number=case.incident.number,
        # a calendar is read by more people than the mail
        title="" if case.restricted else case.incident.title,
        key=postmortem.key,
        url=owing_incident.subject.browse(postmortem.key),
        at=at,
        entered=entered,
    )


def _place(owing_incident: OwingIncident, duty: Duty) -> str:
    """Return the key of the issue on which the duty is done, the ticket's where no postmortem exists yet."""
    case = owing_incident.case
    if not duty.of_postmortem:
        item = case.item(duty.subject)
        return item.key if item else ""
    return case.postmortem.key if case.postmortem is not None else owing_incident.subject.ticket


def _named(case: Case, item: ItemState | None) -> str:
    if item is None:
        return "action item"
    summary = item.issue.summary if item.issue and not case.restricted else ""
    return f"action item {item.key}" + (f" ({summary})" if summary else "")


def _what(case: Case, duty: Duty) -> str:
    number = case.incident.number
    if duty.kind is DutyKind.HELD:
        return f"Hold {case.incident.title}"
    if duty.kind is DutyKind.SCHEDULED:
        return f"Schedule the postmortem of #{number}"
    if duty.kind is DutyKind.COMPLETED:
        return f"Complete the postmortem of #{number}"
    named = _named(case, case.item(duty.subject))
    return f"Find an owner for {named}" if duty.kind is DutyKind.OWNED else f"Finish {named}"


def _about(case: Case, mapping: Mapping, section: ServiceSection) -> str:
    name = recurring_of(case.incident.id)
    if name is not None:
        entry = mapping.recurring.get(name.name)
        return (entry.scenario or entry.document or name.words) if entry is not None else name.words
    severity = decide_severity(case.incident, mapping, section).name
    service = case.incident.service.name or case.incident.service.id
    return f"#{case.incident.number} {case.incident.title} ({severity}, {service})"


def _act(case: Case, duty: Duty, mapping: Mapping, key: str) -> str:
    place = key or "the ticket"
    if duty.unseen:
        state = issue_of(case, duty)
        deleted_by = state.deleted_by if state is not None else None
        why = out_of_sight(place, deleted_by, state.moved_by if state is not None else None)
        act = f"Show {place} to syncd's account again"
        return f"{why} {act if deleted_by is None else f'Make {place} again or get a waiver'}"
    if duty.kind is DutyKind.SCHEDULED:
        # the judged duty names the field and the days that count: Jira has no field "review date"
        return f"On {place}, {duty.remedy or 'set owner and review date'}"
    if duty.kind is DutyKind.COMPLETED:
        return f"Finish {place} and move it to {mapping.postmortem.statuses[0]}"
    if duty.kind is DutyKind.HELD:
        return f"Hold it, fill in {place} and close it"
    if duty.kind is not DutyKind.OWNED:
        return f"Finish {place} and close it"
    item = case.item(duty.subject)
    by_rule = item is not None and BY_RULE in texts_in(item.facts.get("violations"))
    return f"Take {place} with a comment, or assign it to somebody" if by_rule else f"Assign {place}"


def _others(case: Case, mapping: Mapping, duty: Duty, key: str) -> tuple[str, ...]:
    if duty.of_postmortem:
        ways_out = [_WAIVE.format(id=case.incident.number, duty=duty.kind)]
        if mapping.people.may_approve and key:
            ways_out.append(_LABEL.format(key=key))
        return tuple(ways_out)
    if duty.kind is DutyKind.HELD:
        ways = [_WAIVE.format(id=key, duty=duty.kind)]
        return (*ways, *([_LABEL.format(key=key)] if mapping.people.may_approve else []))
    later = "set a later due date; syncd counts and shows each postponement"
    wont_do = _WONT_DO.format(key=key)
    return (wont_do,) if duty.kind is DutyKind.OWNED else (later, wont_do)


def _next(case: Case, mapping: Mapping, section: ServiceSection, *, late: bool, owner: bool) -> str:
    recurring = recurring_of(case.incident.id) is not None
    severity = None if recurring else decide_severity(case.incident, mapping, section).name
    addresses = (contact.address for contact in contacts(mapping, section, severity))
    told = ", ".join(addresses) or "nobody by mail"
    if not late:
        return f"{told} (once, at the deadline); after that the weekly report lists it"
    if owner:
        return f"nobody new ({told} at the deadline); the weekly report lists it until it is done"
    return "the owner, in a digest each working day; the weekly report lists it until it is done"
