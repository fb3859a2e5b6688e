"""The sections of a mapping for services, severities and playbooks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Literal

from pydantic import Field

from syncd.domain.base import Reference, Value
from syncd.domain.mapping.communications import Communications
from syncd.domain.mapping.value_types import Names, Text
from syncd.domain.role import Role


class RoleSection(Value):
    """Who fills a role until a person's line on the incident or its ticket names somebody else.

    An empty section (`scribe: {}`) is a role that only such a line fills.
    """

    schedule: Text | None = Field(
        None,
        description="PagerDuty schedule, by name or id: the person on it at the trigger has the role. The"
        " commander's schedule also tells who owns the postmortem: the person on it at the resolve.",
    )
    address: str | None = Field(
        None, description="E-mail address of the person who has the role if no line or schedule names one."
    )


class Away(Value):
    """A person's leave."""

    until: dt.date = Field(description="The last day of the leave, in the team's zone.")
    deputy: str = Field(description="E-mail address of the person who gets the mails, too.")


class PlaybookSection(Value):
    """A playbook for a service's incidents; its lines become a checklist on the ticket.

    syncd takes the sections whose `title` matches the incident. If none matches, it takes the sections
    without `title`: they are for every incident of the service.
    """

    name: Text = Field(description="Heading of the checklist.")
    title: str | None = Field(
        None,
        description="A regular expression, searched in the incident's title without regard to case; the"
        " sections that match are shown, and where none matches, the ones without `title`.",
    )
    detect: tuple[Text, ...] = Field((), description="How to recognise it.")
    actions: tuple[Text, ...] = Field((), description="What to do, step by step.")
    recovered_when: tuple[Text, ...] = Field((), description="What must hold before it is over.")
    root_causes: tuple[Text, ...] = Field(
        (), description='Possible causes: the questions under "Root cause" in the postmortem.'
    )


class ServiceSection(Value):
    """One PagerDuty service, identified by `id`, or without it by the name that is the section's key.

    `name` is that key. `ids` are what PagerDuty's services of that name are known by
    (`syncd.domain.mapping.bindings`), none before syncd has asked.
    """

    id: Text | None = Field(
        None, description="The service's id in PagerDuty; without one the section's name is the service's."
    )
    component: Text | None = Field(
        None, description="Component of the ticket; a project that lacks it gets a label instead."
    )
    owner: str | None = Field(None, description="E-mail address of the service's owner.")
    links: dict[Text, str] = Field(
        default_factory=dict, description="Named links that responders need, as `name: URL`."
    )
    playbook: tuple[PlaybookSection, ...] = Field(
        (), description="What to do, as a checklist on the ticket; a list of sections."
    )
    severity: str | None = Field(
        None, description="Severity of the service's incidents if nobody set one; marked as assumed."
    )
    postmortem: bool = Field(
        False, description="`true`: every incident of the service needs a postmortem, whatever its severity."
    )
    roles: dict[Role, RoleSection] = Field(
        default_factory=dict,
        description="As the team's `roles`, for incidents of this service; a role here replaces the team's.",
    )
    notify: Names = Field(
        (),
        description="E-mail addresses that get the notice in addition to a severity's `notify`, if the"
        " severity has one.",
    )
    name: str = Field(default="", exclude=True)
    ids: tuple[str, ...] = Field(default=(), exclude=True)

    def is_among(self, words: Collection[str], service: Reference) -> bool:
        """Return True if names or ids name the service, which this section is about.

        A renamed service keeps the name that the mapping has for it.
        """
        return not {service.id, service.name, self.name}.isdisjoint(words)


class SeveritySection(Value):
    """One severity; the file lists the worst one first.

    `pagerduty` names PagerDuty priorities. `urgency` decides where no priority does, and the ticket then
    shows the severity as *assumed*. `priority` names Jira priorities, the preferred one first.
    """

    definition: str = Field("", description="What the severity means; shown on the ticket.")
    pagerduty: Names = Field((), description="PagerDuty priorities that mean this severity.")
    words: Names = Field(
        (),
        description="Further words for it, in square brackets before a title (`[S1]`) or in the custom"
        " field; its own name always counts. Case makes no difference.",
    )
    urgency: Literal["high", "low"] | None = Field(
        None, description="The urgency that means this severity if nothing else decides; marked as assumed."
    )
    priority: Names = Field((), description="Jira's priority, the preferred one first.")
    postmortem: bool = Field(False, description="`true`: its incidents need a postmortem.")
    restricted: bool = Field(
        False, description="`true`: its incidents are restricted; see `restricted` for what that means."
    )
    notify: Names = Field(
        (),
        description="E-mail addresses that are told at once when an incident first reaches the severity;"
        " `owner` is the owner of its service.",
    )
    roles_required: tuple[Role, ...] = Field(
        (),
        description="Roles that must be filled, of `commander`, `communications_lead`, `expert`, `scribe`,"
        " `primary`, `secondary` and `escalation`. One that is missing five minutes after the first"
        " acknowledgement is told once, to the commander, else to `notify`.",
    )
    overdue: Names = Field(
        (),
        description="E-mail addresses that are told once when a duty is overdue; `owner` is the service's"
        " owner; not set: the service's owner and `people.process_owner`.",
    )
    follow_up_days: int = Field(
        60,
        ge=1,
        le=365,
        description="Working days after the resolve until every action item must be done.",
    )
    acknowledge_minutes: float | None = Field(
        None, gt=0, description="Target for the time to acknowledge, in minutes."
    )
    alarm: bool = Field(
        False,
        description="`true`: if nobody has acknowledged an incident within `acknowledge_minutes`, `notify` is"
        " told once, while it is still triggered.",
    )
    resolve_minutes: float | None = Field(
        None, gt=0, description="Target for the time to resolve, in minutes."
    )
    communications: Communications | None = Field(
        None,
        description="When updates are owed while an incident is open and not snoozed: a person's note,"
        " comment or status update. Not set: never. A late one is reminded of in the team's channel.",
    )
    approve: str | None = Field(
        None,
        description="E-mail address of the person who approves texts for customers; until their comment"
        " `approved` a text is only a draft.",
    )


def default_severities() -> dict[str, SeveritySection]:
    """Return the severities of a mapping that names none: by urgency, without a postmortem."""
    return {
        "SEV2": SeveritySection(pagerduty=("P1", "P2", "P3"), urgency="high", priority=("High",)),
        "SEV3": SeveritySection(pagerduty=("P4", "P5"), urgency="low", priority=("Low",)),
    }
