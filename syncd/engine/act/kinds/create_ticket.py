"""Create the ticket of an incident, with its mark in the same request.

If Jira refuses an optional field (a component, a priority, an assignee, a further field of the mapping), or
the mapping's value does not fit it, syncd leaves it out, records that and creates the ticket all the same. A
field that the screen demands and nothing fills parks the create, and the error names the mapping's key that
would fill it.

A restricted incident's ticket is created under its security level, or in the restricted project, or as a stub
without the incident's texts.
"""

from __future__ import annotations

from collections.abc import Iterator

from loguru import logger

from syncd.config.templates.templates import TemplateError
from syncd.config.templates.text_limits import slug_label
from syncd.domain.field import FieldFacts
from syncd.domain.incident import Incident, stub_title
from syncd.domain.mapping.jira_section import FieldValue
from syncd.domain.operation import CreateTicket
from syncd.domain.operation.rendered import FieldValues, RenderedCreate
from syncd.engine.act.jira_write.field_values import demanded_values, mapped_value, needed_value, unfit_words
from syncd.engine.act.kind import Outcome, incident_and_book
from syncd.engine.act.kinds.create_issue import (
    CreateKind,
    CreateScreen,
    confirmation_of,
    stub_description,
    stub_print,
    template_fails,
)
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.engine.observe.accounts import people_of
from syncd.engine.rulebook import placement_for
from syncd.engine.rules import Roles
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.confirmation import Confirmation, NewTicket
from syncd.ledger.store.leaving import Basis
from syncd.policy.case import Case, Rulebook
from syncd.policy.marks import ticket_labels
from syncd.policy.restricted import ASPECT, STUB, STUB_TEXT
from syncd.policy.roles import ROLES
from syncd.policy.severity import Severity, decide_severity
from syncd.policy.ticket.before_enforcement import is_before_enforcement
from syncd.policy.ticket.field_values import Unfit, shown_text
from syncd.policy.ticket.fields import severity_labels, wanted_assignee
from syncd.policy.ticket.roles import agreed_roles

BACKFILL_LABEL = "syncd-backfill"
"""The label on tickets of incidents that were resolved before `enforce_from`."""
ESSENTIAL = frozenset({"project", "issuetype", "summary", "description", "security"})
"""Fields without which syncd never creates a ticket; a ticket without its security level would be a leak."""


