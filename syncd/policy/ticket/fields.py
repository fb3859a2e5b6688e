"""The ticket's fields follow the incident, each as far as the mapping gives it to PagerDuty.

An aspect is carried over when the incident's side changed since both sides last agreed on it, and all
that changed in one cycle is one edit. A field that the mapping gives to Jira is people's after the
create; one that it gives to nobody is carried over while nobody else touched it. An assignee whom a
person chose always stays, and a resolve keeps the assignee (rules: "The ticket"). What an adopted ticket
says when it is found is people's work: only later changes are carried over. The title of a restricted
incident is written at the create alone, and a stub is given no further field.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from syncd.config.templates.text_limits import slug_label, ticket_summary
from syncd.domain.base import JsonValue, Value
from syncd.domain.mapping.jira_section import Owner
from syncd.domain.operation import CommentOnTicket, EditTicket
from syncd.domain.operation.keys import comment_key
from syncd.policy.case import Case, Decision, Remark, Rulebook
from syncd.policy.restricted import STUB
from syncd.policy.severity import Severity, decide_severity
from syncd.policy.ticket.revert_counter import CONFLICT, conflict_on, in_conflict, print_of

ASSUMED = "severity-assumed"
"""The label of a ticket whose severity nobody chose."""
EDITED = "fields"
"""The aspect of the edit that carries fields over."""


class Aspect(Value):
    """One field: what the incident's side wants, what the issue shows, what was agreed last.

    `showing` is None where the issue shows nothing that compares. `write` is what the edit sends.
    """

    name: str
    wanted: JsonValue
    showing: JsonValue
    write: dict[str, JsonValue]
    owner: Owner
    display: str = ""
    shown: str = ""


def decide_fields(case: Case, book: Rulebook) -> Decision:
    """Given a case with a ticket that was read, return one edit with all that is to be carried over."""
    ticket = case.ticket
    if (
        case.before_enforcement
        or ticket is None
        or ticket.issue is None
        or (case.restricted and ticket.agreed.get(STUB))
    ):
        return Decision()
    carried: list[Aspect] = []
    decision = Decision()
    for aspect in aspects_of(case, book):
        agreed = ticket.agreed.get(aspect.name)
        refused = not set(ticket.refused).isdisjoint(aspect.write)
        if aspect.wanted == agreed or refused or in_conflict(ticket.agreed, aspect.name):
            continue
        if agreed is None and ticket.origin == "adopted":
            decision = decision.plus(Decision(agreed={aspect.name: aspect.wanted}))
            continue
        touched = aspect.showing != agreed and (agreed is not None or aspect.name == "assignee")
        left = None if aspect.showing == aspect.wanted else _left(aspect, touched)
        if left:
            decision = decision.plus(_leave(case, aspect, left, touched))
        elif aspect.showing == aspect.wanted:
            decision = decision.plus(Decision(agreed={aspect.name: aspect.wanted}))
        else:
            carried.append(aspect)
            if touched:
                decision = decision.plus(_replaced(case, aspect))
    if not carried:
        return decision
    fields: dict[str, JsonValue] = {}
    for aspect in carried:
        fields.update(aspect.write)
    operation = EditTicket(
        incident=case.incident.id,
        aspect=EDITED,
        fields=fields,
        agree={aspect.name: aspect.wanted for aspect in carried},
        before={aspect.name: print_of(aspect.showing) for aspect in carried},
        reason="changed on the incident: " + ", ".join(sorted(aspect.name for aspect in carried)),
    )
    return decision.plus(Decision(operations=(operation,)))


def decide_arrived(case: Case) -> Decision:
    """Given a case, agree on what the ticket shows and our latest edit meant whose answer was lost.

    Else it would look like a person's choice as soon as the incident says something else.
    """
    ticket = case.ticket
    if not case.attempted or ticket is None or ticket.issue is None:
        return Decision()
    issue = ticket.issue
    showing: dict[str, JsonValue] = {
        "summary": issue.summary,
        "assignee": issue.assignee.id if issue.assignee else None,
        "priority": issue.priority.id if issue.priority else None,
    }
    arrived = {name: value for name, value in showing.items() if value and case.attempted.get(name) == value}
    return Decision(
        agreed={name: value for name, value in arrived.items() if ticket.agreed.get(name) != value}
    )


def _left(aspect: Aspect, touched: bool) -> str | None:
    """Why a change of the incident is not carried over, None if it is."""
    if aspect.owner is Owner.JIRA:
        return "the mapping leaves this field to Jira (jira.owners)"
    if touched and aspect.owner is Owner.NOBODY:
        return "both sides changed this field, and the mapping leaves it to nobody (jira.owners)"
    if touched and aspect.name == "assignee" and aspect.showing is not None:
        return "a person chose the assignee"
    return None


def _leave(case: Case, aspect: Aspect, why: str, touched: bool) -> Decision:
    """Agree to differ, on record, and on the ticket where people would otherwise not know."""
    if touched and aspect.owner is Owner.NOBODY:
        text = f"{why}. syncd leaves it alone on both sides from now on. The incident says:"
        said_once = say(case, aspect.name, CONFLICT, text, aspect.display)
        return Decision(
            operations=(said_once,),
            agreed={aspect.name: aspect.wanted, **conflict_on(aspect.name)},
            remarks=(Remark(rule=CONFLICT, reason=f"{aspect.name}: {why}", aspect=aspect.name),),
        )
    said: tuple[CommentOnTicket, ...] = ()
    if touched and aspect.owner is not Owner.JIRA:
        text = f"{why}, so syncd leaves it. The incident now says:"
        said = (say(case, aspect.name, _hash(aspect.wanted), text, aspect.display),)
    return Decision(
        operations=said, agreed={aspect.name: aspect.wanted}, remarks=(Remark(rule=aspect.name, reason=why),)
    )


def _replaced(case: Case, aspect: Aspect) -> Decision:
    """What a person wrote into a field of PagerDuty's is replaced, but not silently."""
    text = "syncd replaced this, because the incident changed. Before, the ticket said:"
    identity = _hash([aspect.wanted, aspect.showing])
    # said only if the edit leaves: what waits for a pause may be withdrawn together with it
    return Decision(operations=(say(case, aspect.name, identity, text, aspect.shown, beside=EDITED),))


