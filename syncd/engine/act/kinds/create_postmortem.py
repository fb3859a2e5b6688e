"""Create the postmortem of an incident, with its mark in the same request, filled in from the ledger.

syncd writes it once; afterwards it belongs to people. syncd leaves the due date empty, because people enter
the date of the review there. It leaves out optional fields (labels, fields that no screen demands) that Jira
refuses; if Jira refuses the owner, the next candidate becomes the owner. While the incident is open again,
the create waits for the next resolve.

A restricted incident's postmortem is created under the security level of its ticket, or in the restricted
project, and holds no text of the incident; else it is a stub with the incident's number.
"""

from __future__ import annotations

from syncd.config.templates.templates import TemplateError
from syncd.config.templates.text_limits import slug_label
from syncd.domain.incident import Incident, Responder, stub_title
from syncd.domain.operation import CreatePostmortem
from syncd.domain.operation.rendered import FieldValues, RenderedCreate, assignee_in
from syncd.domain.project import PostmortemFacts
from syncd.domain.ticket import Account
from syncd.engine.act.jira_write.field_values import demanded_values
from syncd.engine.act.kind import Outcome
from syncd.engine.act.kinds.create_issue import (
    CreateKind,
    CreateScreen,
    confirmation_of,
    stub_description,
    template_fails,
)
from syncd.engine.act.kinds.postmortem_content import story_of
from syncd.engine.act.kinds.postmortem_owner import commanders_at, owner_of
from syncd.engine.context import EngineContext
from syncd.engine.decide.case_builder import build_case
from syncd.engine.errors import CannotRender, DecideAgain, NotYet
from syncd.engine.observe.earlier_ledger.adopt_postmortem import LABEL, adopt_postmortem
from syncd.engine.observe.looks import look_at
from syncd.engine.rulebook import RestrictedPlacement, book_for, placement_for
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.confirmation import Confirmation, NewPostmortem
from syncd.ledger.store.leaving import Basis
from syncd.ledger.store.loading import read
from syncd.policy.case import Case, Rulebook
from syncd.policy.marks import incident_label
from syncd.policy.postmortem.create import seconds_left
from syncd.policy.postmortem.owed import counts_for_another, owed_postmortem
from syncd.policy.restricted import ASPECT, STUB
from syncd.policy.rules_in_force import rules_in_force
from syncd.remote.errors import NotDone

ESSENTIAL = frozenset({"project", "issuetype", "summary", "description"})


