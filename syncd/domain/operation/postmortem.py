"""Operations on postmortems and action items.

Edits, links and comments have one model for postmortems and one for action items.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from syncd.domain.base import JsonValue
from syncd.domain.operation.base import (
    IsoTime,
    Kind,
    ObjectKind,
    OperationBase,
    OperationClass,
    RefusableFields,
    Target,
    object_of,
)
from syncd.domain.operation.keys import POSTMORTEM_FORM, RECURRING_FORM


class CreatePostmortem(RefusableFields):
    """Create the postmortem.

    syncd reads the texts of a `restricted` incident when the create leaves, and stores them nowhere.
    `turned_down` are the accounts that Jira refused as the postmortem's owner.
    """

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.POSTMORTEM, "incident")
    key_form: ClassVar = POSTMORTEM_FORM
    kind: Literal[Kind.CREATE_POSTMORTEM] = Kind.CREATE_POSTMORTEM

    restricted: bool = False
    turned_down: tuple[str, ...] = Field(default=(), validation_alias="not", serialization_alias="not")


class CreateActionItem(RefusableFields):
    """Create an action item from a row of the postmortem's table, or create the runbook item.

    `row` is the row's mark. `text`, `owner` and `due` are its cells, as people typed them.
    """

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.POSTMORTEM, "incident")
    kind: Literal[Kind.CREATE_ACTION_ITEM] = Kind.CREATE_ACTION_ITEM

    key: str
    knowledge: bool = Field(
        default=False, validation_alias="knowledge-base", serialization_alias="knowledge-base"
    )
    row: str | None = None
    text: str | None = None
    owner: str | None = None
    due: str | None = None


class CreateRecurring(RefusableFields):
    """Create the issue of a recurring duty (`incident` holds its ident), due at the end of the day `due`.

    The rule asked for it at `since`: an earlier ledger may have made what is older than this one.
    """

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.JIRA
    about: ClassVar = (ObjectKind.ISSUE, "incident")
    key_form: ClassVar = RECURRING_FORM
    kind: Literal[Kind.CREATE_RECURRING] = Kind.CREATE_RECURRING

    due: str
    since: IsoTime


class DutyIssueEdit(RefusableFields):
    """An edit of an issue (its id): `fields` replaces, `update` adds and removes; `agree` is kept."""

    op_class: ClassVar = OperationClass.STATE
    target: ClassVar = Target.JIRA

    issue: str
    fields: dict[str, JsonValue]
    update: dict[str, JsonValue]
    agree: dict[str, JsonValue]


class EditPostmortem(DutyIssueEdit):
    """Edit the postmortem."""

    about: ClassVar = (ObjectKind.POSTMORTEM, "incident")
    key_form: ClassVar = "postmortem/{incident}/{aspect}"
    kind: Literal[Kind.EDIT_POSTMORTEM] = Kind.EDIT_POSTMORTEM


class EditActionItem(DutyIssueEdit):
    """Edit an action item."""

    about: ClassVar = (ObjectKind.ACTION_ITEM, "issue")
    key_form: ClassVar = "assign/{issue}"
    kind: Literal[Kind.EDIT_ACTION_ITEM] = Kind.EDIT_ACTION_ITEM


class DutyIssueLink(OperationBase):
    """A link between two issues (their ids), of the first of these types that the site has."""

    op_class: ClassVar = OperationClass.STATE
    target: ClassVar = Target.JIRA

    issue: str
    other: str
    types: tuple[str, ...]
    purpose: str


class LinkPostmortem(DutyIssueLink):
    """Link the postmortem to its ticket."""

    about: ClassVar = (ObjectKind.POSTMORTEM, "incident")
    key_form: ClassVar = "postmortem/{incident}/{aspect}"
    kind: Literal[Kind.LINK_POSTMORTEM] = Kind.LINK_POSTMORTEM


class LinkActionItem(DutyIssueLink):
    """Link an action item to its postmortem."""

    about: ClassVar = (ObjectKind.ACTION_ITEM, "issue")
    key_form: ClassVar = "item/{issue}/{aspect}"
    kind: Literal[Kind.LINK_ACTION_ITEM] = Kind.LINK_ACTION_ITEM


class DutyIssueComment(OperationBase):
    """A comment by syncd, once; `value` is text from outside and is escaped.

    `facts` describes duties, so that a new ledger can rebuild them; `said` are people's words beside them.
    `step` names the duty: a later step of the same duty replaces this comment while it is pending.
    """

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.JIRA

    key: str
    subject: str
    text: str
    value: str
    issue: str | None = None
    facts: dict[str, JsonValue] | None = None
    said: str | None = None
    step: str | None = None


class CommentOnPostmortem(DutyIssueComment):
    """Tell people something on the postmortem."""

    about: ClassVar = (ObjectKind.POSTMORTEM, "incident")
    kind: Literal[Kind.COMMENT_ON_POSTMORTEM] = Kind.COMMENT_ON_POSTMORTEM


class CommentOnActionItem(DutyIssueComment):
    """Tell people something on an action item."""

    kind: Literal[Kind.COMMENT_ON_ACTION_ITEM] = Kind.COMMENT_ON_ACTION_ITEM

    object: str


def comment_on_duty_issue(
    incident_id: str,
    item: str | None,
    *,
    key: str,
    subject: str,
    text: str,
    value: str,
    reason: str,
    facts: dict[str, JsonValue] | None = None,
    said: str | None = None,
) -> CommentOnPostmortem | CommentOnActionItem:
    """Return a comment on an action item (its issue id), or on the postmortem if `item` is None."""
    kind = ObjectKind.POSTMORTEM if item is None else ObjectKind.ACTION_ITEM
    model: type[CommentOnPostmortem] | type[CommentOnActionItem]
    model = CommentOnPostmortem if item is None else CommentOnActionItem
    return model(
        key=key,
        incident=incident_id,
        object=object_of(kind, item or incident_id),
        subject=subject,
        text=text,
        value=value,
        reason=reason,
        facts=facts,
        said=said,
    )
