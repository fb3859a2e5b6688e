"""The section `chat` of a mapping: the team's channel, and what syncd posts there."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from syncd.domain.base import Value
from syncd.domain.mapping.value_types import Mode, Text
from syncd.domain.text.chat import ChatFormat

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_PATTERN = re.compile(r"(#|https?://)[^\s|<>]*\{number\}[^\s|<>]*")


def _channel(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("not the name of a channel such as `status`, without `#` and blanks")
    return name


def _incident_channel(pattern: str) -> str:
    if not _PATTERN.fullmatch(pattern):
        raise ValueError("not a pattern such as `#inc-{number}`, or an address with `{number}`")
    return pattern


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
    channel: Annotated[Text, AfterValidator(_channel)] | None = Field(
        None,
        description="Name of the channel, without `#`; not set: syncd posts nothing. The channel's incoming"
        " webhook stands in `SYNCD_CHAT_URLS` under this name.",
    )
    incident_channel: Annotated[Text, AfterValidator(_incident_channel)] | None = Field(
        None,
        description="Pattern of the channel that PagerDuty's own integration makes for each incident, such"
        " as `#inc-{number}` or an address with `{number}`; the ticket names it.",
    )

    def channel_of(self, number: int) -> str:
        """Return the name or the address of the channel of an incident, empty without a pattern."""
        return (self.incident_channel or "").replace("{number}", str(number))

    @property
    def posts_to(self) -> str | None:
        """Return the channel to which syncd posts, None if it posts nothing."""
        return self.channel if self.mode is Mode.ENFORCE else None
