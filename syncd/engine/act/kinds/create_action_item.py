"""Create the issue of an action item: from a row of the postmortem's table, or the runbook item.

It is a sub-task of the postmortem. In a project without sub-tasks it is an issue of the postmortem's type
with the label `action-item`, and syncd links it afterwards. syncd takes owner and date from the row if they
are clear, else it copies them into the text as people typed them.
"""

from __future__ import annotations

from syncd.config.templates.text_limits import summary_line, wiki_within
from syncd.domain.base import JsonValue
from syncd.domain.field import FieldFacts
from syncd.domain.incident import Incident, stub_title
from syncd.domain.operation import CreateActionItem
from syncd.domain.operation.rendered import FieldValues, RenderedCreate, assignee_in
from syncd.domain.text import escape_wiki, one_line
from syncd.domain.text.days import date_in
from syncd.engine.act.jira_write.field_values import demanded_values
from syncd.engine.act.jira_write.row_owner import owner_in, plain
from syncd.engine.act.kind import Outcome, book_of_basis
from syncd.engine.act.kinds.create_issue import CreateItemKind, CreateScreen
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.confirmation import Confirmation, Event, NewActionItem, NoticeChange
from syncd.ledger.store.leaving import Basis, basis_of
from syncd.ledger.store.loading import read
from syncd.policy.case import PostmortemState, Rulebook
from syncd.policy.follow_ups.duties import active
from syncd.policy.follow_ups.membership import ITEM_LABEL, KNOWLEDGE, MADE
from syncd.policy.marks import incident_label

LABEL = "syncd-action-item"
"""The label on each action item of ours, for people and for finding candidates."""
TEXT_LIMIT = 30_000
"""UTF-16 units of the issue's text, below Jira's limit of 32,767."""


class CreateActionItemKind(CreateItemKind):
    """The create of one action item, once for ever."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedCreate:
        """Return the issue's fields, and the `facts` that its confirmation stores."""
        postmortem = read(context.ledger, PostmortemState, operation.incident_id)
        if postmortem is None or not postmortem.in_sight:
            raise DecideAgain
        incident, book = book_of_basis(context, basis, home=True)
        restricted = basis.restricted
        create = operation.typed(CreateActionItem)
        knowledge = create.knowledge
        # a sub-task inherits its parent's security level; nothing else may carry a restricted row's text
        if restricted and (not knowledge or book.project.sub_task is None):
            raise DecideAgain
        fields = _place(postmortem, book)
        linked = [ITEM_LABEL] if book.project.sub_task is None else []
        screen = _screen(context, postmortem, book)
        # an unknown screen is tried
        if not screen or any(field.id == "labels" for field in screen):
            fields["labels"] = ["syncd", LABEL, incident_label(incident.id), *linked]
        needed = demanded_values(context, screen, incident, book, create.demanded)
        fields |= needed
        kept: dict[str, JsonValue] = {KNOWLEDGE: True} if knowledge else {}
        if knowledge:
            _knowledge(fields, postmortem, incident, book, restricted)
        else:
            kept["row"] = _row(context, fields, create, postmortem, book)
            # a screen that demands an assignee got the fallback, who did not take the item
            if "assignee" in needed and fields["assignee"] == needed["assignee"]:
                kept["by_rule"] = assignee_in(fields)
        for name in create.refused:
            fields.pop(name, None)
        return RenderedCreate(
            fields=fields, facts=kept, parent=postmortem.issue_id, needed=tuple(sorted(needed))
        )

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store the action item; a poll may have stored it before the answer came."""
        facts, kind = outcome.facts, "item.adopted"
        # set only for an issue that an earlier ledger created (`done_before`)
        if facts is None:
            facts, kind = operation.rendered_as(RenderedCreate).facts, "item.made"
        refused = operation.typed(CreateActionItem).refused
        return Confirmation(
            made=NewActionItem(issue_id=outcome.remote_id, key=outcome.key, source=MADE, facts=facts),
            look=NoticeChange("an action item was made"),
            event=Event(kind, {"key": outcome.key, "refused": [*refused]}),
        )

    def done_before(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedCreate
    ) -> Outcome | None:
        """Return the issue of an earlier ledger, found by its mark: a person may have unlinked it since."""
        record = read(context.ledger, IncidentRecord, operation.incident_id)
        if record is None:
            return None
        return self._marked_before(context, operation, rendered, record.created_at)

    def screen(self, context: EngineContext, operation: OperationRecord) -> CreateScreen:
        """Return the incident, its team's rulebook, and the fields of the item's create screen."""
        incident, book = book_of_basis(context, basis_of(context.ledger, operation.incident_id), home=True)
        postmortem = read(context.ledger, PostmortemState, operation.incident_id)
        return incident, book, _screen(context, postmortem, book) if postmortem is not None else ()


def _place(postmortem: PostmortemState, book: Rulebook) -> FieldValues:
    """Return project, type and parent: a sub-task of the postmortem where the project has sub-tasks."""
    sub_task = book.project.sub_task
    if sub_task is not None:
        return {
            "project": {"key": postmortem.project},
            "issuetype": {"id": sub_task.id},
            "parent": {"id": postmortem.issue_id},
        }
    if book.project.postmortem is None:
        raise CannotRender(
            "the project has neither sub-tasks nor a type for postmortems: name one under jira.issue_types"
        )
    return {"project": {"key": postmortem.project}, "issuetype": {"id": book.project.postmortem.type.id}}


def _screen(context: EngineContext, postmortem: PostmortemState, book: Rulebook) -> tuple[FieldFacts, ...]:
    """Return the fields of its type's create screen."""
    sub_task, postmortems = book.project.sub_task, book.project.postmortem
    if sub_task is not None:
        return context.facts.screen(postmortem.project, sub_task.id)
    return tuple(postmortems.fields.values()) if postmortems is not None else ()


