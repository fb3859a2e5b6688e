"""Creates the ticket of an incident, with its mark in the same request.

What is optional (a component, a priority, an assignee, the mapping's further fields) is left out once
Jira refuses it, and that is recorded; the ticket is made all the same. What the screen demands and nothing
fills parks the create, and the words name the mapping's key that would.

A restricted incident's ticket is born under its security level or where only a few see it, or says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.config.templates.templates import TemplateError
from syncd.config.templates.text_limits import slug_label
from syncd.domain.incident import Incident, stub_title
from syncd.domain.operation import CreateTicket
from syncd.domain.operation.rendered import FieldValues, RenderedCreate
from syncd.engine.act.jira_write.field_values import mapped_value
from syncd.engine.act.kind import Outcome, incident_and_book
from syncd.engine.act.kinds.create_issue import CreateKind, confirmation_of, stub_description, template_fails
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.engine.observe.accounts import people_of
from syncd.engine.rulebook import placement_for
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.confirmation import Confirmation, NewTicket
from syncd.ledger.store.leaving import Basis
from syncd.policy.case import Case, Rulebook
from syncd.policy.marks import incident_label
from syncd.policy.restricted import ASPECT, STUB
from syncd.policy.severity import Severity, decide_severity
from syncd.policy.ticket.fields import severity_labels, wanted_assignee
from syncd.policy.ticket.silence import is_before_enforcement

BACKFILL_LABEL = "syncd-backfill"
"""On tickets of incidents that were over before the rules began."""
ESSENTIAL = frozenset({"project", "issuetype", "summary", "description", "security"})
"""Fields that a ticket is never made without; the security level must never be dropped."""


class CreateTicketKind(CreateKind):
    """The ticket, once for ever."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedCreate:
        """The fields of the issue, and what both sides agree on from its birth."""
        if basis.incident is None or basis.ticket is not None:
            raise DecideAgain
        return self.render_known(context, operation, basis.incident)

    def render_known(
        self, context: EngineContext, operation: OperationRecord, known: IncidentRecord
    ) -> RenderedCreate:
        """As `render`, given an incident that has no ticket.

        `needed` are the fields that are not left out even if Jira refuses them.
        """
        incident = Incident.model_validate(known.snapshot)
        book = context.book_of(incident, known.team)
        if book is None:
            raise CannotRender(f"no mapping claims service {incident.service.name or incident.service.id}")
        refused = set(operation.typed(CreateTicket).refused)
        placement = placement_for(context, book, refused) if known.restricted else None
        if placement is not None:
            book = placement.book
        if placement is not None and placement.stub:
            fields, agree = _stub(context, incident, book)
        else:
            fields, agree = _fields(context, incident, book)
            _keep_backfill_quiet(fields, agree, incident, book)
        if placement is not None and placement.level is not None:
            fields["security"] = {"id": placement.level.id}
        for name in refused - ESSENTIAL:
            fields.pop(name, None)
        if "assignee" in refused:
            agree.pop("assignee", None)
        rendered = RenderedCreate(
            fields=fields,
            agree=agree,
            refused=tuple(sorted(refused)),
            needed=tuple(sorted(_needed(book, fields))),
        )
        return rendered.of_restricted(placement.why) if placement is not None else rendered

    def complete(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedCreate
    ) -> RenderedCreate:
        """The texts of a restricted incident, read now and kept nowhere; a stub has none.

        What was rendered holds the stub's words in their place, so that it is harmless by itself.
        """
        if not rendered.restricted or rendered.agree.get(STUB):
            return rendered
        incident = context.services.pagerduty.incident(operation.incident_id)
        if incident is None:
            return rendered
        _, book = incident_and_book(context, operation)
        whole = dict(rendered.fields)
        whole["summary"], whole["description"] = texts_of(context, incident, book)
        for name, spec in book.mapping.jira.fields.items():
            facts = book.project.fields.get(name)
            if facts is not None and facts.id in whole and spec.template is not None:
                whole[facts.id] = mapped_value(context, spec, facts, incident, book)
        return rendered.model_copy(update={"fields": whole})

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """The incident has its ticket; an assignee who was refused is looked up again by later decisions."""
        rendered = operation.rendered_as(RenderedCreate)
        ticket = NewTicket(
            issue_id=outcome.remote_id,
            key=outcome.key,
            agreed=rendered.agree,
            refused=[name for name in rendered.refused if name != "assignee"],
            written_seq=context.ledger.logical_clock.next(),
        )
        return confirmation_of("ticket", ticket, context, rendered)

    def learn(self, context: EngineContext, operation: OperationRecord, outcome: Outcome) -> None:
        """When Jira made it, what Jira offers but refuses, and what the security lead has to hear."""
        if ASPECT in operation.rendered_as(RenderedCreate).refused:
            context.facts.forget_projects()  # it offered a level that it then refused
        context.read_lags.made(outcome.remote_id)
        super().learn(context, operation, outcome)

    def may_drop(self, rendered: RenderedCreate, field: str) -> bool:
        """Everything but the essentials and what mapping or screen demand can be left out.

        A level that Jira refuses is never just left out: the ticket is made elsewhere, or as a stub.
        """
        if field == "security":
            return rendered.restricted
        return field not in ESSENTIAL and field not in rendered.needed


