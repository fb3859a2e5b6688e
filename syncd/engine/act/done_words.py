"""Describe a finished operation in the words of the log: "moved to In Progress", "digest mailed"."""

from __future__ import annotations

from syncd.domain.mail import MailKind
from syncd.domain.operation import Kind, PostChat, SendMail
from syncd.domain.operation.rendered import (
    Rendered,
    RenderedChange,
    RenderedEdit,
    RenderedLink,
    RenderedMove,
    RenderedStay,
)
from syncd.ledger.records import OperationRecord

_WORDS = {
    Kind.CREATE_TICKET: "ticket created",
    Kind.MOVE_TICKET: "ticket moved",
    Kind.CHANGE_INCIDENT: "incident changed",
    Kind.LINK_NOTE: "wrote the ticket's key into a note on the incident",
    Kind.FILL_RESTRICTED_STUB: "full text written under the security level",
    Kind.LINK_TICKETS: "ticket linked",
    Kind.MIRROR_NOTE: "note copied to the ticket",
    Kind.MIRROR_COMMENT: "comment copied to the incident",
    Kind.REWRITE_COMMENT: "copy of a note updated on the ticket",
    Kind.REWRITE_NOTE: "copy of a comment updated on the incident",
    Kind.COMMENT_ON_TICKET: "commented on the ticket",
    Kind.POST_READY_TEXTS: "texts to copy written on the ticket",
    Kind.REWRITE_READY_TEXTS: "texts to copy updated on the ticket",
    Kind.LINK_DUPLICATE: "duplicate linked",
    Kind.CLOSE_DUPLICATE: "duplicate closed",
    Kind.CREATE_POSTMORTEM: "postmortem created",
    Kind.CREATE_ACTION_ITEM: "action item created",
    Kind.CREATE_RECURRING: "issue created",
    Kind.LINK_POSTMORTEM: "postmortem linked",
    Kind.LINK_ACTION_ITEM: "action item linked",
    Kind.EDIT_POSTMORTEM: "postmortem",
    Kind.EDIT_ACTION_ITEM: "action item",
    Kind.EDIT_TICKET: "ticket",
    Kind.COMMENT_ON_POSTMORTEM: "commented on the postmortem",
    Kind.COMMENT_ON_ACTION_ITEM: "commented on an action item",
}
_MAILS = {
    MailKind.UNACKNOWLEDGED: "mail that nobody acknowledged sent",
    MailKind.MISSING_ROLES: "mail about an empty role sent",
    MailKind.BREACH: "mail about a missed deadline sent",
    MailKind.POSTPONED: "mail about a postponed deadline sent",
    MailKind.OPERATOR: "alarm mailed",
    MailKind.LEAD: "message to the security lead mailed",
    MailKind.IMPACT: "mail about impacted customers sent",
    MailKind.FILING: "mail about a regulatory filing sent",
    MailKind.DECISION: "mail about a decision in an approver's name sent",
}
AS_A_FILE = "written to the state folder's `mail`, because SYNCD_SMTP_HOST is not set"
"""The place of a mail where no mail server is set."""
_LABELS = "labels"
_VERBS = {"add": "added to", "remove": "removed from"}


def done_words(operation: OperationRecord, made: str = "") -> str:
    """Return what an operation that was carried out did; no text of the incident stands in it.

    `made` is the key of the issue that it created, if any.
    """
    if operation.kind == Kind.SEND_MAIL:
        mail = operation.typed(SendMail).content.mail
        return _MAILS.get(mail, f"{mail.replace('_', ' ')} mailed")
    if operation.kind == Kind.POST_CHAT:
        post = operation.typed(PostChat)
        return f"{post.content.post.replace('_', ' ')} posted to #{post.channel}"
    words = _rendered_words(operation, operation.rendering) or _WORDS[Kind(operation.kind)]
    # the ticket's own key begins the line already
    return f"{words}: {made}" if made and operation.kind != Kind.CREATE_TICKET else words


def answered_words(rendered: Rendered) -> str:
    """Return how a service answered a write that had no effect."""
    if isinstance(rendered, RenderedChange):
        return "PagerDuty answered 200 and nothing changed"
    status = 201 if isinstance(rendered, RenderedLink) else 204
    return f"Jira answered {status} and nothing changed"


def _rendered_words(operation: OperationRecord, rendered: Rendered | None) -> str | None:
    if isinstance(rendered, RenderedStay):
        return "ticket left at its status"
    if isinstance(rendered, RenderedMove):
        return f"moved to {rendered.to.name}" + ("" if rendered.last else ", one step of several")
    if isinstance(rendered, RenderedEdit) and operation.kind != Kind.FILL_RESTRICTED_STUB:
        return _edit_words(_WORDS[Kind(operation.kind)], rendered)
    if isinstance(rendered, RenderedChange):
        return _change_words(rendered)
    return None


def _edit_words(issue: str, rendered: RenderedEdit) -> str:
    changes = rendered.update.get(_LABELS)
    labels = [
        f"label {label} {_VERBS[verb]} the {issue}"
        for change in (changes if isinstance(changes, list) else [])
        if isinstance(change, dict)
        for verb, label in change.items()
    ]
    written = sorted({*rendered.fields, *rendered.update} - ({_LABELS} if labels else set()))
    if written:
        return "; ".join([f"{issue} edited: {', '.join(written)}", *labels])
    # Jira may have refused each of the fields: then nothing was sent
    return "; ".join(labels) or f"{issue} not edited"


def _change_words(rendered: RenderedChange) -> str:
    if rendered.left is not None:
        return "incident not changed"
    if rendered.status is not None:
        return f"incident {rendered.status}"
    if rendered.assignee is not None:
        return "incident reassigned"
    return "incident's priority changed" if rendered.priority is not None else "incident's title changed"
