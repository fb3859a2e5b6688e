"""What the world looks like after everything that a decision wants was done: the other half of a property."""

from __future__ import annotations

from typing import Any

from policy_cast import ANA, NOW, SEVERITY_FIELD, TO_DO

from syncd.config.templates.text_limits import ticket_summary
from syncd.domain.base import JsonValue, Reference
from syncd.domain.incident import IncidentStatus, Note, Responder
from syncd.domain.operation import Kind, Operation, OperationClass
from syncd.domain.ticket import Account, Comment, Issue, Mark, Status
from syncd.policy.case import Case, Decision, MirrorPair, Rulebook, TicketState
from syncd.policy.marks import mark_line
from syncd.policy.severity import decide_severity
from syncd.policy.ticket.fields import severity_labels, wanted_assignee


def after(case: Case, decision: Decision, book: Rulebook) -> Case:
    """The case once the whole decision was carried out and both services were read again."""
    state = case
    if case.ticket:
        agreed = {**case.ticket.agreed, **decision.agreed}
        placed = case.ticket.placed_status
        if "state" in decision.agreed and placed is None and case.ticket.issue:
            placed = case.ticket.issue.status.id
        state = _with(state, agreed=agreed, placed_status=placed)
    for operation in decision.operations:
        if operation.op_class is OperationClass.ONCE and operation.key in state.once:
            continue
        state = _done(state, operation, book)
    return state


def _done(case: Case, op: Operation, book: Rulebook) -> Case:
    if op.op_class is OperationClass.ONCE:
        case = case.model_copy(update={"once": case.once | {op.key}})
    if op.kind is Kind.CREATE_TICKET:
        return case.model_copy(update={"ticket": _made(case, book)})
    if op.kind is Kind.MOVE_TICKET:
        status = next(
            each_status
            for each_status in book.project.statuses.values()
            if each_status.id == op.meaning["status"]
        )
        return _moved(case, status, op.meaning["state"])
    if op.kind is Kind.LINK_TICKETS:
        assert case.ticket
        linked = {str(op.meaning["purpose"]): op.meaning["target"]}
        return _with(case, agreed={**case.ticket.agreed, **linked})
    if op.kind is Kind.EDIT_TICKET:
        return _edited(case, op.meaning)
    if op.kind is Kind.CHANGE_INCIDENT:
        return _carried(case, op)
    if op.kind in (Kind.MIRROR_NOTE, Kind.COMMENT_ON_TICKET):
        return _commented(case, op)
    return _noted(case, op)


def _carried(case: Case, op: Operation) -> Case:
    """The incident as PagerDuty shows it after a change that a person's change on the ticket asked for."""
    assert case.ticket
    meaning: dict[str, Any] = op.meaning
    agreed = {**case.ticket.agreed, **meaning["agree"]}
    more: dict[str, Any] = {}
    if "status" in meaning:
        over = meaning["status"] == "resolved"
        more = {"status": IncidentStatus(str(meaning["status"])), "resolved_at": NOW if over else None}
        more |= {"assignees": () if over else case.incident.assignees or (ANA,)}
    elif "account" in meaning:
        known = {account.id: person for person, account in case.people.items() if account}
        user = known.get(str(meaning["account"]), "U9")
        more = {"assignees": (Responder(id=user, name=user),)}
        people = {**case.people, user: Account(id=str(meaning["account"]))}
        case = case.model_copy(update={"people": people})
    elif "priority" in meaning:
        more = {"priority": Reference(id=f"PRIO-{meaning['priority']}", name=str(meaning["priority"]))}
    else:
        more = {"title": meaning["text"]}
        agreed["summary"] = meaning["text"]
    state = case.model_copy(update={"incident": case.incident.model_copy(update=more)})
    return _with(state, agreed=agreed)


def _with(case: Case, **more: Any) -> Case:
    assert case.ticket
    return case.model_copy(update={"ticket": case.ticket.model_copy(update=more)})


