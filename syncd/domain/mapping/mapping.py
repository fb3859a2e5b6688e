"""The types of a mapping: one team's rules, as `mappings/README.md` explains them key by key.

Only `team`, `enforce_from`, `jira.project` and `services` have no default. Reading the YAML, naming
lines and suggesting keys is `syncd.config`'s work; here stands what a mapping means. The description of
a field is what people read: the table of keys in `mappings/README.md` and the JSON Schema are both made
from it.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from syncd.domain.base import JsonValue, Value
from syncd.domain.mapping.after_incident import CloseGate, Closing, FollowUps, Mails, Postmortem, Report
from syncd.domain.mapping.value_types import Names, SomeNames, Text, ZoneName

STATUS_WORDS = ("triggered", "acknowledged", "resolved", "closed")


class Coexist(StrEnum):
    """What becomes of another tool that makes tickets of the same incidents."""

    OFF = "off"
    ADOPT = "adopt"


class Owner(StrEnum):
    """Whose word counts on a field after the create."""

    PAGERDUTY = "pagerduty"
    JIRA = "jira"
    NOBODY = "nobody"


class IssueTypes(Value):
    """Names of the issue types, most wanted first."""

    incident: SomeNames = Field(("Incident", "Bug", "Task"), description="What a ticket is.")
    postmortem: SomeNames = Field(("Postmortem", "Task"), description="What a postmortem is.")
    sub_task: SomeNames = Field(("Sub-task", "Subtask"), description="What a sub-task is.")


class Statuses(Value):
    """Which status of the project stands for which state of the incident, most wanted first."""

    triggered: SomeNames = Field(("To Do", "Open"), description="Nobody has acknowledged it yet.")
    acknowledged: SomeNames = Field(("In Progress",), description="Somebody is on it.")
    resolved: SomeNames = Field(
        ("In Review", "Resolved", "In Progress"), description="The incident is over, duties are owed."
    )
    closed: SomeNames = Field(("Done", "Closed"), description="Nothing is owed any more.")

    def names(self, word: str) -> tuple[str, ...]:
        """The wanted names of one of the four words."""
        names: tuple[str, ...] = getattr(self, word)
        return names


Way = Annotated[Names, Field(max_length=2)]
"""Statuses to pass through, in order: two at most, so that a move takes three steps at most."""


class Path(Value):
    """Where a workflow is strict: the statuses to pass through on the way to each of the four words."""

    triggered: Way = Field((), description="On the way to `triggered`.")
    acknowledged: Way = Field((), description="On the way to `acknowledged`.")
    resolved: Way = Field((), description="On the way to `resolved`.")
    closed: Way = Field((), description="On the way to `closed`.")

    def names(self, word: str) -> tuple[str, ...]:
        """The names on the way to one of the four words."""
        names: tuple[str, ...] = getattr(self, word)
        return names


class FieldValue(Value):
    """What a further field of the ticket is given: a constant or a template.

    Exactly one of `value`, `template` and `severity` is set. `severity: true` writes the severity's
    name and keeps it true afterwards. `required: false` lets a screen refuse the field.
    """

    value: JsonValue = Field(None, description="A constant, as Jira's REST API takes it.")
    template: str | None = Field(
        None, description="A template of one line, with the variables of `templates/README.md`."
    )
    severity: bool = Field(False, description="`true`: the severity's name, kept true afterwards.")
    required: bool = Field(
        False, description="`true`: a ticket without this field is not made; else a refused field is dropped."
    )


class FieldOwners(Value):
    """To whom a field belongs once the ticket is made.

    `pagerduty`: a change of the incident is carried over. `jira`: written at the create, then
    people's. `nobody`: carried over while nobody else touched it; when both sides changed, it is
    said once and left. An assignee whom a person chose always stays.
    """

    summary: Owner = Field(Owner.PAGERDUTY, description="The title.")
    priority: Owner = Field(Owner.PAGERDUTY, description="Jira's priority.")
    severity: Owner = Field(Owner.PAGERDUTY, description="Fields that hold the severity's name.")
    component: Owner = Field(Owner.PAGERDUTY, description="The service's component.")
    assignee: Owner = Field(
        Owner.PAGERDUTY, description="The responder; one whom a person chose in Jira always stays."
    )


class JiraSection(Value):
    """Where tickets live and how they look there."""

    project: str = Field(pattern=r"^[A-Z][A-Z0-9_]+$", description="Key of the Jira project.")
    issue_types: IssueTypes = Field(IssueTypes(), description="Names of issue types, most wanted first.")
    statuses: Statuses = Field(
        Statuses(), description="Which status stands for which state of the incident, most wanted first."
    )
    link_types: Names = Field(
        ("Duplicate", "Relates"),
        description="Link types for the ticket of a merged incident, most wanted first.",
    )
    path: Path = Field(
        Path(),
        description="Statuses to pass through in this order, at most two, where Jira offers no direct way and"
        " none was learned; without it, only the statuses of `statuses` are passed through.",
    )
    resolution: Names = Field(
        ("Done", "Fixed"),
        description="The resolution that a close sets where the transition's screen has one.",
    )
    fields: dict[Text, FieldValue] = Field(
        default_factory=dict,
        description="Further fields of the ticket, by name or id, written at the create and where a"
        " transition's screen demands them: exactly one of `value`, `template` and `severity` each.",
    )
    owners: FieldOwners = Field(
        FieldOwners(),
        description="Whose word counts on a field after the create: `pagerduty` (a change of the incident"
        " is carried over), `jira` (people's from then on) or `nobody` (carried over until both sides"
        " changed; then said once and left for good).",
    )
    labels: tuple[Text, ...] = Field((), description="Further labels of every ticket.")


class PlaybookSection(Value):
    """What to do on a service's incidents: the lines become a checklist on the ticket.

    A section with `title` is chosen where it matches. Where none matches, the ones without stand: they
    are the service's own, for every incident.
    """

    name: Text = Field(description="Heading of the checklist.")
    title: str | None = Field(
        None,
        description="A regular expression, searched in the incident's title without regard to case; the"
        " sections that match are shown, and where none matches, the ones without `title`.",
    )
    detect: tuple[Text, ...] = Field((), description="How to tell that this is the case.")
    actions: tuple[Text, ...] = Field((), description="What to do, step by step.")
    recovered_when: tuple[Text, ...] = Field((), description="What must hold before it is over.")
    root_causes: tuple[Text, ...] = Field(
        (), description="What may have brought it about: the questions on the root cause in the postmortem."
    )


class ServiceSection(Value):
    """One PagerDuty service: by id where given, else by the name that is the section's key."""

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
        None, description="Severity of the service's incidents where nobody said one; marked as assumed."
    )
    postmortem: bool = Field(
        False, description="`true`: every incident of the service owes a postmortem, whatever its severity."
    )
    commander: Text | None = Field(
        None,
        description="PagerDuty schedule, by name or id, of the incident commanders: who is on it at the"
        " resolve owns the postmortem.",
    )
    notify: Names = Field(
        (),
        description="E-mail addresses that hear beside a severity's `notify`, where the severity has one.",
    )