class CreateTicketKind(CreateKind):
    """The create of an incident's ticket, once for ever."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedCreate:
        """Return the issue's fields, and the values that both sides agree on from its creation."""
        if basis.incident is None or basis.ticket is not None:
            raise DecideAgain
        return self.render_for(context, operation, basis.incident)

    def render_for(
        self, context: EngineContext, operation: OperationRecord, record: IncidentRecord
    ) -> RenderedCreate:
        """Render as `render` for an incident that has no ticket.

        `needed` are the fields that syncd does not leave out even if Jira refuses them.
        """
        incident = record.as_read
        book = context.book_of(incident, record.team)
        if book is None:
            raise CannotRender(f"no mapping claims service {incident.service.name or incident.service.id}")
        create = operation.typed(CreateTicket)
        refused, demanded = set(create.refused), set(create.demanded)
        placement = None
        if record.restricted:
            placement = placement_for(context, book, refused, provisional=record.provisional)
        if placement is not None:
            book = placement.book
        if placement is not None and placement.stub:
            fields, agree = _stub(context, incident, book, demanded)
        else:
            fields, agree = _fields(context, incident, book, create.roles, restricted=record.restricted)
            agree[ROLES] = agreed_roles(create.roles, book)
            refused |= _fill(context, fields, agree, incident, book, demanded)
            _keep_backfill_quiet(fields, agree, incident, book)
        if placement is not None and placement.level is not None:
            # Jira may take a level and not set it: the texts follow when a read has shown the level
            text = stub_description(incident, book.mapping)
            fields |= {"summary": stub_title(incident.number), "description": text}
            fields["security"] = {"id": placement.level.id}
            agree |= {STUB: True, STUB_TEXT: stub_print(text)}
        for name in refused - ESSENTIAL:
            fields.pop(name, None)
        # both sides agree on no assignee that Jira refused
        if "assignee" in refused:
            agree.pop("assignee", None)
        rendered = RenderedCreate(
            fields=fields,
            agree=agree,
            refused=tuple(sorted(refused)),
            needed=tuple(sorted({*_needed(book, fields), *(demanded & fields.keys())})),
        )
        return rendered.of_restricted(placement.why) if placement is not None else rendered

    def complete(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedCreate
    ) -> RenderedCreate:
        """Return the request with a restricted incident's texts, read now and stored nowhere; a stub has
        none.

        The stored rendering holds the stub's words in their place, so that it is harmless by itself.
        """
        # only a ticket in the restricted project is born with texts that the ledger does not keep
        if not rendered.restricted or rendered.agree.get(STUB):
            return rendered
        incident = context.services.pagerduty.incident(operation.incident_id)
        # PagerDuty hides the incident now: the stub's words leave instead
        if incident is None:
            return rendered
        _, book = incident_and_book(context, operation)
        own = {"summary", "description", *_templated(book)}
        kept = {name: value for name, value in rendered.fields.items() if name not in own}
        roles = operation.typed(CreateTicket).roles
        whole = own_texts(context, incident, book, roles, frozenset(rendered.needed), restricted=True)
        offered = {name: value for name, value in whole.items() if name in rendered.fields}
        return rendered.model_copy(update={"fields": kept | offered})

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store the ticket; do not store a refused assignee, so that a later decision tries again."""
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
        """Remember when Jira created the ticket, and that its screen offers a level which Jira refuses."""
        if ASPECT in operation.rendered_as(RenderedCreate).refused:
            context.facts.forget_projects()
        context.read_lags.made(outcome.remote_id)
        super().learn(context, operation, outcome)

    def may_drop(self, rendered: RenderedCreate, field: str) -> bool:
        """Return True for a field that neither syncd, the mapping nor the screen demands.

        If Jira refuses a security level, the next rendering places the ticket elsewhere or makes it a stub.
        """
        if field == "security":
            return rendered.restricted
        return field not in ESSENTIAL and field not in rendered.needed

    def screen(self, context: EngineContext, operation: OperationRecord) -> CreateScreen:
        """Return the incident, its team's rulebook, and the fields of the ticket's create screen."""
        incident, book = incident_and_book(context, operation)
        return incident, book, list({field.id: field for field in book.project.fields.values()}.values())


def _needed(book: Rulebook, fields: FieldValues) -> Iterator[str]:
    """Yield the fields that the screen or the mapping demands."""
    for name, facts in book.project.fields.items():
        spec = book.mapping.jira.fields.get(name)
        if facts.id in fields and (facts.demanded or (spec is not None and spec.required)):
            yield facts.id


def texts_of(
    context: EngineContext, incident: Incident, book: Rulebook, roles: Roles, *, restricted: bool
) -> tuple[str, str]:
    """Return summary and description.

    Raise `CannotRender` without the template engine's words, which may quote the incident.
    """
    try:
        return context.renderer.ticket(incident, book, roles, restricted=restricted)
    except TemplateError as error:
        raise template_fails("ticket", error) from None


def own_texts(
    context: EngineContext,
    incident: Incident,
    book: Rulebook,
    roles: Roles,
    needed: frozenset[str] = frozenset(),
    *,
    restricted: bool,
) -> FieldValues:
    """Return all fields of a ticket that hold the incident's own text: a stub has none of them.

    `needed` are the fields, by id, that Jira or the mapping demands. Raise `CannotRender`.
    """
    summary, description = texts_of(context, incident, book, roles, restricted=restricted)
    fields: FieldValues = {"summary": summary, "description": description}
    for ident, (spec, facts) in _templated(book).items():
        _fill_one(context, fields, spec, facts, incident, book, needed=ident in needed)
    return fields


def _templated(book: Rulebook) -> dict[str, tuple[FieldValue, FieldFacts]]:
    """Return the fields, by id, that the mapping fills from a template."""
    fields = {}
    for name, spec in book.mapping.jira.fields.items():
        facts = book.project.fields.get(name)
        if facts is not None and spec.template is not None:
            fields[facts.id] = spec, facts
    return fields


def _stub(
    context: EngineContext, incident: Incident, book: Rulebook, demanded: set[str]
) -> tuple[FieldValues, FieldValues]:
    """Return a ticket with the incident's number and link, and the fields that the screen demands."""
    labels = ticket_labels(incident.id)
    text = stub_description(incident, book.mapping)
    fields = _issue(book, stub_title(incident.number), text, labels)
    specs, screen = book.mapping.jira.fields, book.project.fields
    also = {screen[name].id for name, spec in specs.items() if spec.required and name in screen}
    fields |= demanded_values(context, screen.values(), incident, book, demanded | also)
    return fields, {STUB: True, STUB_TEXT: stub_print(text)}


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


