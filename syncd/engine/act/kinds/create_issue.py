"""Create an issue with its mark in the same request: the part that tickets, postmortems and action items
share.

If Jira demands a field that nothing fills, the error names the mapping's key that would fill it. If the
answer to a create is lost, syncd finds the issue by its mark among the keys after `probe_from`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime

from syncd.config.templates.templates import TemplateError
from syncd.domain.field import FieldFacts
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.operation import OperationBase
from syncd.domain.operation.base import RefusableFields
from syncd.domain.operation.rendered import RenderedCreate
from syncd.domain.text import escape_wiki, wiki_link
from syncd.engine.act.find_created import find_made
from syncd.engine.act.jira_write.field_values import can_fill
from syncd.engine.act.kind import BaseKind, Outcome, believed, mark_of
from syncd.engine.act.refusals import forget_refused_assignee
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.engine.notify.security_lead import untold, warn_of_untold
from syncd.engine.observe.earlier_ledger.created_by_us import marked_issues
from syncd.engine.observe.issues import PAGE, read_page
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Confirmation, Event, NewPostmortem, NewTicket, NoticeChange
from syncd.policy.case import Rulebook
from syncd.policy.marks import text_hash
from syncd.policy.ticket.field_values import nothing_fills
from syncd.remote.errors import NotDone

OPTIONAL = frozenset({"assignee", "duedate", "labels"})
"""The fields without which syncd creates an action item or a recurring duty's issue."""


class CreateKind(BaseKind[RenderedCreate], ABC):
    """The create of one issue, once for ever."""

    needs_probe_from = True

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedCreate) -> Outcome:
        """Send one create; forget an account that Jira refuses as assignee, so that it is looked up again."""
        try:
            created = context.services.jira.create(rendered.fields, mark_of(context, operation))
        except NotDone as error:
            forget_refused_assignee(context, rendered.fields, error)
            raise self._with_keys_to_add(context, operation, rendered, error) from None
        return Outcome(created.id, key=created.key)

    def learn(self, context: EngineContext, operation: OperationRecord, outcome: Outcome) -> None:
        """Log that the security lead has to know of a restricted issue without its security level."""
        rendered = operation.rendering
        if isinstance(rendered, RenderedCreate) and rendered.lead:
            warn_of_untold(context.ledger, operation.incident_id, rendered.lead)

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """Return the issue with our mark among the keys after `probe_from`."""
        project = operation.rendered_as(RenderedCreate).project
        base, since = operation.probe_from or 0, operation.decided_at
        gave_up = operation.gave_up_boottime
        # after a reboot the settle time begins anew, and no read is kept
        settled = None if gave_up is None else gave_up + context.settle_seconds
        issue = find_made(context, project, base, operation.op, since, settled)
        return Outcome(issue.id, key=issue.key) if issue else None

    def drop_refused(self, operation: OperationRecord, refused: dict[str, str]) -> list[str]:
        """Return the optional fields among the refused ones; the next attempt leaves them out."""
        rendered = operation.rendered_as(RenderedCreate)
        optional = [name for name in refused if name in rendered.fields and name not in rendered.needed]
        return [name for name in optional if self.may_drop(rendered, name)]

    def fill_demanded(
        self, context: EngineContext, operation: OperationRecord, error: NotDone
    ) -> OperationBase | None:
        """Return the create that fills what Jira demands, if the mapping gives all of it.

        A screen does not tell of a validator's demands. A field that syncd left out after a refusal counts,
        too: Jira then refuses its value again, and a person reads why.
        """
        rendered, create = operation.rendered_as(RenderedCreate), operation.typed(RefusableFields)
        asked = [name for name in error.field_errors if name not in rendered.fields]
        if not asked or not set(asked).isdisjoint(create.demanded):
            return None
        incident, book, screen = self.screen(context, operation)
        fields = {field.id: field for field in screen}
        for name in asked:
            field = fields.get(name)
            if field is None or not (name in create.refused or can_fill(context, field, incident, book)):
                return None
        left = tuple(name for name in create.refused if name not in asked)
        demanded = tuple(sorted({*create.demanded, *asked}))
        return create.model_copy(update={"refused": left, "demanded": demanded})

    @abstractmethod
    def screen(self, context: EngineContext, operation: OperationRecord) -> CreateScreen:
        """Return the incident, its team's rulebook, and the fields of the issue's create screen."""

    @abstractmethod
    def may_drop(self, rendered: RenderedCreate, field: str) -> bool:
        """Return True if syncd creates the issue without a field that Jira refuses."""

    def _with_keys_to_add(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedCreate, error: NotDone
    ) -> NotDone:
        """Return the refusal of a create with the keys of the mapping that would fill what Jira demands."""
        unfilled = [name for name in error.field_errors if name not in rendered.fields]
        if not unfilled:
            return error
        _, book, screen = self.screen(context, operation)
        fields = {field.id: field for field in screen}
        fallback = book.mapping.people.fallback
        if "assignee" in unfilled and fallback is not None:
            unfilled.remove("assignee")
            error = error.with_hint(
                f"Jira lets us assign nobody: {fallback} (people.fallback) is no account there"
            )
        missing = [fields.get(name) or FieldFacts(id=name, name="") for name in unfilled]
        return error.with_hint(nothing_fills(missing, fields.values()))


