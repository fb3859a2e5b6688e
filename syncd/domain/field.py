"""A field as a Jira screen describes it: its name, its type, and whether the screen demands it."""

from __future__ import annotations

from syncd.domain.base import Reference, Value


class FieldFacts(Value):
    """A field of a screen; `type` is Jira's word, `allowed` are the options to choose from."""

    id: str
    name: str
    type: str = "string"
    required: bool = False
    has_default: bool = False
    allowed: tuple[Reference, ...] = ()

    @property
    def demanded(self) -> bool:
        """True if Jira refuses the screen unless syncd sends a value."""
        return self.required and not self.has_default