def _fields(
    context: EngineContext, incident: Incident, book: Rulebook, roles: Roles, *, restricted: bool
) -> tuple[FieldValues, FieldValues]:
    severity = decide_severity(incident, book.mapping, book.section)
    summary, description = texts_of(context, incident, book, roles, restricted=restricted)
    fields = _issue(book, summary, description, _labels(incident, book, severity))
    agree: FieldValues = {"summary": summary}
    if book.project.offers("labels"):
        agree["severity labels"] = ", ".join(sorted(severity_labels(severity, book)))
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
    return fields, agree


def _fill(
    context: EngineContext,
    fields: FieldValues,
    agree: FieldValues,
    incident: Incident,
    book: Rulebook,
    demanded: set[str],
) -> set[str]:
    """Add the mapping's further fields; return the optional ones that do not take the mapping's value."""
    left_out = set()
    for name, spec in book.mapping.jira.fields.items():
        facts = book.project.fields.get(name)
        if facts is None:
            if spec.required:
                raise CannotRender(f"the create screen has no field {name}, and the mapping requires it")
            continue
        needed = spec.required or facts.demanded or facts.id in demanded
        if not _fill_one(context, fields, spec, facts, incident, book, needed=needed):
            left_out.add(facts.id)
        elif spec.severity and facts.id in fields:
            agree[f"field:{facts.id}"] = shown_text(fields[facts.id])
    return left_out


def _fill_one(
    context: EngineContext,
    fields: FieldValues,
    spec: FieldValue,
    facts: FieldFacts,
    incident: Incident,
    book: Rulebook,
    *,
    needed: bool,
) -> bool:
    """Add one field of the mapping; return False if it is optional and does not take the value."""
    if needed:
        fields[facts.id] = needed_value(context, spec, facts, incident, book)
        return True
    try:
        value = mapped_value(context, spec, facts, incident, book)
    except Unfit as error:
        logger.warning(
            "#{}: the ticket goes without an optional field: {}", incident.number, unfit_words(facts, error)
        )
        return False
    if value is not None:
        fields[facts.id] = value
    return True


def _keep_backfill_quiet(fields: FieldValues, agree: FieldValues, incident: Incident, book: Rulebook) -> None:
    """Remove the assignee of an incident from before `enforce_from`: the first day disturbs nobody."""
    if not is_before_enforcement(incident, book):
        return
    assignee = book.project.fields.get("assignee")
    # a screen that demands an assignee would refuse the ticket for ever
    if assignee is None or not assignee.demanded:
        fields.pop("assignee", None)
        agree.pop("assignee", None)
    labels = fields.get("labels")
    if book.mapping.backfill.tickets == "all" and isinstance(labels, list):
        fields["labels"] = [*labels, BACKFILL_LABEL]


def _labels(incident: Incident, book: Rulebook, severity: Severity) -> list[str]:
    """Return the labels for people and for finding candidates; they decide nothing."""
    labels = [*ticket_labels(incident.id), *severity_labels(severity, book)]
    if book.section.component and book.section.component not in book.project.components:
        labels.append(slug_label(book.section.component))
    labels.extend(slug_label(label) for label in book.mapping.jira.labels)
    return list(dict.fromkeys(labels))
