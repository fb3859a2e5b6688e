"""Operations on texts: comments of ours on the ticket, copies of people's notes and comments."""

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
    """Tell people something on the ticket, once; `value` is hostile text.

    `companion` is the aspect of the state operation that the comment accompanies: it leaves only with that.
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
    """A person's text: by whom, and when it was written."""

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
    """A copy follows its original: ids of both, and the original's text now.

    `version` is a hash of that text. Of an original that was deleted author and text are empty.
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
