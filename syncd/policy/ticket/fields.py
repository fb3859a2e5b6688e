"""Update the ticket's fields after changes of the incident, as far as `jira.owners` of the mapping allows.

syncd carries a field over when the incident's value changed since both sides last agreed. All changes of one
cycle are one edit. People own a field that the mapping gives to Jira. syncd updates a field that the mapping
gives to nobody until a person changes it. An assignee whom a person chose always stays. syncd writes the
title of a restricted incident only at the create.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from syncd.config.templates.text_limits import slug_label, ticket_summary
from syncd.domain.base import JsonValue
from syncd.domain.field import FieldFacts
from syncd.domain.mapping.jira_section import Owner
from syncd.domain.operation import CommentOnTicket, EditTicket
from syncd.domain.operation.keys import comment_key
from syncd.domain.ticket import Issue
from syncd.policy.case import Case, Decision, Remark, Rulebook, TicketState
from syncd.policy.restricted import KEPT, STUB, is_stub
from syncd.policy.severity import Severity, decide_severity
from syncd.policy.ticket.field_values import Unfit, fit, shown_text
from syncd.policy.ticket.revert_counter import CONFLICT, conflict_on, in_conflict, print_of
from syncd.policy.ticket.unseen_writes import normal_print, on_incident, on_ticket

ASSUMED = "severity-assumed"
"""The label of a ticket whose severity is assumed."""
EDITED = "fields"
"""The aspect of the edit that carries changes of the incident over."""


@dataclass(frozen=True, slots=True)
class Aspect:
    """One field of the ticket: the value by the incident (`target`) and the value on the issue (`showing`).

    `showing` is None if the issue has no value to compare. `write` is the part of Jira's edit request.
    `display` and `shown` are the two values in words. All are made from values that are checked already.
    """

    name: str
    target: JsonValue
    showing: JsonValue
    write: dict[str, JsonValue]
    owner: Owner
    display: str = ""
    shown: str = ""


def decide_fields(case: Case, book: Rulebook) -> Decision:
    """Return one edit with all fields that syncd carries over; nothing if the ticket was not read."""
    ticket = case.ticket
    if case.before_enforcement or ticket is None or ticket.issue is None or is_stub(case):
        return Decision()
    carried: list[Aspect] = []
    decision = Decision()
    for aspect in aspects_of(case, book):
        carries, judged = _judge(case, ticket, aspect)
        decision = decision.plus(judged)
        if carries:
            carried.append(aspect)
    if not carried:
        return decision
    fields: dict[str, JsonValue] = {}
    for aspect in carried:
        fields.update(aspect.write)
    operation = EditTicket(
        incident=case.incident.id,
        aspect=EDITED,
        fields=fields,
        agree={aspect.name: aspect.target for aspect in carried},
        before={aspect.name: print_of(aspect.showing) for aspect in carried},
        reason="changed on the incident: " + ", ".join(sorted(aspect.name for aspect in carried)),
    )
    return decision.plus(Decision(operations=(operation,)))


def _judge(case: Case, ticket: TicketState, aspect: Aspect) -> tuple[bool, Decision]:
    """Return True if syncd carries a field over, and what it agrees on and tells people beside that."""
    agreed, nothing = ticket.agreed.get(aspect.name), Decision()
    # Jira refused the field on this ticket and would refuse it again.
    refused = not set(ticket.refused).isdisjoint(aspect.write)
    if refused or in_conflict(ticket.agreed, aspect.name) or _waits_for_a_read(case, aspect, agreed):
        return False, nothing
    # A write without effect agreed on nothing, and nobody touched what the ticket still shows.
    if on_ticket(case, aspect.write) and aspect.showing != aspect.target:
        return True, nothing
    if aspect.target == agreed:
        return False, nothing
    # A person wrote an adopted ticket. syncd keeps its values and carries over later changes only.
    if agreed is None and ticket.origin == "adopted":
        return False, Decision(agreed={aspect.name: aspect.target})
    # Without an agreed assignee syncd assigned nobody, so a person chose the one on the ticket.
    touched = aspect.showing != agreed and (agreed is not None or aspect.name == "assignee")
    # Jira normalised the agreed value: no person touched it.
    touched = touched and normal_print(aspect.showing) != normal_print(agreed)
    left = None if aspect.showing == aspect.target else _reason_to_leave(aspect, touched)
    if left:
        return False, _agree_to_differ(case, aspect, left, touched)
    if aspect.showing == aspect.target:
        return False, Decision(agreed={aspect.name: aspect.target})
    return True, _replaced(case, aspect) if touched else nothing


def _waits_for_a_read(case: Case, aspect: Aspect, agreed: JsonValue) -> bool:
    """Return True if a read must first tell whether a write of syncd arrived.

    That holds for a write to the incident, and for one to the ticket if a read still shows another value.
    """
    if on_incident(case, aspect.name) is not None:
        return True
    return on_ticket(case, aspect.write) is False and aspect.showing != agreed


def decide_arrived(case: Case) -> Decision:
    """Agree on the values that an edit by syncd brought to the ticket although its answer was lost.

    Otherwise the next change of the incident would find a value that looks like a person's choice.
    """
    ticket = case.ticket
    if not case.attempted or ticket is None or ticket.issue is None:
        return Decision()
    arrived = {
        name: value
        for name, value in shown_values(ticket.issue).items()
        if value and case.attempted.get(name) == value
    }
    return Decision(
        agreed={name: value for name, value in arrived.items() if ticket.agreed.get(name) != value}
    )


def shown_values(issue: Issue) -> dict[str, JsonValue]:
    """Return the values of the fields that an edit sets, as a ticket shows them."""
    return {
        "summary": issue.summary,
        "assignee": issue.assignee.id if issue.assignee else None,
        "priority": issue.priority.id if issue.priority else None,
    }


def _reason_to_leave(aspect: Aspect, touched: bool) -> str | None:
    """Return the reason to leave the ticket's value, None if syncd carries the change over."""
    if aspect.owner is Owner.JIRA:
        return "the mapping leaves this field to Jira (jira.owners)"
    if touched and aspect.owner is Owner.NOBODY:
        return "both sides changed this field, and the mapping leaves it to nobody (jira.owners)"
    if touched and aspect.name == "assignee" and aspect.showing is not None:
        return "a person chose the assignee"
    return None