def _needed(book: Rulebook, fields: FieldValues) -> Iterator[str]:
    """The fields without which the ticket would not be made, or not be what the mapping demands."""
    for name, facts in book.project.fields.items():
        spec = book.mapping.jira.fields.get(name)
        if facts.id in fields and (facts.demanded or (spec is not None and spec.required)):
            yield facts.id


def texts_of(context: EngineContext, incident: Incident, book: Rulebook) -> tuple[str, str]:
    """Summary and description; raises `CannotRender` without the template's words, which may quote them."""
    try:
        return context.renderer.ticket(incident, book)
    except TemplateError as error:
        raise template_fails("ticket", error) from None


def _stub(context: EngineContext, incident: Incident, book: Rulebook) -> tuple[FieldValues, FieldValues]:
    """A ticket that says the incident's number and address, and what the screen will not do without."""
    labels = ["syncd", incident_label(incident.id)]
    fields = _issue(book, stub_title(incident.number), stub_description(incident), labels)
    for name, spec in book.mapping.jira.fields.items():
        facts = book.project.fields.get(name)
        if facts is not None and (spec.required or facts.demanded):
            fields[facts.id] = mapped_value(context, spec, facts, incident, book)
    return fields, {STUB: True}


def _issue(book: Rulebook, summary: str, description: str, labels: list[str]) -> FieldValues:
    """Return the fields that every ticket has."""
    fields: FieldValues = {
        "project": {"key": book.project.key},
        "issuetype": {"id": book.project.incident_type.id},
        "summary": summary,
        "description": description,
    }
    if book.project.offers("labels"):
        fields["labels"] = [*labels]
    return fields


def _fields(context: EngineContext, incident: Incident, book: Rulebook) -> tuple[FieldValues, FieldValues]:
    severity = decide_severity(incident, book.mapping, book.section)
    summary, description = texts_of(context, incident, book)
    fields = _issue(book, summary, description, _labels(incident, book, severity))
    agree: FieldValues = {"summary": summary}
    if book.project.offers("labels"):
        agree["severity labels"] = ", ".join(sorted(severity_labels(severity)))
    priority = book.project.priorities.get(severity.name)
    if priority is not None:
        fields["priority"] = {"id": priority.id}
        agree["priority"] = priority.id
    component = book.project.components.get(book.section.component or "")
    if component is not None:
        fields["components"] = [{"id": component.id}]
        agree["component"] = component.id
    people, fallback = people_of(context, incident, book)
    account = wanted_assignee(Case(incident=incident, people=people, fallback=fallback))
    if account is not None and book.project.offers("assignee"):
        fields["assignee"] = book.project.person(account)
        agree["assignee"] = account
    for name, spec in book.mapping.jira.fields.items():
        facts = book.project.fields.get(name)
        if facts is None:
            if spec.required:
                raise CannotRender(f"the create screen has no field {name}, and the mapping requires it")
            continue
        fields[facts.id] = mapped_value(context, spec, facts, incident, book)
        if spec.severity:
            agree[f"field:{facts.id}"] = severity.name
    return fields, agree


def _keep_backfill_quiet(fields: FieldValues, agree: FieldValues, incident: Incident, book: Rulebook) -> None:
    """What was over before the rules began is given to nobody, and says what it is."""
    if not is_before_enforcement(incident, book):
        return
    fields.pop("assignee", None)
    agree.pop("assignee", None)
    labels = fields.get("labels")
    if book.mapping.backfill.tickets == "all" and isinstance(labels, list):
        fields["labels"] = [*labels, BACKFILL_LABEL]


def _labels(incident: Incident, book: Rulebook, severity: Severity) -> list[str]:
    """Labels are for people and for finding candidates; they decide nothing."""
    labels = ["syncd", incident_label(incident.id), *severity_labels(severity)]
    if book.section.component and book.section.component not in book.project.components:
        labels.append(slug_label(book.section.component))
    labels.extend(slug_label(label) for label in book.mapping.jira.labels)
    return list(dict.fromkeys(labels))
