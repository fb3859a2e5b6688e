"""The operation that posts to a chat channel, with one model for the content of each kind of post."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from syncd.domain.base import Value
from syncd.domain.operation.base import (
    IsoTime,
    IsoTimeOrBlank,
    Kind,
    ObjectKind,
    OperationClass,
    Target,
    WithContent,
)


class PostKind(StrEnum):
    """The kinds of posts."""

    TICKET = "ticket"
    SEVERITY = "severity"
    UPDATE = "update"
    RESOLVED = "resolved"
    BREACH = "breach"
    OWED_UPDATE = "owed_update"


class TicketPost(Value):
    """The ticket was made; `commander` is the incident commander's name, empty if there is none yet."""

    post: Literal[PostKind.TICKET] = PostKind.TICKET
    severity: str
    commander: str = ""


class SeverityPost(Value):
    """The incident's severity changed from `before`."""

    post: Literal[PostKind.SEVERITY] = PostKind.SEVERITY
    severity: str
    before: str


class UpdatePost(Value):
    """A person wrote an update or a mitigation; the template (a file's name) turns it into the post's text.

    `source` is the note or comment (`note:ID`), `author` the person's name. `text` are the words of the
    latest update, `mitigation` those of the latest mitigation. `next_at` is when the next update is owed.
    """

    post: Literal[PostKind.UPDATE] = PostKind.UPDATE
    source: str
    author: str
    text: str
    mitigation: str = ""
    next_at: IsoTimeOrBlank = None
    template: str = ""


class ResolvedPost(Value):
    """The incident was resolved; `due` is when its postmortem must be scheduled, None if it owes none."""

    post: Literal[PostKind.RESOLVED] = PostKind.RESOLVED
    due: IsoTimeOrBlank = None


class BreachPost(Value):
    """A duty is overdue: `what` says in our own words what is owed, `due` was its deadline."""

    post: Literal[PostKind.BREACH] = PostKind.BREACH
    what: str
    due: IsoTime


class OwedUpdatePost(Value):
    """Nobody wrote an update since a time; `who` is the person whom the post names."""

    post: Literal[PostKind.OWED_UPDATE] = PostKind.OWED_UPDATE
    since: IsoTime
    who: str = ""


PostContent = TicketPost | SeverityPost | UpdatePost | ResolvedPost | BreachPost | OwedUpdatePost


class PostChat(WithContent):
    """Post one message to a channel, at most once: nobody can look up whether it arrived.

    `moment` is the time at which the rule asked for it; a post that is too old is not sent. `skip` is the
    reason why the ledger records it as not sent. `unsure` is True after a sending without an answer.
    `exercise` marks an incident that is or may be an exercise.
    """

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.CHAT
    about: ClassVar = (ObjectKind.CHAT, "incident")
    content_named: ClassVar = "post"
    kind: Literal[Kind.POST_CHAT] = Kind.POST_CHAT

    key: str
    channel: str
    content: Annotated[PostContent, Field(discriminator="post")]
    moment: IsoTime
    skip: str | None = None
    exercise: str = ""
    unsure: bool = False

    @property
    def service(self) -> str:
        """The name of the channel's service: each has its own health and budget."""
        return service_of(self.channel)


def service_of(channel: str) -> str:
    """Return the name of a channel's service, in health, budget, counts and logs."""
    return f"{Target.CHAT}:{channel}"
