"""Operations on texts: syncd's comments on the ticket, and copies of people's notes and comments."""

from __future__ import annotations

from typing import ClassVar, Literal

from syncd.domain.operation.base import (
    IsoTime,
    IsoTimeOrBlank,
    Kind,
    ObjectKind,
    OperationBase,
    OperationClass,
    Target,
)


class CommentOnTicket(OperationBase):
    """Comment on the ticket, once; `value` is text from outside and is escaped. `subject` may be empty.

    `companion` is the aspect of the state operation that the comment explains: the comment leaves only with
    it.
    """

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.TICKET, "incident")
    kind: Literal[Kind.COMMENT_ON_TICKET] = Kind.COMMENT_ON_TICKET

    key: str
    subject: str
    text: str
    value: str
    companion: str | None = None


class Copy(OperationBase):
    """A copy of a person's text, with its author and the time (UTC) at which they wrote it."""

    op_class: ClassVar = OperationClass.ONCE

    key: str
    author: str
    text: str
    at: IsoTime


class MirrorNote(Copy):
    """Copy a note (its id) to the ticket."""

    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.TICKET, "incident")
    kind: Literal[Kind.MIRROR_NOTE] = Kind.MIRROR_NOTE

    note: str


class MirrorComment(Copy):
    """Copy a comment (its id) to the incident."""

    target: ClassVar = Target.PAGERDUTY
    about: ClassVar = (ObjectKind.INCIDENT, "incident")
    kind: Literal[Kind.MIRROR_COMMENT] = Kind.MIRROR_COMMENT

    comment: str


class Rewrite(OperationBase):
    """Update a copy after its original changed: the ids of both, and the original's new text.

    `version` is a hash of that text. Author and text are empty where a person deleted the original.
    """

    op_class: ClassVar = OperationClass.STATE
    key_form: ClassVar = "text/{object}"

    author: str
    text: str
    at: IsoTimeOrBlank
    note: str
    comment: str
    version: str


class RewriteComment(Rewrite):
    """Rewrite the comment that copies a note."""

    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.COMMENT, "comment")
    kind: Literal[Kind.REWRITE_COMMENT] = Kind.REWRITE_COMMENT


class RewriteNote(Rewrite):
    """Rewrite the note that copies a comment."""

    target: ClassVar = Target.PAGERDUTY
    about: ClassVar = (ObjectKind.NOTE, "note")
    kind: Literal[Kind.REWRITE_NOTE] = Kind.REWRITE_NOTE


class PostReadyTexts(OperationBase):
    """Comment on the ticket with the texts that people copy for customers (`policy.communications.texts`).

    The ledger holds the texts beside the ticket; `number` counts the comments: a second one follows where a
    person changed or deleted the first.
    """

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.TICKET, "incident")
    key_form: ClassVar = "comment/{incident}/texts/{number}"
    kind: Literal[Kind.POST_READY_TEXTS] = Kind.POST_READY_TEXTS

    number: int


class RewriteReadyTexts(OperationBase):
    """Edit that comment (its id): `version` is a hash of what the texts are and who approved them."""

    op_class: ClassVar = OperationClass.STATE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.TICKET, "incident")
    key_form: ClassVar = "texts/{incident}"
    kind: Literal[Kind.REWRITE_READY_TEXTS] = Kind.REWRITE_READY_TEXTS

    comment: str
    version: str