def _row(
    context: EngineContext,
    fields: FieldValues,
    create: CreateActionItem,
    postmortem: PostmortemState,
    book: Rulebook,
) -> dict[str, JsonValue]:
    """Fill in the row's cells; return them as syncd compares them with the table later."""
    typed = {"text": create.text, "owner": create.owner, "due": create.due}
    cells = {name: one_line(cell or "") for name, cell in typed.items()}
    account, due = owner_in(context, cells["owner"], book), date_in(cells["due"])
    fields["summary"] = summary_line(plain(context.renderer.mask(cells["text"], book)))
    lines = [f"A follow-up of {postmortem.key}, from its table."]
    if account is not None:
        fields["assignee"] = book.project.person(account.id)
    else:
        lines.append(f"Owner, as it was typed: {escape_wiki(context.renderer.mask(cells['owner'], book))}")
    if due is not None:
        fields["duedate"] = due.isoformat()
    elif cells["due"].strip():
        lines.append(f"Due, as it was typed: {escape_wiki(context.renderer.mask(cells['due'], book))}")
    room = TEXT_LIMIT - sum(len(line) for line in lines)
    text = wiki_within(context.renderer.mask(cells["text"], book), room)
    fields["description"] = "\n".join([text, "", *lines])
    return {**cells}


def _knowledge(
    fields: FieldValues, postmortem: PostmortemState, incident: Incident, book: Rulebook, restricted: bool
) -> None:
    """Fill in the runbook item; it belongs to the postmortem's owner from the start and has no owner duty."""
    about = stub_title(incident.number) if restricted else f"incident #{incident.number}"
    fields["summary"] = f"Bring runbook and knowledge base up to date after {about}"
    fields["description"] = (
        f"A follow-up of {postmortem.key}. What would have helped, in the runbook or in an article?"
        "\n\nClose it with a comment that links what was written or changed, or with the label"
        " no-change-needed and a comment that says why no change is needed."
    )
    owner = postmortem.issue.assignee if postmortem.issue is not None else None
    if owner is not None and active(owner):
        fields["assignee"] = book.project.person(owner.id)