def _showing(case: Case, **more: Any) -> Case:
    assert case.ticket
    assert case.ticket.issue
    return _with(case, issue=case.ticket.issue.model_copy(update=more))


def _made(case: Case, book: Rulebook) -> TicketState:
    """The ticket as the create makes it: everything that the incident says, and agreed on."""
    severity = decide_severity(case.incident, book.mapping, book.section).name
    priority = book.project.priorities.get(severity)
    component = book.project.components.get(book.section.component or "")
    account = wanted_assignee(case)
    summary = ticket_summary(case.incident, book.mapping)
    agreed: dict[str, JsonValue] = {"summary": summary, f"field:{SEVERITY_FIELD}": severity}
    agreed |= {"priority": priority.id} if priority else {}
    agreed |= {"component": component.id} if component else {}
    agreed |= {"assignee": account} if account else {}
    labels = severity_labels(decide_severity(case.incident, book.mapping, book.section), book)
    agreed["severity labels"] = ", ".join(sorted(labels))
    made = Issue(
        id="10009",
        key="OPS-9",
        project="OPS",
        type_id="100",
        status=TO_DO,
        summary=summary,
        priority=priority,
        components=(component,) if component else (),
        assignee=Account(id=account) if account else None,
        fields={SEVERITY_FIELD: {"value": severity}},
        comments=(),
    )
    return TicketState(issue_id=made.id, key=made.key, agreed=agreed, issue=made)


def _moved(case: Case, status: Status, state: JsonValue) -> Case:
    assert case.ticket
    moved = _showing(case, status=status)
    return _with(moved, placed_status=status.id, agreed={**case.ticket.agreed, "state": state})


def _edited(case: Case, meaning: dict[str, Any]) -> Case:
    assert case.ticket
    assert case.ticket.issue
    shown: dict[str, Any] = {}
    for name, value in meaning["fields"].items():
        if name == "priority":
            shown["priority"] = Reference(id=value["id"])
        elif name == "components":
            shown["components"] = tuple(Reference(id=entry["id"]) for entry in value)
        elif name == "assignee":
            shown["assignee"] = Account(id=value["accountId"])
        elif name == "labels":
            kept = [label for label in case.ticket.issue.labels if label not in value["remove"]]
            shown["labels"] = (*kept, *value["add"])
        elif name.startswith("customfield_"):
            shown["fields"] = {**case.ticket.issue.fields, name: value}
        else:
            shown[name] = value
    return _with(_showing(case, **shown), agreed={**case.ticket.agreed, **meaning["agree"]})


def _commented(case: Case, op: Operation) -> Case:
    note = op.meaning.get("note")
    pair = MirrorPair(
        origin="note" if note else "syncd", note_id=str(note) if note else None, comment_id=f"by-{op.op}"
    )
    mark = Mark(op=op.op, kind=op.kind, incident=op.incident, instance="abcd")
    body = f"{op.meaning.get('text')}\n\n{mark_line(op.op)}"
    ours = Comment(id=f"by-{op.op}", body=body, created_at=NOW, mark=mark)
    known = case.ticket.issue.comments if case.ticket and case.ticket.issue else None
    case = case.model_copy(update={"pairs": (*case.pairs, pair)})
    return case if known is None else _showing(case, comments=(*known, ours))


def _noted(case: Case, op: Operation) -> Case:
    comment = op.meaning.get("comment")
    pair = MirrorPair(
        origin="comment" if comment else "syncd",
        note_id=f"by-{op.op}",
        comment_id=str(comment) if comment else None,
    )
    ours = Note(id=f"by-{op.op}", text=f"{op.meaning.get('text')}\n{mark_line(op.op)}", created_at=NOW)
    notes = None if case.notes is None else (*case.notes, ours)
    return case.model_copy(update={"pairs": (*case.pairs, pair), "notes": notes})
