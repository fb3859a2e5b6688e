"""The sections of a mapping for the time after an incident: postmortem, follow-ups, mails, closing.

A rule that can page, mail, publish, close, reopen or reassign has the mode `report` until the mapping
switches it on.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from syncd.domain.base import Value
from syncd.domain.mapping.value_types import Mode, Names, SomeNames, Text, ZoneName


class Kpi(Value):
    """A figure of the product that a postmortem asks about; syncd does not read it."""

    name: Text = Field(description="What is measured.")
    threshold: Text = Field(description="What it should be, in words.")
    link: Text | None = Field(None, description="URL of its dashboard.")


class Postmortem(Value):
    """The postmortem of an incident that owes one, and its two duties.

    `scheduled`: within `schedule_hours` after the resolve the postmortem has an active owner, and a person
    entered a review date. `completed`: within `complete_days` working days it has one of `statuses`.
    """

    mode: Mode = Field(
        Mode.REPORT,
        description="`enforce` makes the postmortem and tracks its deadlines; `report` only shows in"
        " `syncd status` what it would do; `off` leaves postmortems to people.",
    )
    template: Text = Field("postmortem.j2", description="The template of its description.")
    after_minutes: float = Field(
        30,
        ge=0,
        le=1440,
        description="Minutes from the resolve until it is made, unless the incident is reopened before.",
    )
    schedule_hours: float = Field(
        48, gt=0, le=720, description="Hours from the resolve until it must be scheduled."
    )
    review_within_days: int = Field(
        14, ge=1, le=90, description="The review date is at most this many days after the resolve."
    )
    complete_days: int = Field(
        10,
        ge=1,
        le=90,
        description="It must be completed by the end of so many working days after the resolve.",
    )
    basis: Literal["peak", "final"] = Field(
        "peak",
        description="Which severity decides: the worst one that lasted ten minutes or stood at the"
        " resolve (`peak`), or the last one (`final`).",
    )
    date_field: Text = Field(
        "duedate", description="The field of the review date, by name or id; the daemon never fills it."
    )
    statuses: SomeNames = Field(("Done", "Closed"), description="Statuses that mean that it is completed.")
    labels: tuple[Text, ...] = Field((), description="Further labels of every postmortem.")
    kpis: tuple[Kpi, ...] = Field(
        (), description="Figures with thresholds and dashboards, for a section of the postmortem's template."
    )
    link_types: SomeNames = Field(
        ("Post-Incident Reviews", "Relates"),
        description="Link types between ticket and postmortem, the preferred one first.",
    )
    remind_hours: tuple[float, ...] = Field(
        (24.0, 4.0),
        max_length=4,
        description="Hours before a deadline at which its owner is reminded: the last time in a separate"
        " mail, the other times in the digest.",
    )


class FollowUps(Value):
    """Action items: their owners and their due dates."""

    mode: Mode = Field(
        Mode.REPORT,
        description="`enforce` enforces the rules on owner and date and makes issues of the table's rows;"
        " `report` only says so in `syncd status`; `off` does not look.",
    )
    link_types: Names = Field(
        (),
        description="Link types that make a linked issue an action item; not set: `Relates` together with"
        " the label `action-item`. None of them may be in `jira.link_types` or"
        " `postmortem.link_types`.",
    )
    owner_hours: float = Field(
        24, gt=0, le=240, description="Working hours until an action item must have an owner."
    )
    unowned: Literal["assign", "escalate"] = Field(
        "escalate",
        description="What happens to an action item without an owner by then: the service's owner gets it"
        " (`assign`) or is told (`escalate`).",
    )
    rows: Literal["create", "off"] = Field(
        "create", description="Whether rows of the postmortem's follow-up table become issues."
    )
    rest_minutes: float = Field(
        30, ge=1, le=1440, description="Minutes without an edit of the description before its rows count."
    )
    knowledge_base: bool = Field(
        True,
        description="`true`: an incident that needs a postmortem gets one follow-up on runbook and"
        " knowledge base.",
    )
    wont_do: Names = Field(
        ("Won't Do", "Won't Fix"), description="Resolutions that mean that an action item will not be done."
    )


class CloseGate(Value):
    """The close gate: how syncd reacts when a person closes a ticket while something is owed."""

    mode: Literal["off", "comment", "reopen"] = Field(
        "comment",
        description="`comment` lists on the ticket what is missing; `reopen` also moves it back to its"
        " former status, once for each new missing duty; `off` does nothing.",
    )


class QuietHours(Value):
    """The hours without reminders, in the team's zone, from `start` to `end`; they may include midnight."""

    start: dt.time = Field(dt.time(20), description="When they begin, as `20:00`.")
    end: dt.time = Field(dt.time(8), description="When they end, as `08:00`.")


class Mails(Value):
    """All e-mails of syncd except the weekly report."""

    mode: Mode = Field(
        Mode.REPORT,
        description="`enforce` sends notices, reminders, breaches and digests; `report` only shows in"
        " `syncd status` what would be sent; `off` does nothing. The operator and the"
        " security lead get mails in every mode.",
    )
    reply_to: str | None = Field(None, description="E-mail address that answers go to.")
    quiet: QuietHours = Field(QuietHours(), description="Hours in which syncd reminds nobody.")
    digest_at: dt.time = Field(dt.time(9), description="When the digest is sent on a working day.")


class Closing(Value):
    """The automatic close of a ticket whose incident owes nothing.

    A ticket that owes nothing from the start closes at the resolve, any other ticket at least `after_hours`
    hours later. syncd closes a ticket only if it still has the status that syncd gave it.
    """

    mode: Mode = Field(
        Mode.REPORT,
        description="`enforce` closes tickets without open duties (at the resolve, if there never was"
        " one); `report` only shows this in `syncd status`; `off` leaves closing to people.",
    )
    after_hours: float = Field(
        24.0, ge=0, le=8760, description="Hours from the resolve until a ticket that had duties may close."
    )


class Report(Value):
    """The weekly compliance report of a team: its recipients and its time."""

    mode: Mode = Field(
        Mode.REPORT,
        description="`enforce` mails the weekly report; `report` only makes it, for `syncd report`; `off`"
        " does neither.",
    )
    to: Names = Field((), description="E-mail addresses that get the team's report.")
    over_all: Names = Field((), description="E-mail addresses that get the report over all teams.")
    day: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = Field(
        "monday", description="The day on which it is sent; it is always about the week before, from Monday."
    )
    at: dt.time = Field(dt.time(8), description="When it is sent, in the report's zone.")
    zone: ZoneName | None = Field(None, description="The report's time zone; not set: the team's.")
    names: bool = Field(False, description="`true`: the report over all teams shows people's names, too.")