def _agree_to_differ(case: Case, aspect: Aspect, why: str, touched: bool) -> Decision:
    """Record that both sides differ, and comment on the ticket where people would not expect it."""
    if touched and aspect.owner is Owner.NOBODY:
        text = f"{why}. syncd leaves it alone on both sides from now on. The incident says:"
        comment = comment_about(case, aspect.name, CONFLICT, text, aspect.display)
        return Decision(
            operations=(comment,),
            agreed={aspect.name: aspect.target, **conflict_on(aspect.name)},
            remarks=(Remark(rule=CONFLICT, reason=f"{aspect.name}: {why}", aspect=aspect.name),),
        )
    comments: tuple[CommentOnTicket, ...] = ()
    # People own a field that the mapping gives to Jira, so a difference there is no news.
    if touched and aspect.owner is not Owner.JIRA:
        text = f"{why}, so syncd leaves it. The incident now says:"
        comments = (comment_about(case, aspect.name, _hash(aspect.target), text, aspect.display),)
    return Decision(
        operations=comments,
        agreed={aspect.name: aspect.target},
        remarks=(Remark(rule=aspect.name, reason=why),),
    )


def _replaced(case: Case, aspect: Aspect) -> Decision:
    """Return the comment that keeps the value that a person wrote and syncd replaces."""
    text = "syncd replaced this, because the incident changed. Before, the ticket said:"
    identity = _hash([aspect.target, aspect.showing])
    # The comment leaves only with the edit: during a pause a newer decision may withdraw both.
    return Decision(
        operations=(comment_about(case, aspect.name, identity, text, aspect.shown, companion=EDITED),)
    )


def _hash(value: JsonValue) -> str:
    return sha256(repr(value).encode()).hexdigest()[:12]


def comment_about(
    case: Case, subject: str, identity: str, text: str, value: str, companion: str | None = None
) -> CommentOnTicket:
    """Return a comment that tells people once about a field; `value` is text from outside and is escaped."""
    return CommentOnTicket(
        key=comment_key(case.incident.id, subject, identity),
        incident=case.incident.id,
        subject=subject,
        text=text,
        value=value,
        companion=companion,
        reason=f"so that people see what happened to {subject}",
    )


def aspects_of(case: Case, book: Rulebook) -> Iterator[Aspect]:
    """Return every field that follows the incident, with its values on both sides."""
    severity = decide_severity(case.incident, book.mapping, book.section)
    yield from _summary(case, book)
    yield from _priority(case, book, severity)
    yield from _severity_labels(case, book, severity)
    yield from _component(case, book)
    yield from _severity_fields(case, book, severity.name)
    yield from _assignee(case, book)


def aspects_of_both(case: Case, book: Rulebook) -> Iterator[Aspect]:
    """Return those of `aspects_of` that the incident has, too: a person can change them on either side."""
    yield from _summary(case, book)
    yield from _priority(case, book, decide_severity(case.incident, book.mapping, book.section))
    yield from _assignee(case, book)


def _summary(case: Case, book: Rulebook) -> Iterator[Aspect]:
    issue = case.ticket.issue if case.ticket else None
    # The title of a restricted incident stands nowhere but in the create. A person's words on a stub stay.
    kept = case.ticket is not None and case.ticket.agreed.get(STUB) == KEPT
    if issue is None or case.restricted or kept:
        return
    summary = ticket_summary(case.incident, book.mapping)
    yield Aspect(
        name="summary",
        target=summary,
        showing=issue.summary,
        write={"summary": summary},
        owner=book.mapping.jira.owners.summary,
        display=summary,
        shown=issue.summary,
    )


def _priority(case: Case, book: Rulebook, severity: Severity) -> Iterator[Aspect]:
    issue = case.ticket.issue if case.ticket else None
    priority = book.project.priorities.get(severity.name)
    if issue is None or priority is None:
        return
    yield Aspect(
        name="priority",
        target=priority.id,
        showing=issue.priority.id if issue.priority else None,
        write={"priority": {"id": priority.id}},
        owner=book.mapping.jira.owners.priority,
        display=priority.name,
        shown=(issue.priority.name or issue.priority.id) if issue.priority else "nothing",
    )