class SeveritySection(Value):
    """One severity, worst first in the file: how PagerDuty says it and what it is worth in Jira.

    `pagerduty` are names of PagerDuty priorities, `urgency` is taken where there is no priority and
    then marked *assumed*. `priority` are names of Jira priorities, most wanted first.
    """

    definition: str = Field("", description="What it means, for the ticket.")
    pagerduty: Names = Field((), description="PagerDuty priorities that say it.")
    words: Names = Field(
        (),
        description="Further words for it, in square brackets before a title (`[S1]`) or in the custom"
        " field; its own name always counts. Case makes no difference.",
    )
    urgency: Literal["high", "low"] | None = Field(
        None, description="The urgency that says it where nothing else does; marked as assumed."
    )
    priority: Names = Field((), description="Jira's priority, most wanted first.")
    postmortem: bool = Field(False, description="Whether it owes a postmortem.")
    restricted: bool = Field(
        False, description="`true`: its incidents are restricted; see `restricted` for what that means."
    )
    notify: Names = Field(
        (),
        description="E-mail addresses that are told at once when an incident first reaches the severity;"
        " `owner` is the owner of its service.",
    )
    overdue: Names = Field(
        (),
        description="E-mail addresses that are told once when a duty is overdue, `owner` for the service's"
        " owner; none: the service's owner and `people.process_owner`.",
    )
    follow_up_days: int = Field(
        60,
        ge=1,
        le=365,
        description="Working days after the resolve within which every action item is done at the latest.",
    )
    acknowledge_minutes: float | None = Field(
        None, gt=0, description="Target for the time to acknowledge, in minutes."
    )
    resolve_minutes: float | None = Field(
        None, gt=0, description="Target for the time to resolve, in minutes."
    )


