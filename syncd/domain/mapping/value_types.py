"""The types of values in a mapping: texts, names, zones, and the mode of a rule."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""A text that is not empty."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name}; names look like Europe/Berlin") from None
    return name


ZoneName = Annotated[Text, AfterValidator(_known_zone)]
"""The name of a time zone in the IANA database."""

_ONE_OR_MORE = WithJsonSchema(
    {"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}}]}
)

Names = Annotated[tuple[Text, ...], BeforeValidator(_as_list), _ONE_OR_MORE]
"""A name or a list of names; syncd takes the first that the project has."""

SomeNames = Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(_as_list), _ONE_OR_MORE]
"""As `Names`, with at least one name."""


class Mode(StrEnum):
    """The mode of a rule: ignored, only reported in `syncd status`, or enforced."""

    OFF = "off"
    REPORT = "report"
    ENFORCE = "enforce"
