"""The requests that operations are rendered to when they leave: one frozen model per shape of request.

The ledger stores only the fields that were set; the operation's kind selects the model. `fields` and `update`
hold values by field id, in the form of Jira's API. syncd removes texts when an incident becomes restricted or
the operator forgets a person, so texts may be absent.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ConfigDict, Field

from syncd.domain.base import JsonValue, Value
from syncd.domain.operation.base import Kind
from syncd.domain.text.chat import ChatFormat
from syncd.domain.ticket import Mark, Status

FieldValues = dict[str, JsonValue]
"""Values of an issue's fields, by field id."""


def assignee_in(fields: FieldValues) -> str | None:
    """Return the assignee in these fields: an account id on Cloud, a user name on Data Center."""
    assignee = fields.get("assignee")
    return str(assignee.get("accountId") or assignee.get("name")) if isinstance(assignee, dict) else None


class Rendered(Value):
    """The fields of every request; `issue` is the issue that it writes to.

    `restricted` is True where the incident is restricted. `again` is True where a text was withheld, so syncd
    renders the request anew before it leaves. `unknown` is True where its outcome is unknown.
    """

    model_config = ConfigDict(populate_by_name=True)

    issue: str = ""
    restricted: bool = False
    again: bool = False
    unknown: bool = False

    @property
    def stored(self) -> dict[str, JsonValue]:
        """The fields that are set, as the ledger stores them."""
        return self.model_dump(mode="json", by_alias=True, include=self.model_fields_set)


class Born(Value):
    """The status to which a create takes its ticket at once, and the incident's state for which it stands."""

    status: str
    state: str


class RenderedCreate(Rendered):
    """A create: the issue's fields, and `agree`, the values that both sides agree on from the start.

    `born`: the create takes a transition, so the ticket begins in its final status. `refused` are the fields
    that Jira refused, `needed` the fields without which syncd creates no ticket. `lead` is the message to the
    security lead. `facts` and `parent` (the postmortem) belong to an action item.
    """

    fields: FieldValues = Field(default_factory=dict)
    agree: dict[str, JsonValue] = Field(default_factory=dict)
    born: Born | None = None
    refused: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    lead: str | None = None
    facts: dict[str, JsonValue] = Field(default_factory=dict)
    parent: str = ""

    @property
    def project(self) -> str:
        """The key of the issue's project, empty where the fields name none."""
        project = self.fields.get("project")
        return str(project.get("key", "")) if isinstance(project, dict) else ""

    def of_restricted(self, lead: str | None) -> RenderedCreate:
        """Return the create for a restricted incident; `lead` is the message to the security lead."""
        return self.model_copy(update={"restricted": True, "lead": lead})


class RenderedEdit(Rendered):
    """An edit: `fields` replaces, `update` adds and removes, `refused` are the fields that Jira refused.

    `mark` is the mark that the issue gets.
    """

    issue: str
    fields: FieldValues = Field(default_factory=dict)
    update: FieldValues = Field(default_factory=dict)
    refused: tuple[str, ...] = ()
    mark: Mark | None = None


class RenderedTransition(Rendered):
    """A transition (its id) with the fields that its screen demands."""

    issue: str
    transition: str
    fields: FieldValues = Field(default_factory=dict)


class RenderedMove(RenderedTransition):
    """One step of a ticket from one status (its id) to another; `last` is True for the final step.

    `missing` names the keys of the mapping that would fill the demanded fields. `workflow` names the workflow
    whose routes syncd learns.
    """

    missing: str
    to: Status
    last: bool
    workflow: str
    from_status: str = Field(validation_alias="from", serialization_alias="from")


class RenderedStay(Rendered):
    """A move without a request: `stays` says that the present status will do, or that no way back exists."""

    issue: str
    stays: str


class RenderedLink(Rendered):
    """A link between two issues, by the name of its type."""

    type: str
    issue: str
    other: str


class RenderedComment(Rendered):
    """A comment, with its id if syncd rewrites it; `hidden`: the answer must show it as internal."""

    issue: str
    comment: str = ""
    body: str = ""
    hidden: bool


class RenderedNote(Rendered):
    """A note, with its id if syncd rewrites it."""

    note: str = ""
    text: str = ""


class RenderedChange(Rendered):
    """A change of the incident, in PagerDuty's ids; one field is set. `left`: why syncd writes nothing."""

    status: str | None = None
    assignee: str | None = None
    priority: str | None = None
    text: str | None = None
    left: str | None = None


class RenderedMail(Rendered):
    """The whole message; the ledger removes the body after the send.

    `anchor` is the end of the audit trail (`SEQ:HASH`) that the message carries: `syncd audit verify` checks
    that the trail still contains it.
    `tells` maps the number of each other notice in the message to True if its incident is restricted.
    `told_by` is the key of the mail that contains this notice, which then has no message of its own.
    """

    to: str = ""
    message_id: str = ""
    date: str = ""
    body: str = ""
    anchor: str = ""
    tells: dict[str, bool] = Field(default_factory=dict)
    told_by: str = ""


class RenderedPost(Rendered):
    """One post: its channel and chat, and the JSON text of the request; the ledger removes that later."""

    channel: str = ""
    form: ChatFormat = "slack"
    body: str = ""


_KINDS: dict[type[Rendered], tuple[Kind, ...]] = {
    RenderedCreate: (
        Kind.CREATE_TICKET,
        Kind.CREATE_POSTMORTEM,
        Kind.CREATE_ACTION_ITEM,
        Kind.CREATE_RECURRING,
    ),
    RenderedEdit: (
        Kind.EDIT_TICKET,
        Kind.EDIT_POSTMORTEM,
        Kind.EDIT_ACTION_ITEM,
        Kind.FILL_RESTRICTED_STUB,
    ),
    RenderedMove: (Kind.MOVE_TICKET,),
    RenderedTransition: (Kind.CLOSE_DUPLICATE,),
    RenderedLink: (
        Kind.LINK_TICKETS,
        Kind.LINK_DUPLICATE,
        Kind.LINK_POSTMORTEM,
        Kind.LINK_ACTION_ITEM,
    ),
    RenderedComment: (
        Kind.MIRROR_NOTE,
        Kind.REWRITE_COMMENT,
        Kind.COMMENT_ON_TICKET,
        Kind.POST_READY_TEXTS,
        Kind.REWRITE_READY_TEXTS,
        Kind.COMMENT_ON_POSTMORTEM,
        Kind.COMMENT_ON_ACTION_ITEM,
    ),
    RenderedNote: (Kind.LINK_NOTE, Kind.MIRROR_COMMENT, Kind.REWRITE_NOTE),
    RenderedChange: (Kind.CHANGE_INCIDENT,),
    RenderedMail: (Kind.SEND_MAIL,),
    RenderedPost: (Kind.POST_CHAT,),
}
"""The kinds of operations for each model. A move may also be rendered to a `RenderedStay`."""
_MODELS: dict[str, type[Rendered]] = {kind: model for model, kinds in _KINDS.items() for kind in kinds}


def rendered_as(*models: type[Rendered]) -> frozenset[Kind]:
    """Return the kinds of operations that are rendered to one of these models."""
    return frozenset(kind for model in models for kind in _KINDS[model])


def parse_rendered(kind: str, stored: Mapping[str, JsonValue]) -> Rendered:
    """Return the stored request of an operation; raise `ValidationError` if it does not fit the kind."""
    model = RenderedStay if kind == Kind.MOVE_TICKET and "stays" in stored else _MODELS[kind]
    return model.model_validate(stored)