class Restricted(Value):
    """Which incidents only a few may read, under which security level, and what is made without one.

    An incident is restricted from the moment that one of these rules, its severity or a person says so,
    and never becomes unrestricted again. A rule that is not given restricts nothing.
    """

    level: Names = Field(
        (),
        description="Jira's security level for restricted tickets, most wanted first; without one that our"
        " account may set, a ticket says no more than the incident's number.",
    )
    ordinary_levels: Names = Field(
        (),
        description="Security levels that every ticket of the project has anyway; any other level on a ticket"
        " makes its incident restricted.",
    )
    titles: tuple[Text, ...] = Field(
        (),
        description="Regular expressions; an incident is restricted where one is found in its title, without"
        " regard to case.",
    )
    incident_types: Names = Field((), description="PagerDuty incident types that are restricted.")
    services: Names = Field((), description="Names or ids of services whose incidents are all restricted.")
    project: str | None = Field(
        None,
        pattern=r"^[A-Z][A-Z0-9_]+$",
        description="Key of a Jira project that only a few may see, for tickets that cannot be put under the"
        " level; it has the same issue types and statuses.",
    )
    lead: str | None = Field(
        None,
        description="E-mail address of the security lead, who is told where the level is missing, and of"
        " restricted incidents whose severity has a `notify`.",
    )


class People(Value):
    """Who is who: addresses that differ between the services, and who takes what nobody can."""

    fallback: str | None = Field(
        None, description="E-mail address of who gets a ticket that no responder can be assigned to."
    )
    aliases: dict[str, str] = Field(
        default_factory=dict,
        description="Addresses that differ, as `address in PagerDuty: address in Jira`.",
    )
    process_owner: str | None = Field(
        None, description="E-mail address of who owns the incident process; hears of what nobody else takes."
    )
    approvers: Names = Field(
        (), description="E-mail addresses of those who may waive a duty with the label `waived` in Jira."
    )


class TwoWay(Value):
    """What travels from one side to the other beside the ticket itself."""

    notes: bool = Field(
        True,
        description="A note on the incident becomes a comment on the ticket; an edit rewrites it, and a"
        " deletion turns it into a word that says so.",
    )
    comments: bool = Field(
        True,
        description="A person's comment on the ticket becomes a note, which follows it in the same way as far"
        " as PagerDuty lets notes be edited.",
    )
    acknowledge: bool = Field(
        False,
        description="A person who moves the ticket to the status of `acknowledged` acknowledges the incident:"
        " it stops paging people, in the name of the user of `SYNCD_PAGERDUTY_FROM`. This key and the next"
        " two work only while no status stands for two states of incidents.",
    )
    resolve: bool = Field(
        False,
        description="A person who moves the ticket to the status of `resolved` or `closed` resolves the"
        " incident: nobody is paged for it any more, and what is owed after a resolve begins.",
    )
    reopen: bool = Field(
        False,
        description="A person who moves the ticket of a resolved incident back to the status of `triggered`"
        " or `acknowledged` opens the incident again: its escalation policy pages somebody.",
    )
    reassign: bool = Field(
        False,
        description="A person who gives the ticket to somebody else gives them the incident, if it is open"
        " and they have an address in PagerDuty: it pages them, and its escalation ends.",
    )
    priority: bool = Field(
        False,
        description="A person who changes the ticket's priority changes the incident's, where one severity"
        " stands for it: that changes the severity, which may send its notices and owe a postmortem.",
    )
    title: bool = Field(
        False,
        description="A person who changes the ticket's summary changes the incident's title, which everybody"
        " sees whom it pages from then on; never of a restricted incident.",
    )


class NoiseRule(Value):
    """Incidents that get no ticket: all conditions that are given must hold."""

    name: Text = Field(description="What the rule is called in reports and in `syncd status`.")
    services: Names = Field((), description="Names or ids of services; none: all of the team's.")
    title: str | None = Field(
        None, description="A regular expression, searched in the incident's title without regard to case."
    )
    urgency: Literal["high", "low"] | None = Field(None, description="Only incidents of this urgency.")
    resolved_within_minutes: float | None = Field(
        None,
        gt=0,
        le=1440,
        description="Only incidents of low urgency that are over within so many minutes without anybody's"
        " acknowledge; until then their ticket waits.",
    )


class Backfill(Value):
    """What is made for incidents that were over before the rules began."""

    tickets: Literal["open", "all"] = Field(
        "open",
        description="`open`: tickets for open incidents only; `all`: what was resolved before `enforce_from`"
        " and lies within `SYNCD_BACKFILL` gets one too, closed and with the label `syncd-backfill`, without"
        " note, comment, assignee or mail.",
    )


class Redact(Value):
    """Texts that are masked beside card numbers, tokens and keys: regular expressions by name."""

    patterns: dict[Text, str] = Field(
        default_factory=dict,
        description="Regular expressions by name; what matches is masked before it is stored or sent, as"
        " card numbers, tokens and private keys always are.",
    )