def severity_labels(severity: Severity, book: Rulebook) -> list[str]:
    """Return the labels of a severity: its name, whether it is assumed, and a priority that Jira lacks."""
    assumed = [ASSUMED] if severity.assumed else []
    return [slug_label(severity.name), *assumed, *_missing_priority(severity.name, book)]


def _missing_priority(severity: str, book: Rulebook) -> list[str]:
    """Return the label in place of a severity's priority that the project does not offer.

    Without it nobody would see that the ticket of the gravest severity only has Jira's default priority.
    """
    section = book.mapping.severities.get(severity)
    if section is None or not section.priority or severity in book.project.priorities:
        return []
    return [slug_label(f"priority-{section.priority[0]}")]


def _severity_labels(case: Case, book: Rulebook, severity: Severity) -> Iterator[Aspect]:
    """Return the aspect of the severity's labels; syncd changes no other label."""
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if ticket is None or issue is None or not book.project.offers("labels"):
        return
    # After a move to another team, or a new name for a severity, the old label must go, too.
    before = str(ticket.agreed.get("severity labels") or "")
    ours = {ASSUMED, *before.split(", "), *(slug_label(name) for name in book.mapping.severities)}
    ours.update(label for name in book.mapping.severities for label in _missing_priority(name, book))
    labels = severity_labels(severity, book)
    shown = [label for label in issue.labels if label in ours]
    add: list[JsonValue] = [label for label in labels if label not in shown]
    remove: list[JsonValue] = [label for label in shown if label not in labels]
    yield Aspect(
        name="severity labels",
        target=", ".join(sorted(labels)),
        showing=", ".join(sorted(shown)) or None,
        write={"labels": {"add": add, "remove": remove}},
        owner=book.mapping.jira.owners.severity,
        display=severity.name,
        shown=", ".join(shown) or "nothing",
    )


def _component(case: Case, book: Rulebook) -> Iterator[Aspect]:
    """Return the aspect of the service's component; all other components of the issue stay."""
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    component = book.project.components.get(book.section.component or "")
    if ticket is None or issue is None or component is None:
        return
    agreed = ticket.agreed.get("component")
    ids = [part.id for part in issue.components]
    others = [ident for ident in ids if ident not in (agreed, component.id)]
    kept: list[JsonValue] = [{"id": ident} for ident in (*others, component.id)]
    yield Aspect(
        name="component",
        target=component.id,
        showing=next((ident for ident in (component.id, agreed) if ident in ids), None),
        write={"components": kept},
        owner=book.mapping.jira.owners.component,
        display=component.name,
        shown=", ".join(part.name or part.id for part in issue.components) or "nothing",
    )


def _severity_fields(case: Case, book: Rulebook, severity: str) -> Iterator[Aspect]:
    issue = case.ticket.issue if case.ticket else None
    for name, spec in book.mapping.jira.fields.items():
        facts = book.project.fields.get(name)
        if not spec.severity or facts is None or issue is None:
            continue
        try:
            value = severity_value(severity, facts)
        except Unfit:
            # the field has no such option: the create left it out, and `check` says so
            continue
        shown = shown_text(issue.fields.get(facts.id))
        yield Aspect(
            name=f"field:{facts.id}",
            target=shown_text(value),
            showing=shown,
            write={facts.id: value},
            owner=book.mapping.jira.owners.severity,
            display=severity,
            shown=str(shown or "nothing"),
        )


def severity_value(severity: str, field: FieldFacts) -> JsonValue:
    """Return a severity as the value of a field; raise `Unfit` where the field has no such option."""
    return fit(severity, field, _no_person)


def _no_person(name: str) -> JsonValue:
    raise Unfit(name, "it takes a person")


def wanted_assignee(case: Case) -> str | None:
    """Return the account that should have the ticket: the first assignable responder, or the fallback."""
    for person in case.incident.assignees:
        account = case.people.get(person.id)
        if account is not None:
            return account.id
    return case.fallback.id if case.fallback else None


def _responder(case: Case) -> str:
    """Return the name of the first responder who can have the ticket, or of the first responder."""
    able = [person for person in case.incident.assignees if case.people.get(person.id) is not None]
    return (able or list(case.incident.assignees))[0].name


def _assignee(case: Case, book: Rulebook) -> Iterator[Aspect]:
    issue = case.ticket.issue if case.ticket else None
    account = wanted_assignee(case)
    # PagerDuty removes the assignees at the resolve. The ticket keeps its assignee.
    if issue is None or account is None or not case.incident.assignees:
        return
    yield Aspect(
        name="assignee",
        target=account,
        showing=issue.assignee.id if issue.assignee else None,
        write={"assignee": book.project.person(account)},
        owner=book.mapping.jira.owners.assignee,
        display=_responder(case),
        shown=(issue.assignee.name or issue.assignee.id) if issue.assignee else "nobody",
    )