def _hash(value: JsonValue) -> str:
    return sha256(repr(value).encode()).hexdigest()[:12]


def say(
    case: Case, subject: str, identity: str, text: str, value: str, beside: str | None = None
) -> CommentOnTicket:
    """A comment of ours that tells people once what happened to a field; `value` is hostile text."""
    return CommentOnTicket(
        key=comment_key(case.incident.id, subject, identity),
        incident=case.incident.id,
        subject=subject,
        text=text,
        value=value,
        companion=beside,
        reason=f"people see what happened to {subject}",
    )


def aspects_of(case: Case, book: Rulebook) -> Iterator[Aspect]:
    """Every field that follows the incident, as both sides show it now."""
    issue = case.ticket.issue if case.ticket else None
    if issue is None:
        return
    owners, project = book.mapping.jira.owners, book.project
    severity = decide_severity(case.incident, book.mapping, book.section)
    if not case.restricted:
        summary = ticket_summary(case.incident, book.mapping)
        yield Aspect(
            name="summary",
            wanted=summary,
            showing=issue.summary,
            write={"summary": summary},
            owner=owners.summary,
            display=summary,
            shown=issue.summary,
        )
    priority = project.priorities.get(severity.name)
    if priority is not None:
        yield Aspect(
            name="priority",
            wanted=priority.id,
            showing=issue.priority.id if issue.priority else None,
            write={"priority": {"id": priority.id}},
            owner=owners.priority,
            display=priority.name,
            shown=(issue.priority.name or issue.priority.id) if issue.priority else "nothing",
        )
    yield from _severity_labels(case, book, severity)
    yield from _component(case, book)
    yield from _severity_fields(case, book, severity.name)
    yield from _assignee(case, book)


