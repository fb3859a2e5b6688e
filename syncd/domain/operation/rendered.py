"""What an operation was rendered to when it left: one frozen model per shape of request.

The ledger stores the fields that were set and no others; the operation's kind says which model they are.
What stands in `fields` and `update` is Jira's own: values by field id, as its API takes them. Of an incident
that became restricted, or of a person who was forgotten, texts are taken away later, so texts may be absent.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ConfigDict, Field

from syncd.domain.base import JsonValue, Value
from syncd.domain.operation.base import Kind
from syncd.domain.ticket import Status

FieldValues = dict[str, JsonValue]
"""Values of an issue's fields, by field id."""


def assignee_in(fields: FieldValues) -> str | None:
    """Return whom these fields give an issue to: an account id on Cloud, a user name on Data Center."""
    assignee = fields.get("assignee")
    return str(assignee.get("accountId") or assignee.get("name")) if isinstance(assignee, dict) else None


class Rendered(Value):
    """What every request has; `issue` is the one that it writes to.

    `restricted`: the incident is restricted. `again`: a text was withheld, so that it is rendered anew before
    it leaves. `unknown`: nobody knows whether it was carried out.
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


class RenderedCreate(Rendered):
    """A create: the issue's fields, and what is agreed on from its birth.

    `refused` are the fields that Jira did not take, `needed` those that a ticket is never made without.
    `lead` is for the security lead to hear, `facts` is kept of an action item, `parent` is its postmortem.
    """

    fields: FieldValues = Field(default_factory=dict)
    agree: dict[str, JsonValue] = Field(default_factory=dict)
    refused: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    lead: str | None = None
    facts: dict[str, JsonValue] = Field(default_factory=dict)
    parent: str = ""

    @property
    def project(self) -> str:
        """The key of the project that it is made in, empty where it names none."""
        project = self.fields.get("project")
        return str(project.get("key", "")) if isinstance(project, dict) else ""

    def of_restricted(self, lead: str | None) -> RenderedCreate:
        """Return it as the create of a restricted incident's issue; `lead` as above."""
        return self.model_copy(update={"restricted": True, "lead": lead})


class RenderedEdit(Rendered):
    """An edit: `fields` are set, `update` adds and removes, `refused` are those that Jira did not take."""

    issue: str
    fields: FieldValues = Field(default_factory=dict)
    update: FieldValues = Field(default_factory=dict)
    refused: tuple[str, ...] = ()


class RenderedTransition(Rendered):
    """A transition (its id) with what its screen wants."""

    issue: str
    transition: str
    fields: FieldValues = Field(default_factory=dict)


class RenderedMove(RenderedTransition):
    """One step of a ticket from one status (its id) to another; `last`: it stands where it should be then.

    `missing` says which keys of the mapping would fill what the screen demands. The ways are those of the
    `workflow`.
    """

    missing: str
    to: Status
    last: bool
    workflow: str
    from_status: str = Field(validation_alias="from", serialization_alias="from")


class RenderedStay(Rendered):
    """A ticket that stays: `stays` is whether its status does as well, or its workflow has no way back."""

    issue: str
    stays: str


class RenderedLink(Rendered):
    """A link between two issues, by the name of its type."""

    type: str
    issue: str
    other: str


class RenderedComment(Rendered):
    """A comment, with its id where it is rewritten; `hidden`: its answer must show it as internal."""

    issue: str
    comment: str = ""
    body: str = ""
    hidden: bool


class RenderedNote(Rendered):
    """A note, with its id where it is rewritten."""

    note: str = ""
    text: str = ""


class RenderedChange(Rendered):
    """A change of the incident, in PagerDuty's ids; of these one is set. `left`: why nothing is written."""

    status: str | None = None
    assignee: str | None = None
    priority: str | None = None
    text: str | None = None
    left: str | None = None


class RenderedMail(Rendered):
    """The whole message; once it was sent, without its body.

    `tells` are the other notices that the message tells: the number of each operation, and whether its
    incident is restricted. `told_by` is the key of the mail that tells this one, which has no message then.
    """

    to: str = ""
    message_id: str = ""
    date: str = ""
    body: str = ""
    tells: dict[str, bool] = Field(default_factory=dict)
    told_by: str = ""


_KINDS: dict[type[Rendered], tuple[Kind, ...]] = {
    RenderedCreate: (Kind.CREATE_TICKET, Kind.CREATE_POSTMORTEM, Kind.CREATE_ACTION_ITEM),
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
        Kind.COMMENT_ON_POSTMORTEM,
        Kind.COMMENT_ON_ACTION_ITEM,
    ),
    RenderedNote: (Kind.LINK_NOTE, Kind.MIRROR_COMMENT, Kind.REWRITE_NOTE),
    RenderedChange: (Kind.CHANGE_INCIDENT,),
    RenderedMail: (Kind.SEND_MAIL,),
}
"""Which kinds of operations are rendered to which model; a move may also be rendered to a `RenderedStay`."""
_MODELS: dict[str, type[Rendered]] = {kind: model for model, kinds in _KINDS.items() for kind in kinds}


def parse_rendered(kind: str, stored: Mapping[str, JsonValue]) -> Rendered:
    """Return what an operation of this kind was rendered to; raises `ValidationError` where it is none."""
    model = RenderedStay if kind == Kind.MOVE_TICKET and "stays" in stored else _MODELS[kind]
    return model.model_validate(stored)
