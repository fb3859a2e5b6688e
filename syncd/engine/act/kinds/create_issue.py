"""Create an issue with its mark in the same request: the part that tickets, postmortems and action items
share.

If Jira demands a field that nothing fills, the error names the mapping's key that would fill it. If the
answer to a create is lost, syncd finds the issue by its mark among the keys after `probe_from`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from syncd.config.templates.templates import TemplateError
from syncd.domain.field import FieldFacts
from syncd.domain.incident import Incident
from syncd.domain.operation.rendered import RenderedCreate
from syncd.domain.text import wiki_link
from syncd.engine.act.find_created import find_made
from syncd.engine.act.jira_write.field_values import key_to_add
from syncd.engine.act.kind import BaseKind, Outcome, incident_and_book, mark_of
from syncd.engine.act.refusals import forget_refused_assignee
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.engine.notify.security_lead import untold, warn_of_untold
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Confirmation, Event, NewPostmortem, NewTicket, NoticeChange
from syncd.remote.errors import NotDone


class CreateKind(BaseKind[RenderedCreate], ABC):
    """The create of one issue, once for ever."""

    needs_probe_from = True

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedCreate) -> Outcome:
        """Send one create; forget an account that Jira refuses as assignee, so that it is looked up again."""
        try:
            created = context.services.jira.create(rendered.fields, mark_of(context, operation))
        except NotDone as error:
            forget_refused_assignee(context, rendered.fields, error)
            raise _with_keys_to_add(context, operation, rendered, error) from None
        return Outcome(created.id, key=created.key)

    def learn(self, context: EngineContext, operation: OperationRecord, outcome: Outcome) -> None:
        """Log that the security lead has to know of a restricted issue without its security level."""
        rendered = operation.rendering
        if isinstance(rendered, RenderedCreate) and rendered.lead:
            warn_of_untold(operation.incident_id, rendered.lead)

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """Return the issue with our mark among the keys after `probe_from`."""
        project = operation.rendered_as(RenderedCreate).project
        base, since = operation.probe_from or 0, operation.decided_at
        issue = find_made(context, project, base, operation.op, since)
        return Outcome(issue.id, key=issue.key) if issue else None

    def drop_refused(self, operation: OperationRecord, refused: dict[str, str]) -> list[str]:
        """Return the optional fields among the refused ones; the next attempt leaves them out."""
        rendered = operation.rendered_as(RenderedCreate)
        return [name for name in refused if name in rendered.fields and self.may_drop(rendered, name)]

    @abstractmethod
    def may_drop(self, rendered: RenderedCreate, field: str) -> bool:
        """Return True if syncd creates the issue without a field that Jira refuses."""


def confirmation_of(
    kind: str, made: NewTicket | NewPostmortem, context: EngineContext, rendered: RenderedCreate
) -> Confirmation:
    """Return what the ledger stores of a ticket or postmortem that syncd created."""
    return Confirmation(
        made=made,
        look=NoticeChange(f"its {kind} was made"),
        untold=untold(context, rendered.lead) if rendered.lead else None,
        event=Event(f"{kind}.made", {"key": made.key, "refused": [*rendered.refused]}),
    )


def stub_description(incident: Incident) -> str:
    """Return the text of a stub, which may tell nothing of its incident: a link to PagerDuty."""
    return wiki_link(f"PagerDuty incident #{incident.number}", incident.html_url)


def template_fails(whose: str, error: TemplateError) -> CannotRender:
    """Return a template's failure without the words of the template, which may quote the incident."""
    return CannotRender(
        f"the {whose}'s template fails at {error.problem.where}; run `syncd check --offline` to see why"
    )


def _with_keys_to_add(
    context: EngineContext, operation: OperationRecord, rendered: RenderedCreate, error: NotDone
) -> NotDone:
    """Return the refusal of a create with the keys of the mapping that would fill what Jira demands."""
    unfilled = [name for name in error.field_errors if name not in rendered.fields]
    if not unfilled:
        return error
    _, book = incident_and_book(context, operation)
    fields = book.project.fields
    hint = key_to_add([fields.get(name) or FieldFacts(id=name, name="") for name in unfilled])
    return NotDone(
        error.service,
        error.request,
        error.cause,
        "; ".join(part for part in (error.message, hint) if part),
        status=error.status,
        field_errors=error.field_errors,
        retry_after=error.retry_after,
        scope=error.scope,
    )
