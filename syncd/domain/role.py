"""The roles of an incident, the people who fill them, and what syncd read to tell who they are."""

from __future__ import annotations

from collections.abc import Container
from enum import StrEnum

from pydantic import Field

from syncd.domain.base import UtcTime, Value
from syncd.domain.incident import Responder


class Role(StrEnum):
    """The roles of the two runbooks: QRPay's "Roles", Ramen's "On-call rotation"."""

    COMMANDER = "commander"
    COMMUNICATIONS_LEAD = "communications_lead"
    EXPERT = "expert"
    SCRIBE = "scribe"
    PRIMARY = "primary"
    SECONDARY = "secondary"
    ESCALATION = "escalation"

    @property
    def words(self) -> str:
        """The role as people read it."""
        return _WORDS.get(self, self.value)


_WORDS = {
    Role.COMMANDER: "incident commander",
    Role.COMMUNICATIONS_LEAD: "communications lead",
    Role.EXPERT: "subject matter expert",
}


class FilledBy(StrEnum):
    """How a person got a role, in the order in which it counts."""

    LINE = "line"
    ACKNOWLEDGED = "acknowledged"
    SCHEDULE = "schedule"
    MAPPING = "mapping"


class RoleHolder(Value):
    """The person who fills a role, as far as syncd knows them.

    `name` is for people to read; of a line that names nobody whom syncd knows, it is the line's text, and
    `unclear` says why. `user` is the id in PagerDuty, `account` the account in Jira. `how` says in words how
    they got the role, `line` is the id of the note or comment that named them.
    """

    name: str
    by: FilledBy
    how: str
    user: str | None = None
    account: str | None = None
    address: str | None = None
    line: str | None = None
    unclear: str = ""


class Acknowledgement(Value):
    """The first acknowledgement of an incident by one user."""

    by: Responder
    at: UtcTime


class RoleFacts(Value):
    """The facts about the people of one incident; syncd reads each part once, so that it does not change.

    `acknowledged` is the first person who acknowledged, at `acknowledged_at`; `later` are the first
    acknowledgements of the others, oldest first: one of them counts if the first user is no person. `on_call`
    holds who was on a schedule at the trigger, by the schedule's name in the mapping. `named` holds whom the
    words of a person's line mean.
    """

    acknowledged: Responder | None = None
    acknowledged_at: UtcTime | None = None
    later: tuple[Acknowledgement, ...] = ()
    on_call: dict[str, tuple[Responder, ...]] = Field(default_factory=dict)
    named: dict[str, RoleHolder] = Field(default_factory=dict)

    def without(self, nobodies: Container[str]) -> RoleFacts:
        """Return the facts without the acknowledgements of users who are no persons."""
        if self.acknowledged is None or self.acknowledged.id not in nobodies:
            return self
        left = [act for act in self.later if act.by.id not in nobodies]
        first = left[0] if left else None
        return self.model_copy(
            update={
                "acknowledged": first.by if first else None,
                "acknowledged_at": first.at if first else None,
                "later": tuple(left[1:]),
            }
        )
