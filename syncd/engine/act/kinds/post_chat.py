"""Post one message to a team's chat channel: at most once, because nobody can look up whether it arrived.

syncd writes a post when it leaves, from the ledger alone, so no trouble of another service delays it. A post
whose outcome is unknown ends as "perhaps posted". A refused one waits, and is dropped when it is too old to
help anybody (`policy.notify.chat`).
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.config.templates.templates import TemplateError
from syncd.config.templates.text_limits import cut
from syncd.config.templates.texts import TextValues
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.operation import OperationState, PostChat
from syncd.domain.operation.chat import (
    BreachPost,
    OwedUpdatePost,
    PostContent,
    ResolvedPost,
    SeverityPost,
    TicketPost,
    UpdatePost,
)
from syncd.domain.operation.rendered import RenderedPost
from syncd.domain.text.chat import ChatFormat, chat_bold, chat_link, escape_chat
from syncd.engine.act.kind import BaseKind, Outcome
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.engine.notify.compose import about_of, mapping_of_mail, text_values
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import leaving
from syncd.ledger.store.confirmation import Confirmation
from syncd.ledger.store.leaving import Basis
from syncd.ledger.views.postmortems import subject_of
from syncd.policy.notify.chat import is_too_old, no_url
from syncd.policy.time.time_words import at_words
from syncd.remote.chat import body_of
from syncd.report.mail.letters import About

LONGEST = 12_000
"""UTF-16 units of a message: Mattermost takes 16,383, Slack more; Teams takes 28 KB in all."""
LONGEST_TITLE, LONGEST_TEXT = 200, 1_000
"""UTF-16 units of a title and of a person's words, before they are escaped."""
PERHAPS = "perhaps posted: nobody knows whether the message arrived, and it is not posted again"


class PostChatKind(BaseKind[RenderedPost]):
    """One message to one channel."""

    findable = False

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedPost:
        """Return the message; raise `DecideAgain` for a restricted incident or a post that is too old."""
        post = operation.typed(PostChat)
        subject = subject_of(context.ledger, operation.incident_id)
        mapping = mapping_of_mail(context, operation)
        if subject is None or mapping is None or basis.restricted:
            raise DecideAgain
        if is_too_old(post, context.clock.now()):
            raise DecideAgain
        form, about = mapping.chat.format, about_of(subject, mapping)
        if isinstance(post.content, UpdatePost) and post.content.template:
            text = _filled(context, post.content, about, mapping)
        else:
            text = "\n".join(_lines(post.content, about, form))
        text = f"{chat_bold(post.exercise, form)} {text}" if post.exercise else text
        return RenderedPost(channel=post.channel, form=form, body=body_of(cut(text, LONGEST), form))

    def complete(
        self, context: EngineContext, operation: OperationRecord, rendered: RenderedPost
    ) -> RenderedPost:
        """Return the message as it is; raise `CannotRender` where its channel has lost its URL."""
        if context.chat is None or rendered.channel not in context.chat.channels:
            raise CannotRender(no_url(rendered.channel))
        return rendered

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedPost) -> Outcome:
        """Post the message."""
        if context.chat is None:
            raise CannotRender(no_url(rendered.channel))
        context.chat.post(rendered.channel, rendered.body, rendered.form)
        return Outcome(f"{rendered.channel}:{operation.op}")

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Drop the message's text from the ledger: nothing needs it after the sending."""
        return Confirmation(rendered=RenderedPost(channel=operation.typed(PostChat).channel))

    def after_unknown(self, context: EngineContext, operation: OperationRecord) -> bool:
        """End a post that may have arrived; return False: it never leaves again."""
        post = operation.typed(PostChat)
        leaving.end(
            context.ledger,
            operation,
            OperationState.DROPPED,
            context.clock.now(),
            PERHAPS,
            changed=post.model_copy(update={"unsure": True}),
            rendered=RenderedPost(channel=post.channel),
        )
        return False


def _filled(context: EngineContext, content: UpdatePost, about: About, mapping: Mapping) -> str:
    """Return the text of the mapping's template; its values are escaped, its own markup stays."""
    values = text_values(about, mapping, content.text, content.mitigation, content.next_at)
    form = mapping.chat.format
    escaped = {name: escape_chat(cut(value, LONGEST_TEXT), form) for name, value in values._asdict().items()}
    escaped["link"] = chat_link(values.link, about.ticket or f"#{about.number}", form)
    try:
        return context.renderer.text(content.template, TextValues(**escaped))
    except TemplateError as error:
        raise CannotRender(str(error)) from error


def _lines(content: PostContent, about: About, form: ChatFormat) -> Iterator[str]:
    """Yield the lines of a message, escaped for the chat."""
    number, title = f"#{about.number}", escape_chat(cut(about.title, LONGEST_TITLE), form)
    links = " · ".join(_links(about, form))
    if isinstance(content, TicketPost):
        yield f"{chat_bold(f'{about.severity} {number}', form)} {title}"
        triggered = at_words(about.created_at, about.zone)
        yield f"{links} · {escape_chat(about.service, form)} · triggered {triggered}"
        yield f"Incident commander: {escape_chat(content.commander, form) or 'nobody yet'}"
    elif isinstance(content, SeverityPost):
        before = escape_chat(content.before, form)
        yield f"{chat_bold(f'{number} is now {content.severity}', form)} (was {before}): {title}"
        yield links
    elif isinstance(content, ResolvedPost):
        yield f"{chat_bold(f'{number} is resolved', form)}: {title}"
        yield links
        if content.due is not None:
            yield f"Postmortem: schedule it by {at_words(content.due, about.zone)}"
    elif isinstance(content, BreachPost):
        due = at_words(content.due, about.zone)
        yield f"{chat_bold(f'{number}: {content.what} is overdue', form)} since {due}"
        yield links
    elif isinstance(content, OwedUpdatePost):
        who = escape_chat(content.who, form)
        since = at_words(content.since, about.zone)
        yield f"{chat_bold(f'{number} needs an update', form)}: no update since {since}"
        please = f"{who}, please" if who else "Please"
        yield f"{please} write a note or comment that begins with `update:` · {links}"
    else:
        author = escape_chat(content.author, form) or "somebody"
        yield f"{chat_bold(f'Update on {number}', form)} by {author}"
        yield escape_chat(cut(content.text, LONGEST_TEXT), form)
        yield links


def _links(about: About, form: ChatFormat) -> Iterator[str]:
    if about.ticket:
        yield chat_link(about.ticket_url, about.ticket, form)
    yield chat_link(about.url, f"PagerDuty #{about.number}", form)
