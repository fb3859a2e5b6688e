"""The base of all values: frozen, without unknown fields, with times in UTC.

Two values with the same content are equal, so a reconcile tells with `==` whether something changed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, JsonValue

__all__ = ["SERVICE_NAMES", "JsonValue", "Reference", "UtcTime", "Value", "texts_by_name", "texts_in"]

SERVICE_NAMES = {"pagerduty": "PagerDuty", "jira": "Jira"}
"""The two services, by the names that people use."""


def _to_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""An aware time. Validation converts it to UTC and refuses a naive one."""


class Value(BaseModel):
    """A frozen value. An unknown field is an error, so a misspelt name cannot pass as data."""

    # Errors may be logged, and a refused input may hold a secret or an incident's text.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Reference(Value):
    """An object of a service, identified by its id there; the name is for display only."""

    id: str
    name: str = ""


def texts_in(value: object) -> list[str]:
    """Return the entries of a stored list as texts, nothing for any other value."""
    return [str(text) for text in value] if isinstance(value, list) else []


def texts_by_name(value: object) -> dict[str, str]:
    """Return the entries of a stored object as texts, nothing for any other value."""
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}
