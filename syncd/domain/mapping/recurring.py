"""The section of a mapping for what comes round: GameDays, and reviews of documents and runbooks."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from syncd.domain.base import Value
from syncd.domain.mapping.value_types import Mode, Names, Text


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("write quarter, half_year, year, or a number of days")
    return value


Days = Annotated[int, Field(ge=7, le=1830)]
"""A number of days."""


class Recurring(Value):
    """A GameDay or a review that comes round: one Jira issue a period, which a person closes in time."""

    kind: Literal["game_day", "review"] = Field(
        description="`game_day` is an exercise, `review` the review of a document or runbook."
    )
    mode: Mode = Field(
        Mode.REPORT,
        description="`enforce` makes the issues and tracks their deadlines; `report` only shows in"
        " `syncd status` what would be made; `off` makes nothing and ends what is pending.",
    )
    every: Annotated[Literal["quarter", "half_year", "year"] | Days, BeforeValidator(_no_truth)] = Field(
        description="The period: a `quarter`, `half_year` or `year` of the calendar, due on its last day; or"
        " a number of days, counted from `last_done`."
    )
    owner: Text = Field(description="E-mail address of the person who gets the issue and hears of a breach.")
    template: Text | None = Field(
        None, description="The template of its description. Default: `game_day.j2` or `review.j2`."
    )
    last_done: dt.date | None = Field(
        None, description="The day on which it was last done: the period of that day is not owed again."
    )
    document: Text | None = Field(None, description="The document to review, as a name or a URL.")
    scenario: Text | None = Field(None, description="What an exercise plays.")
    services: Names = Field((), description="Names or ids of the services that take part in an exercise.")
    marker: Text | None = Field(
        None,
        description="What the titles of an exercise's incidents carry, such as `[GAME DAY]`: one triggered on"
        " its services between the times on its issue is an exercise. Not set: only the label `game-day` is.",
    )
    after: Names = Field(
        (),
        description="Severities: an incident that had one of them asks for a further review, due"
        " `lead_days` after its resolve; while one is open, the incident is linked to that.",
    )
    lead_days: int = Field(
        14, ge=1, le=60, description="Days before the due date on which the issue is made."
    )

    @property
    def template_name(self) -> str:
        """The name of the description's template."""
        return self.template or f"{self.kind}.j2"

    @property
    def noun(self) -> str:
        """The name that people call it by."""
        return {"game_day": "GameDay", "review": "Review"}[self.kind]
