"""What every value of the domain shares: frozen, no unknown fields, times in UTC.

Values are compared by content, so a reconcile can ask "is this what we already know?" with `==`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, JsonValue

__all__ = ["SERVICE_NAMES", "JsonValue", "Reference", "UtcTime", "Value"]

SERVICE_NAMES = {"pagerduty": "PagerDuty", "jira": "Jira"}
"""How people call the two services."""


def _to_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""An aware time, converted to UTC on the way in; a naive one is refused."""


class Value(BaseModel):
    """A frozen value; unknown fields are an error, so a typing mistake cannot pass as data.

    What was refused is not quoted in the error's text, because that may be logged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Reference(Value):
    """Something of a service, known by its id there; the name is for display only."""

    id: str
    name: str = ""
