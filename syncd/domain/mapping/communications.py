"""The sections of a mapping for what people are told during an incident: updates, texts, the status page."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from syncd.domain.base import Value
from syncd.domain.mapping.value_types import Names, Text

LineWord = Literal["update", "mitigation"]


class Audience(StrEnum):
    """Where people use a text: syncd posts to the chat by itself, people copy the others."""

    CHAT = "chat"
    STATUS_PAGE = "status_page"
    BANNER = "banner"
    PARTNER_MAIL = "partner_mail"


class Communications(Value):
    """How often people write an update while an incident of the severity is open."""

    first_minutes: float = Field(
        15, gt=0, le=1440, description="Minutes from the trigger until the first update is owed."
    )
    every_minutes: float = Field(
        60, gt=0, le=1440, description="Minutes from one update until the next one is owed."
    )


class TextSection(Value):
    """One text that syncd makes from a person's line by a template."""

    on: Annotated[
        tuple[LineWord, ...],
        Field(min_length=1),
        BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    ] = Field(
        ("update",),
        description="The line that makes it: `update`, `mitigation`, or a list of both.",
    )
    to: Audience = Field(
        description="`chat` posts it to the team's channel; `status_page`, `banner` and `partner_mail` put it"
        " into syncd's comment on the ticket, where people copy it."
    )
    template: str = Field(
        pattern=r"^[^\s/][^\s]*\.txt\.j2$", description="Its template, whose name ends in `.txt.j2`."
    )
    severities: Names = Field((), description="Severities that get it; not set: all of them.")


class StatusPage(Value):
    """The public status page, which people alone write to."""

    after_minutes: float | None = Field(
        None,
        gt=0,
        le=1440,
        description="Where customers are impacted (a line `impact: customers`) for longer than so many"
        " minutes without a line `status page: posted`, syncd tells the communications lead once.",
    )
    name: Text = Field("the status page", description="Its name or address, as syncd names it to people.")
