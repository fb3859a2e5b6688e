"""The section `chat` of a mapping: the team's channel, and what syncd posts there."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from syncd.domain.base import Value
from syncd.domain.mapping.value_types import Mode, Text
from syncd.domain.text.chat import ChatFormat

ChannelName = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
]
"""The name of a channel, without the `#`: the name of its URL in `SYNCD_CHAT_URLS`."""


class Chat(Value):
    """The team's chat channel: one message for each step of an incident, at most once."""

    mode: Mode = Field(
        Mode.REPORT,
        description="`enforce` posts to the channel; `report` only shows in `syncd status` what would be"
        " posted; `off` does nothing.",
    )
    format: ChatFormat = Field(
        "slack", description="The chat that the channel belongs to: it decides the form of a message."
    )
    channel: ChannelName | None = Field(
        None,
        description="Name of the channel, without `#`; not set: syncd posts nothing. The channel's incoming"
        " webhook stands in `SYNCD_CHAT_URLS` under this name.",
    )
    incident_channel: Text | None = Field(
        None,
        description="Pattern of the channel that PagerDuty's own integration makes for each incident, such"
        " as `#inc-{number}` or an address with `{number}`; the ticket names it.",
    )

    @property
    def posts_to(self) -> str | None:
        """Return the channel to which syncd posts, None if it posts nothing."""
        return self.channel if self.mode is Mode.ENFORCE else None