class CreatePostmortemKind(CreateKind):
    """The create of a postmortem, once for ever."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedCreate:
        """Return the issue's fields, and the values that are agreed on from its creation."""
        record, case, book = _case(context, operation)
        _wait_for_its_time(case, book)
        # the timeline needs the incident's whole log
        if case.state_changes is None:
            look_at(context, operation.incident_id, book, frozenset({"log"}))
            record, case, book = _case(context, operation)
        # a person, or an earlier ledger, may have created it
        if not operation.attempts and adopt_postmortem(context, case, book):
            raise DecideAgain
        create = operation.typed(CreatePostmortem)
        refused = set(create.refused)
        placement = _placement(context, case, book, refused) if case.restricted else None
        if placement is not None:
            book = placement.book
        facts = _facts(book)
        commanders = commanders_at(context, book, case.incident.over_since or case.incident.created_at)
        owner = owner_of(context, case, book, commanders, create.turned_down)
        needed = demanded_values(context, facts.fields.values(), case.incident, book, create.demanded)
        fields: FieldValues = {
            "project": {"key": book.project.key},
            "issuetype": {"id": facts.type.id},
            **_texts(
                context, record, case, book, owner, commanders, stub=placement is not None and placement.stub
            ),
            **_labels(case.incident, book, facts),
            **needed,
        }
        agree: FieldValues = {}
        for name in refused - ESSENTIAL:
            fields.pop(name, None)
        if owner is not None and facts.offers("assignee"):
            fields["assignee"] = book.project.person(owner.id)
            agree["assignee"] = owner.id
        if placement is not None and placement.level is not None:
            fields[ASPECT] = {"id": placement.level.id}
            agree[ASPECT] = placement.level.id
        if placement is not None and placement.stub:
            agree[STUB] = True
        rendered = RenderedCreate(
            fields=fields,
            agree=agree,
            refused=tuple(sorted(refused - {"assignee"})),
            # another candidate follows a refused owner
            needed=tuple(sorted(needed.keys() - {"assignee"})),
        )
        return rendered.of_restricted(placement.why) if placement is not None else rendered

    def complete(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedCreate
    ) -> RenderedCreate:
        """Return the request as rendered; raise `NotYet` if the incident was reopened since."""
        _, case, book = _case(context, operation)
        _wait_for_its_time(case, book)
        return rendered

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store the postmortem."""
        rendered = operation.rendered_as(RenderedCreate)
        postmortem = NewPostmortem(
            issue_id=outcome.remote_id,
            key=outcome.key,
            agreed=rendered.agree,
            written_seq=context.ledger.logical_clock.next(),
        )
        return confirmation_of("postmortem", postmortem, context, rendered)

    def changed_by(self, operation: OperationRecord, error: NotDone) -> CreatePostmortem | None:
        """Return the create without an owner whom Jira refused; its next attempt takes the next candidate."""
        assignee = assignee_in(operation.rendered_as(RenderedCreate).fields)
        if "assignee" not in error.field_errors or assignee is None:
            return None
        create = operation.typed(CreatePostmortem)
        return create.model_copy(update={"turned_down": (*create.turned_down, assignee)})

    def screen(self, context: EngineContext, operation: OperationRecord) -> CreateScreen:
        """Return the incident, its team's rulebook, and the fields of the postmortems' create screen."""
        _, case, book = _case(context, operation)
        facts = book.project.postmortem
        return case.incident, book, list(facts.fields.values()) if facts is not None else []

    def may_drop(self, rendered: RenderedCreate, field: str) -> bool:
        """Return True for all but the essential fields; a refused level changes the place."""
        return field not in ESSENTIAL


def _case(context: EngineContext, operation: OperationRecord) -> tuple[IncidentRecord, Case, Rulebook]:
    """Return record and case as of now, and the rules in force for it.

    Raise `DecideAgain` if no postmortem is needed any more.
    """
    record = read(context.ledger, IncidentRecord, operation.incident_id)
    book = book_for(context, record, home=True) if record is not None else None
    if record is None or book is None:
        raise DecideAgain
    case = build_case(context, record, book)
    book = rules_in_force(case, book)
    owes_none = not case.incident.open and owed_postmortem(case, book) is None
    # it exists by now, or nothing asks for it any more: if something does again, it is decided again
    if case.postmortem is not None or counts_for_another(case) or owes_none:
        raise DecideAgain
    return record, case, book


RESTS = "the end of the incident, and 30 minutes of rest after it"


def _wait_for_its_time(case: Case, book: Rulebook) -> None:
    """Raise `NotYet` while the incident is open again, or was resolved less than half an hour ago."""
    if seconds_left(case, book) != 0.0:
        raise NotYet(RESTS)


def _facts(book: Rulebook) -> PostmortemFacts:
    facts = book.project.postmortem
    if facts is None:
        names = ", ".join(book.mapping.jira.issue_types.postmortem)
        raise CannotRender(
            f"project {book.project.key} has none of the issue types {names}:"
            " name one under jira.issue_types.postmortem"
        )
    return facts


def _placement(context: EngineContext, case: Case, book: Rulebook, refused: set[str]) -> RestrictedPlacement:
    """Return where the postmortem of a restricted incident may stand: first choice is its ticket's level."""
    if case.provisional:
        return placement_for(context, book, provisional=True)
    facts, issue = book.project.postmortem, case.ticket.issue if case.ticket else None
    given_up = {*refused, *(case.ticket.refused if case.ticket else ())}
    if facts is not None and not facts.offers(ASPECT):
        given_up.add(ASPECT)
    level = issue.security_level if issue else None
    if level is not None and ASPECT not in given_up and level.id in book.project.security.values():
        return RestrictedPlacement(book, level)
    return placement_for(context, book, given_up)


def _texts(
    context: EngineContext,
    record: IncidentRecord,
    case: Case,
    book: Rulebook,
    owner: Account | None,
    commanders: tuple[Responder, ...],
    *,
    stub: bool,
) -> FieldValues:
    """Return summary and description.

    Raise `CannotRender` without the template engine's words, which may quote the incident.
    """
    incident = case.incident
    if stub:
        title = f"Postmortem: {stub_title(incident.number)}"
        return {"summary": title, "description": stub_description(incident)}
    owed, over = owed_postmortem(case, book), case.incident.over_since
    if owed is None or over is None:
        raise NotYet(RESTS)
    story = story_of(context, record, case, book, owed, over, commanders, owner)
    try:
        summary, description = context.renderer.postmortem(incident, story, book)
    except TemplateError as error:
        raise template_fails("postmortem", error) from None
    return {"summary": summary, "description": description}


def _labels(incident: Incident, book: Rulebook, facts: PostmortemFacts) -> FieldValues:
    """Return the labels for people and for finding candidates; they decide nothing."""
    if not facts.offers("labels"):
        return {}
    labels = ["syncd", LABEL, incident_label(incident.id)]
    labels += [slug_label(label) for label in book.mapping.postmortem.labels]
    return {"labels": [*dict.fromkeys(labels)]}
