"""Write the comment from which people copy texts for customers, and edit it as texts and approvals change.

A text is filled once, from the words that stood in the person's line when syncd first read it, and stays so:
what somebody approved must not change under its number. The ledger keeps it beside the ticket. Of a
restricted incident it keeps only its hash: the words are read from the ticket's comments each time the
comment leaves.
A comment that a person changed or deleted is theirs; syncd then writes another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from syncd.config.templates.templates import TemplateError
from syncd.config.templates.text_limits import cut, wiki_within
from syncd.domain.base import JsonValue, UtcTime
from syncd.domain.operation import PostReadyTexts, RewriteReadyTexts
from syncd.domain.operation.rendered import RenderedComment
from syncd.domain.text import escape_wiki, one_line
from syncd.domain.ticket import Comment
from syncd.engine.act.jira_write.internal_comments import may_comment
from syncd.engine.act.kind import BaseKind, Outcome, book_of_basis, there
from syncd.engine.act.kinds.post_text import CommentKind, edit_comment, outcome_of
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.engine.notify.compose import about_of, text_values
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation, NewPair
from syncd.ledger.store.confirming import change_ticket
from syncd.ledger.store.leaving import Basis, basis_of
from syncd.ledger.views.postmortems import subject_of
from syncd.policy.case import TicketState
from syncd.policy.communications.texts import (
    LONGEST,
    MadeText,
    ReadyTexts,
    ready_texts,
    with_ready_texts,
)
from syncd.policy.lines import split_line
from syncd.policy.marks import mark_line, text_hash
from syncd.policy.time.time_words import at_words

LONGEST_BODY = 6_000
"""UTF-16 units of one text as wiki markup."""
HEAD = (
    "Texts for people to copy. syncd publishes none of them: use each where it belongs, and write a line"
    " `status page: posted` when it is on the status page."
)
EDITED = "withheld: its line was edited or deleted, or is a note in PagerDuty; write a new line as a comment"


class PostReadyTextsKind(CommentKind):
    """The first comment with the texts, and one more after each that a person took over."""

    def body(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> str:
        """Return nothing for a restricted incident (`complete` adds the texts), else the texts."""
        return "" if basis.restricted else _body(context, operation, basis, ())

    def complete(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedComment
    ) -> RenderedComment:
        """Return the comment with the texts of a restricted incident, which the ledger does not keep."""
        return _completed(context, operation, rendered, operation.op)

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedComment) -> Outcome:
        """Send one comment, and remember when it stood on the ticket."""
        mark = self.mark(context, operation)
        comment = context.services.jira.add_comment(rendered.issue, rendered.body, mark)
        return _outcome(context, rendered, comment)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store the comment as ours, and what it shows."""
        number = operation.typed(PostReadyTexts).number
        pair = NewPair("syncd", None, outcome.remote_id, None, outcome.text_hash)
        shown = partial(_shown, outcome, number, context.ledger.logical_clock.next())
        return Confirmation(made=pair, ticket=shown, public=outcome.public)


class RewriteReadyTextsKind(BaseKind[RenderedComment]):
    """An edit of that comment."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedComment:
        """Return the whole comment; raise `DecideAgain` where a person changed or deleted it."""
        ticket, rewrite = there(basis.ticket), operation.typed(RewriteReadyTexts)
        hidden = may_comment(context, operation, basis, ticket)
        texts, comments = ready_texts(ticket.agreed), context.services.jira.comments(ticket.issue_id)
        standing = next((comment for comment in comments if comment.id == rewrite.comment), None)
        if standing is None or text_hash(standing.body) != texts.hash:
            change_ticket(context.ledger, operation, _theirs, context.clock.now())
            raise DecideAgain
        body = "" if basis.restricted else _body(context, operation, basis, ())
        marked = f"{body}\n\n{mark_line(_made_by(operation, texts))}"
        return RenderedComment(issue=ticket.issue_id, comment=rewrite.comment, body=marked, hidden=hidden)

    def complete(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedComment
    ) -> RenderedComment:
        """Return the comment with the texts of a restricted incident, which the ledger does not keep."""
        texts = ready_texts(there(basis_of(context.ledger, operation.incident_id).ticket).agreed)
        return _completed(context, operation, rendered, _made_by(operation, texts))

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedComment) -> Outcome:
        """Send one edit."""
        comment = edit_comment(context, rendered)
        if comment is None:
            return Outcome(rendered.comment, left="a person deleted the comment")
        return _outcome(context, rendered, comment)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store what the comment shows."""
        if outcome.left is not None:
            return Confirmation(ticket=_theirs)
        shown = partial(_shown, outcome, None, context.ledger.logical_clock.next())
        return Confirmation(ticket=shown, public=outcome.public)


