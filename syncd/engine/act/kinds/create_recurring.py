"""Create the issue of a GameDay or review, once for each period, before it is due.

It is an issue of the postmortem's type with the label `syncd-recurring`, and it belongs to the owner whom the
mapping names. If its due date has passed, syncd only looks for an issue that an earlier ledger made.
"""

from __future__ import annotations

from datetime import date

from syncd.config.templates.recurring import recurring_context
from syncd.config.templates.templates import TemplateError
from syncd.config.templates.text_limits import summary_line
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import CreateRecurring
from syncd.domain.operation.rendered import RenderedCreate
from syncd.domain.recurring import RecurringName, stand_in
from syncd.engine.act.jira_write.field_values import demanded_values
from syncd.engine.act.kind import Outcome
from syncd.engine.act.kinds.create_issue import OPTIONAL, CreateItemKind, CreateScreen, template_fails
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.engine.observe.accounts import account_of
from syncd.engine.rulebook import recurring_book
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Confirmation, Event, NewActionItem, NoticeChange
from syncd.ledger.store.leaving import Basis
from syncd.policy.case import Rulebook
from syncd.policy.recurring.judge import DUE, LABEL, SINCE
from syncd.policy.time.working_time import end_of_day


class CreateRecurringKind(CreateItemKind):
    """The create of one recurring duty's issue, once for ever."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedCreate:
        """Return the issue's fields, and the `facts` that its confirmation stores."""
        name, book = _book(context, operation)
        entry, create = book.mapping.recurring[name.name], operation.typed(CreateRecurring)
        postmortem = book.project.postmortem
        if postmortem is None:
            raise CannotRender("the project has no type for postmortems: name one under jira.issue_types")
        due = date.fromisoformat(create.due)
        try:
            variables = recurring_context(entry, book.mapping, name, due)
            description = context.renderer.named(entry.template_name, variables)
        except TemplateError as error:
            raise template_fails(entry.noun, error) from None
        owner = account_of(context, entry.owner, book)
        optional = {
            "labels": ["syncd", LABEL],
            "duedate": create.due,
            "assignee": book.project.person(owner.id) if owner is not None else None,
        }
        needed = demanded_values(context, postmortem.fields.values(), stand_in(name), book, create.demanded)
        fields = {
            "project": {"key": book.project.key},
            "issuetype": {"id": postmortem.type.id},
            "summary": summary_line(f"{entry.noun}: {name.words}"),
            "description": description,
            **needed,
            **{
                field: value
                for field, value in optional.items()
                if value is not None and postmortem.offers(field)
            },
        }
        for refused in create.refused:
            fields.pop(refused, None)
        facts = {DUE: create.due, SINCE: create.since.isoformat(), "recurring": entry.kind}
        return RenderedCreate(fields=fields, facts=facts, needed=tuple(sorted(needed.keys() - OPTIONAL)))

    def complete(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedCreate
    ) -> RenderedCreate:
        """Return the request as rendered; raise `DecideAgain` if the due date has passed meanwhile."""
        _name, book = _book(context, operation)
        due = date.fromisoformat(operation.typed(CreateRecurring).due)
        if end_of_day(due, book.mapping.zone) <= context.clock.now():
            raise DecideAgain
        return rendered

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store the issue; its duty arises with the first read of it."""
        name, _book_now = _book(context, operation)
        facts = outcome.facts or operation.rendered_as(RenderedCreate).facts
        kind = "item.made" if outcome.facts is None else "item.adopted"
        refused = operation.typed(CreateRecurring).refused
        return Confirmation(
            made=NewActionItem(
                issue_id=outcome.remote_id, key=outcome.key, source=LABEL, facts=facts, team=name.team
            ),
            look=NoticeChange("its issue was made"),
            event=Event(kind, {"key": outcome.key, "refused": [*refused]}),
        )

    def done_before(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedCreate
    ) -> Outcome | None:
        """Return the issue of an earlier ledger, found by its mark."""
        since = operation.typed(CreateRecurring).since
        return self._marked_before(context, operation, rendered, since)

    def screen(self, context: EngineContext, operation: OperationRecord) -> CreateScreen:
        """Return what stands in for the incident, the team's rulebook, and the create screen's fields."""
        name, book = _book(context, operation)
        postmortem = book.project.postmortem
        return stand_in(name), book, list(postmortem.fields.values()) if postmortem is not None else []


def _book(context: EngineContext, operation: OperationRecord) -> tuple[RecurringName, Rulebook]:
    """Return name and rulebook; raise `DecideAgain` where the mapping does not ask for it any more."""
    named = recurring_book(context, operation.incident_id)
    entry = named[1].mapping.recurring.get(named[0].name) if named is not None else None
    if named is None or entry is None or entry.mode is not Mode.ENFORCE:
        raise DecideAgain
    return named