def severity_labels(severity: Severity) -> list[str]:
    """The labels that say a severity, and that nobody chose it."""
    return [slug_label(severity.name), *([ASSUMED] if severity.assumed else [])]


def _severity_labels(case: Case, book: Rulebook, severity: Severity) -> Iterator[Aspect]:
    """The labels of the severity follow it; all others are people's and are never written.

    What we put there before is ours too, where another team's mapping named it, or an earlier version.
    """
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if ticket is None or issue is None or not book.project.offers("labels"):
        return
    before = str(ticket.agreed.get("severity labels") or "")
    ours = {ASSUMED, *before.split(", "), *(slug_label(name) for name in book.mapping.severities)}
    wanted = severity_labels(severity)
    shown = [label for label in issue.labels if label in ours]
    add: list[JsonValue] = [one for one in wanted if one not in shown]
    remove: list[JsonValue] = [one for one in shown if one not in wanted]
    yield Aspect(
        name="severity labels",
        wanted=", ".join(sorted(wanted)),
        showing=", ".join(sorted(shown)) or None,
        write={"labels": {"add": add, "remove": remove}},
        owner=book.mapping.jira.owners.severity,
        display=severity.name,
        shown=", ".join(shown) or "nothing",
    )


def _component(case: Case, book: Rulebook) -> Iterator[Aspect]:
    """The service's component among those of the issue; the others are people's and stay."""
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    component = book.project.components.get(book.section.component or "")
    if ticket is None or issue is None or component is None:
        return
    agreed = ticket.agreed.get("component")
    ids = [part.id for part in issue.components]
    others = [one for one in ids if one not in (agreed, component.id)]
    kept: list[JsonValue] = [{"id": one} for one in (*others, component.id)]
    yield Aspect(
        name="component",
        wanted=component.id,
        showing=next((one for one in (component.id, agreed) if one in ids), None),
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
        value = severity_value(severity, facts.type)
        shown = issue.fields.get(facts.id)
        if isinstance(shown, dict):
            shown = shown.get("value")
        yield Aspect(
            name=f"field:{facts.id}",
            wanted=severity,
            showing=shown,
            write={facts.id: value},
            owner=book.mapping.jira.owners.severity,
            display=severity,
            shown=str(shown or "nothing"),
        )


def severity_value(severity: str, field_type: str) -> JsonValue:
    """A severity as a field of this type takes it: an option or plain text."""
    return {"value": severity} if field_type == "option" else severity


def wanted_assignee(case: Case) -> str | None:
    """The Jira account that should have the ticket: the first assignee who can have it, else the fallback."""
    for person in case.incident.assignees:
        account = case.people.get(person.id)
        if account is not None:
            return account.id
    return case.fallback.id if case.fallback else None


def _responder(case: Case) -> str:
    """The name of whom the incident is assigned to: who can have the ticket, else the first."""
    able = [person for person in case.incident.assignees if case.people.get(person.id) is not None]
    return (able or list(case.incident.assignees))[0].name


def _assignee(case: Case, book: Rulebook) -> Iterator[Aspect]:
    issue = case.ticket.issue if case.ticket else None
    wanted = wanted_assignee(case)
    if issue is None or wanted is None or not case.incident.assignees:
        return
    yield Aspect(
        name="assignee",
        wanted=wanted,
        showing=issue.assignee.id if issue.assignee else None,
        write={"assignee": book.project.person(wanted)},
        owner=book.mapping.jira.owners.assignee,
        display=_responder(case),
        shown=(issue.assignee.name or issue.assignee.id) if issue.assignee else "nobody",
    )