class CreateItemKind(CreateKind, ABC):
    """The create of an action item, or of a recurring duty's issue, once for ever."""

    def may_drop(self, rendered: RenderedCreate, field: str) -> bool:
        """Return True for owner, date and labels."""
        return field in OPTIONAL

    def _marked_before(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedCreate, since: datetime
    ) -> Outcome | None:
        """Return the issue of an earlier ledger that was created at `since` (UTC) or later, by its mark."""
        ids = marked_issues(context, [operation.op], since)
        # the ids may be of issues that somebody deleted since
        page = read_page(context, ids[:PAGE]) if ids else None
        issue = min(page.issues, key=lambda issue: int(issue.id), default=None) if page else None
        outcome = Outcome(issue.id, key=issue.key, facts=rendered.facts) if issue else None
        return believed(context, operation, outcome)


CreateScreen = tuple[Incident, Rulebook, Sequence[FieldFacts]]


def confirmation_of(
    kind: str, made: NewTicket | NewPostmortem, context: EngineContext, rendered: RenderedCreate
) -> Confirmation:
    """Return what the ledger stores of a ticket or postmortem that syncd created."""
    return Confirmation(
        made=made,
        look=NoticeChange(f"its {kind} was made", ticket=kind == "ticket"),
        untold=untold(context, rendered.lead) if rendered.lead else None,
        event=Event(f"{kind}.made", {"key": made.key, "refused": [*rendered.refused]}),
    )


def stub_description(incident: Incident, mapping: Mapping | None = None) -> str:
    """Return the text of a stub, which may tell nothing of its incident: a link to PagerDuty.

    With a `mapping`, the team's security playbook follows. It is always the same text, whatever happened.
    """
    parts = [wiki_link(f"PagerDuty incident #{incident.number}", incident.html_url)]
    named = mapping.restricted.playbook if mapping is not None else ()
    for section in mapping.playbook if mapping is not None else ():
        if section.name not in named:
            continue
        parts.append(f"\nh2. Playbook: {escape_wiki(section.name)}")
        parts += [f"* {escape_wiki(line)}" for line in section.detect]
        parts += [f"# ☐ {escape_wiki(line)}" for line in section.actions]
        parts += [f"* ☐ {escape_wiki(line)}" for line in section.recovered_when]
    return "\n".join(parts)


def stub_print(description: str) -> str:
    """Return the hash of a stub's words: Jira Cloud may write the markup between them in another way."""
    return text_hash(" ".join(re.findall(r"\w+", description)))


def template_fails(whose: str, error: TemplateError) -> CannotRender:
    """Return a template's failure without the words of the template, which may quote the incident."""
    return CannotRender(
        f"the {whose}'s template fails at {error.problem.where}; run `syncd check --offline` to see why"
    )