def default_severities() -> dict[str, SeveritySection]:
    """The severities of a mapping that names none: high and low by urgency, nothing owed."""
    return {
        "SEV2": SeveritySection(pagerduty=("P1", "P2", "P3"), urgency="high", priority=("High",)),
        "SEV3": SeveritySection(pagerduty=("P4", "P5"), urgency="low", priority=("Low",)),
    }


class Mapping(Value):
    """One team's mapping, as loaded; `version` is the hash of the file that it came from, `file` its name."""

    syncd: Literal[1] = Field(1, description="Version of this format; the first key of the file.")
    team: Text = Field(description="Name of the team.")
    enforce_from: dt.date = Field(
        description="The day (UTC) from which the rules hold; what was resolved before it is left in peace."
    )
    jira: JiraSection = Field(description="The Jira project of the tickets, and how they look there.")
    services: dict[Text, ServiceSection] = Field(
        min_length=1, description="The team's PagerDuty services by name; no two files may claim one."
    )
    severities: dict[Text, SeveritySection] = Field(
        default_factory=default_severities, min_length=1, description="Severities by name, worst first."
    )
    severity_field: Text | None = Field(
        None,
        description="Name of the PagerDuty custom field that says the severity where no priority does.",
    )
    links: dict[Text, str] = Field(
        default_factory=dict, description="Named links on every ticket of the team, as `name: URL`."
    )
    playbook: tuple[PlaybookSection, ...] = Field(
        (), description="As a service's `playbook`, for every service of the team; each needs a `title`."
    )
    people: People = Field(People(), description="Who is who where addresses do not say it.")
    two_way: TwoWay = Field(TwoWay(), description="What travels between the two sides beside the ticket.")
    redact: Redact = Field(Redact(), description="What is masked beside what always is.")
    restricted: Restricted = Field(
        Restricted(),
        description="Which incidents only a few may read: their title and texts stand in no other place than"
        " their ticket, and there only under a security level or in a project of their own.",
    )
    alerts: Literal["short", "full"] = Field(
        "short",
        description="What is copied of an alert, into the postmortem: `short` is summary, source and link;"
        " `full` its details, too, masked and on one line. The ticket says nothing of alerts.",
    )
    noise: tuple[NoiseRule, ...] = Field(
        (),
        description="Incidents that get no ticket, each rule with a `name`; never of a severity that owes a"
        " postmortem. They are recorded with the rule.",
    )
    coexist: Coexist = Field(
        Coexist.OFF,
        description="PagerDuty's own Jira app beside us: `off` makes our own ticket of each incident, and"
        " `syncd check` is red while the app is found; `adopt` waits 60 seconds for its ticket, takes it for"
        " ours and leaves its status to the app, and makes our own where none came.",
    )
    closing: Closing = Field(Closing(), description="Whether and when tickets close by themselves.")
    postmortem: Postmortem = Field(
        Postmortem(), description="The postmortem of incidents that owe one, and its two duties."
    )
    follow_ups: FollowUps = Field(FollowUps(), description="Action items: owners and dates.")
    close_gate: CloseGate = Field(
        CloseGate(),
        description="The gate: what happens when a person closes a ticket while something is owed.",
    )
    mails: Mails = Field(Mails(), description="E-mails beside the weekly report.")
    report: Report = Field(Report(), description="The weekly compliance report.")
    zone: ZoneName = Field("UTC", description="The team's time zone, as `Europe/Berlin`.")
    holidays: tuple[dt.date, ...] = Field((), description="Days that are no working days, beside weekends.")
    backfill: Backfill = Field(
        Backfill(), description="What is made for what was over before the rules began."
    )
    template: Text = Field("ticket.j2", description="The template of the ticket's description.")
    version: str = Field(default="", exclude=True)
    file: str = Field(default="", exclude=True)

    def service(self, service_id: str, name: str) -> ServiceSection | None:
        """The section of a PagerDuty service, by id first and by name else; None: not this team's."""
        for section in self.services.values():
            if section.id == service_id:
                return section
        section_by_name = self.services.get(name)
        return section_by_name if section_by_name and section_by_name.id in (None, service_id) else None

    def owes_postmortem(self, severity: str, section: ServiceSection) -> bool:
        """Whether an incident of this severity and service owes a postmortem."""
        return section.postmortem or self.severities[severity].postmortem

    def severity_named(self, word: str) -> str | None:
        """The severity that a word stands for, its own name or one of its `words`; None: no severity."""
        said = word.strip().casefold()
        for name, section in self.severities.items():
            if said in {name.casefold(), *(other.casefold() for other in section.words)}:
                return name
        return None
