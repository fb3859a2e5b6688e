"""A field as a screen of Jira describes it: what it is called, what it takes, whether it must be filled."""

from __future__ import annotations

from syncd.domain.base import Reference, Value


class FieldFacts(Value):
    """A field of a screen: its id, its name, its type in Jira's words, what it allows."""

    id: str
    name: str
    type: str = "string"
    required: bool = False
    has_default: bool = False
    allowed: tuple[Reference, ...] = ()

    @property
    def demanded(self) -> bool:
        """Whether the screen is refused without a value of ours."""
        return self.required and not self.has_default
