"""A field as a Jira screen describes it: its name, its type, and whether the screen demands it."""

from __future__ import annotations

from pydantic import Field

from syncd.domain.base import Reference, Value


class FieldFacts(Value):
    """A field of a screen; `type` is Jira's word, `allowed` are the options to choose from.

    The type of a list names its items, too (`array:option`). `children` are the options below an option of a
    cascading field, by its id.
    """

    id: str
    name: str
    type: str = "string"
    required: bool = False
    has_default: bool = False
    allowed: tuple[Reference, ...] = ()
    children: dict[str, tuple[Reference, ...]] = Field(default_factory=dict)

    @property
    def demanded(self) -> bool:
        """True if Jira refuses the screen unless syncd sends a value."""
        return self.required and not self.has_default