def _made_by(operation: OperationRecord, texts: ReadyTexts) -> str:
    """Return the short name of the operation that made the present comment: its mark stays."""
    return PostReadyTexts(incident=operation.incident_id, number=texts.comments, reason="").op


def _outcome(context: EngineContext, rendered: RenderedComment, comment: Comment) -> Outcome:
    at = comment.updated_at or comment.created_at
    return replace(outcome_of(context, rendered, comment), facts={"at": at.isoformat()})


def _shown(outcome: Outcome, number: int | None, seq: int, ticket: TicketState) -> Change:
    """Return the ticket with what its comment shows; a comment that was looked up is written once more."""
    texts, at = ready_texts(ticket.agreed), (outcome.facts or {}).get("at")
    update: dict[str, object] = {"comment": outcome.remote_id, "hash": outcome.text_hash or "", "version": ""}
    if number is not None:
        update["comments"] = number
    if at is not None:
        seen = [text if text.shown_at is not None else _with(text, shown_at=at) for text in texts.made]
        update |= {"version": texts.wanted, "made": tuple(seen)}
    after = texts.model_copy(update=update)
    return Change({"agreed": with_ready_texts(ticket.agreed, after), "written_seq": seq})


def _with(text: MadeText, **values: JsonValue | UtcTime) -> MadeText:
    return MadeText.model_validate({**text.model_dump(), **values})


def _theirs(ticket: TicketState) -> Change:
    texts = ready_texts(ticket.agreed).model_copy(update={"comment": None, "version": ""})
    return Change({"agreed": with_ready_texts(ticket.agreed, texts)})


def _completed(
    context: EngineContext, operation: OperationRecord, rendered: RenderedComment, made_by: str
) -> RenderedComment:
    basis = basis_of(context.ledger, operation.incident_id)
    if not basis.restricted:
        return rendered
    body = _body(context, operation, basis, context.services.jira.comments(rendered.issue))
    return rendered.model_copy(update={"body": f"{body}\n\n{mark_line(made_by)}"})


def _body(
    context: EngineContext, operation: OperationRecord, basis: Basis, comments: Iterable[Comment]
) -> str:
    """Return the comment's text, and store each text that was filled now; `comments` are the live ones."""
    texts, (_, book) = ready_texts(there(basis.ticket).agreed), book_of_basis(context, basis)
    words = {f"comment:{comment.id}": _words(context, basis, comment) for comment in comments}
    parts, filled = [HEAD], []
    for text in texts.made:
        body, kept = _filled(context, operation, text, words, restricted=basis.restricted)
        filled.append(kept)
        at, author = at_words(text.at, book.mapping.zone), escape_wiki(one_line(text.author) or "somebody")
        about = f"h4. {escape_wiki(text.name)}\n{escape_wiki(text.state)} (after {author}, {at})"
        parts.append(f"{about}\n\n{wiki_within(body, LONGEST_BODY)}")
    if tuple(filled) != texts.made:
        keep: Callable[[TicketState], Change] = partial(_kept, tuple(filled))
        change_ticket(context.ledger, operation, keep, context.clock.now())
    return "\n\n".join(parts)


def _kept(filled: tuple[MadeText, ...], ticket: TicketState) -> Change:
    texts = ready_texts(ticket.agreed).model_copy(update={"made": filled})
    return Change({"agreed": with_ready_texts(ticket.agreed, texts)})


def _words(context: EngineContext, basis: Basis, comment: Comment) -> str:
    line = split_line(context.renderer.mask(comment.body, book_of_basis(context, basis)[1]))
    return cut(one_line(line[2]), LONGEST) if line is not None else ""


def _filled(
    context: EngineContext,
    operation: OperationRecord,
    text: MadeText,
    words: dict[str, str],
    *,
    restricted: bool,
) -> tuple[str, MadeText]:
    """Return a text, and how the ledger keeps it: as it was when it was filled first, or not at all."""
    if text.body:
        return text.body, text
    subject = subject_of(context.ledger, operation.incident_id)
    section = None
    if subject is not None:
        mapping = context.rules.current.mapping_of(subject.incident.team)
        section = mapping.texts.get(text.name) if mapping is not None else None
    if subject is None or mapping is None or section is None:
        raise DecideAgain
    update, mitigation = text.text, text.mitigation
    if restricted:
        update, mitigation = words.get(text.update_line, ""), words.get(text.mitigation_line, "")
    values = text_values(about_of(subject, mapping), mapping, update, mitigation, text.next_at)
    try:
        body = context.renderer.text(section.template, values)
    except TemplateError as error:
        raise CannotRender(str(error)) from error
    gone = restricted and bool(text.update_line) and not update
    if gone or (text.print and text.print != text_hash(body)):
        return EDITED, text
    return body, _with(text, print=text_hash(body), body="" if restricted else body)
