"""The variables of the templates of texts for chat and customers; `templates/README.md` lists them."""

from __future__ import annotations

from typing import NamedTuple


class TextValues(NamedTuple):
    """The variables of a text, all of them texts.

    `update` and `mitigation` are people's words, empty where nobody wrote such a line. `next_update` is the
    time of the next owed update, `every` the time between two; both are empty where none is owed.
    """

    team: str
    number: str
    link: str
    service: str
    severity: str
    update: str
    mitigation: str
    next_update: str
    every: str


SAMPLES = (
    TextValues(
        team="Sample",
        number="1",
        link="https://company.pagerduty.example/incidents/PSAMPLE",
        service="Sample",
        severity="SEV1",
        update="Sample",
        mitigation="Sample",
        next_update="2026-12-01 12:15 UTC",
        every="15 minutes",
    ),
    TextValues("Sample", "1", "", "Sample", "SEV1", "", "", "", ""),
)
"""A text with every value, and one with required values only."""
