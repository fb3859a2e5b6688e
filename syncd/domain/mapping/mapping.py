"""The types of a mapping: one team's rules. `mappings/README.md` explains every key.

Only `team`, `enforce_from`, `jira.project` and `services` have no default. `syncd.config` reads the YAML,
names the lines of errors and suggests keys; this module holds the meaning. The table of keys in
`mappings/README.md` and the JSON Schema are generated from the descriptions of the fields.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from pydantic import Field, field_validator

from syncd.domain.base import Reference, Value
from syncd.domain.mapping.after_incident import CloseGate, Closing, FollowUps, Mails, Postmortem, Report
from syncd.domain.mapping.chat import Chat
from syncd.domain.mapping.communications import StatusPage, TextSection
from syncd.domain.mapping.jira_section import JiraSection
from syncd.domain.mapping.recurring import Recurring
from syncd.domain.mapping.services import (
    Away,
    PlaybookSection,
    RoleSection,
    ServiceSection,
    SeveritySection,
    default_severities,
)
from syncd.domain.mapping.two_way import TwoWay
from syncd.domain.mapping.value_types import Names, Text, ZoneName
from syncd.domain.recurring import RecurringName
from syncd.domain.role import Role


class Coexist(StrEnum):
    """How syncd treats PagerDuty's own Jira app, which creates tickets of the same incidents."""

    OFF = "off"
    ADOPT = "adopt"


class RegulatoryClock(Value):
    """The time in which a restricted incident must be filed with a regulator; the section's key names it."""

    hours: float = Field(
        gt=0,
        le=2160,
        description="Hours from the trigger, or from when the incident became restricted if that is later;"
        " they run through nights and weekends.",
    )
    label: str = Field(
        pattern=r"^filed-[a-z0-9]+(-[a-z0-9]+)*$",
        description="The label that says on the ticket that it is filed; it begins with `filed-`. A comment"
        " that begins with the label, a colon and a reference says the same: `filed-gdpr: IC-2026-118`.",
    )


class Restricted(Value):
    """The incidents that only a few people may read, and the security level of their tickets.

    An incident is restricted as soon as one of these rules, its severity or a person says so, and it stays
    restricted for ever. A rule that the mapping omits restricts nothing.
    """

    level: Names = Field(
        (),
        description="Jira's security level for restricted tickets, most wanted first; if syncd's account"
        " may set none of them, a ticket shows only the incident's number.",
    )
    ordinary_levels: Names = Field(
        (),
        description="Security levels that ordinary tickets of the project have; any other level on a"
        " ticket makes its incident restricted.",
    )
    titles: tuple[Text, ...] = Field(
        (),
        description="Regular expressions; an incident is restricted if one matches its title. Case makes"
        " no difference. syncd looks at the first 1,000 characters.",
    )
    incident_types: Names = Field((), description="PagerDuty incident types that are restricted.")
    services: Names = Field((), description="Names or ids of services whose incidents are all restricted.")
    project: str | None = Field(
        None,
        pattern=r"^[A-Z][A-Z0-9_]+$",
        description="Key of a Jira project that only a few may see, for tickets that cannot be put under"
        " the level; it must have the same issue types and statuses.",
    )
    lead: str | None = Field(
        None,
        description="E-mail address of the security lead, who is told if the level is missing, and of"
        " restricted incidents whose severity has a `notify`.",
    )
    approve: str | None = Field(
        None,
        description="E-mail address of the person who approves texts for customers about restricted"
        " incidents; not set: the severity's `approve`, else `lead`.",
    )
    deputy: str | None = Field(
        None,
        description="E-mail address of the security lead's deputy, who gets the last reminder of a regulatory"
        " clock and hears of its breach; required with `clocks`.",
    )
    clocks: dict[Text, RegulatoryClock] = Field(
        default_factory=dict,
        description="Regulatory clocks by name. Naming one switches it on, whatever `mails.mode` is.",
    )
    playbook: Names = Field(
        (), description="Names of sections of the team's `playbook` that stand on each stub as a checklist."
    )


class People(Value):
    """The people of the team: addresses that differ between the services, the fallback, the approvers."""

    fallback: str | None = Field(
        None, description="E-mail address of the person who gets a ticket if no responder can be assigned."
    )
    aliases: dict[str, str] = Field(
        default_factory=dict,
        description="Addresses that differ, as `address in PagerDuty: address in Jira`.",
    )
    process_owner: str | None = Field(
        None,
        description="E-mail address of the owner of the incident process, who is told of breaches that"
        " nobody else takes.",
    )
    approvers: Names = Field(
        (),
        description="E-mail addresses of those who may waive duties and take breaches back, by command or"
        " with the label `waived` in Jira, never their own. Default: the process owner.",
    )
    away: dict[str, Away] = Field(
        default_factory=dict,
        description="Who is on leave, by e-mail address: until the last day, every mail to them but the"
        " weekly report goes to the deputy, too, also about what is still open from before.",
    )
    robots: Names = Field(
        (),
        description="Jira accounts that no person uses, besides apps and syncd's own: account ids (Data"
        " Center: user names) or e-mail addresses. What they do meets no duty and does not"
        " count as a person's act.",
    )

    @property
    def may_approve(self) -> tuple[str, ...]:
        """Return the addresses of those who may waive duties and take breaches back."""
        return tuple(self.approvers) or ((self.process_owner,) if self.process_owner else ())


class NoiseRule(Value):
    """A rule for incidents that get no ticket. All conditions that it names must hold."""

    name: Text = Field(description="Name of the rule in reports and in `syncd status`.")
    services: Names = Field((), description="Names or ids of services; not set: all of the team's.")
    title: str | None = Field(
        None, description="A regular expression, searched in the incident's title without regard to case."
    )
    urgency: Literal["high", "low"] | None = Field(None, description="Only incidents of this urgency.")
    resolved_within_minutes: float | None = Field(
        None,
        gt=0,
        le=1440,
        description="Only incidents of low urgency that are resolved within this many minutes without an"
        " acknowledgement; until then their ticket waits.",
    )


class Backfill(Value):
    """The tickets for incidents that were resolved before `enforce_from`."""

    tickets: Literal["open", "all"] = Field(
        "open",
        description="`open`: tickets for open incidents only; `all`: what was resolved before `enforce_from`"
        " and lies within `SYNCD_BACKFILL` gets one too, closed and with the label `syncd-backfill`, without"
        " note, comment, assignee or mail.",
    )


class Redact(Value):
    """Regular expressions for texts that syncd masks, in addition to card numbers, tokens and keys."""

    patterns: dict[Text, str] = Field(
        default_factory=dict,
        description="Regular expressions by name; what matches is masked before it is stored or sent, as"
        " card numbers, tokens and private keys always are.",
    )


class Mapping(Value):
    """One team's mapping as loaded; `version` is the hash of its file, `file` the file's name."""

    syncd: Literal[1] = Field(1, description="Version of this format; the first key of the file.")
    team: Text = Field(description="Name of the team.")
    enforce_from: dt.date = Field(
        description="The day (UTC) from which the rules hold; syncd does nothing about incidents that"
        " were resolved before; what an open incident reached before is listed, not mailed."
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
        description="Name of the PagerDuty custom field that holds the severity; used if no priority"
        " decides.",
    )
    roles: dict[Role, RoleSection] = Field(
        default_factory=dict,
        description="The roles of an incident, which its ticket shows, of `commander`, `communications_lead`,"
        " `expert`, `scribe`, `primary`, `secondary` and `escalation`. Who has one: whom a line such as"
        " `commander: Mei Tanaka` in a note or comment names, for the commander then who acknowledged first,"
        " else `schedule`, else `address`.",
    )
    links: dict[Text, str] = Field(
        default_factory=dict, description="Named links on every ticket of the team, as `name: URL`."
    )
    playbook: tuple[PlaybookSection, ...] = Field(
        (), description="As a service's `playbook`, for every service of the team; each needs a `title`."
    )
    people: People = Field(People(), description="People, where their addresses alone do not identify them.")
    two_way: TwoWay = Field(TwoWay(), description="What else syncd carries between the two sides.")
    redact: Redact = Field(Redact(), description="What is masked in addition to what is always masked.")
    restricted: Restricted = Field(
        Restricted(),
        description="Which incidents only a few may read: their title and texts are only on their ticket,"
        " and there only under a security level or in a separate project.",
    )
    alerts: Literal["short", "full"] = Field(
        "short",
        description="What is copied of an alert, into the postmortem: `short` is summary, source and link;"
        " `full` its details, too, masked and on one line. The ticket says nothing of alerts.",
    )
    noise: tuple[NoiseRule, ...] = Field(
        (),
        description="Incidents that get no ticket, each rule with a `name`; never of a severity that"
        " needs a postmortem. They are recorded with the rule.",
    )
    coexist: Coexist = Field(
        Coexist.OFF,
        description="PagerDuty's own Jira app beside us: `off` makes our own ticket of each incident, and"
        " `syncd check` is red while the app is found; `adopt` waits 60 seconds for its ticket, takes it for"
        " ours and leaves its status to the app, and makes our own where none came.",
    )
    closing: Closing = Field(Closing(), description="When tickets close by themselves.")
    postmortem: Postmortem = Field(
        Postmortem(), description="The postmortem of incidents that need one, and its two duties."
    )
    follow_ups: FollowUps = Field(FollowUps(), description="Action items: owners and dates.")
    close_gate: CloseGate = Field(
        CloseGate(),
        description="What happens when a person closes a ticket while duties are open.",
    )
    recurring: dict[Text, Recurring] = Field(
        default_factory=dict,
        description="GameDays and reviews by name: one Jira issue each period, and its deadline.",
    )
    mails: Mails = Field(Mails(), description="E-mails other than the weekly report.")
    chat: Chat = Field(Chat(), description="The team's chat channel.")
    texts: dict[Text, TextSection] = Field(
        default_factory=dict,
        description="Texts for the chat and for customers by name, which a person's line `update:` or"
        " `mitigation:` in a note or comment makes.",
    )
    status_page: StatusPage = Field(StatusPage(), description="The status page that customers read.")
    report: Report = Field(Report(), description="The weekly compliance report.")
    zone: ZoneName = Field("UTC", description="The team's time zone, as `Europe/Berlin`.")
    holidays: tuple[dt.date, ...] = Field((), description="Days off, in addition to weekends.")
    backfill: Backfill = Field(
        Backfill(), description="What syncd makes for incidents that were over before the rules began."
    )
    template: Text = Field("ticket.j2", description="The template of the ticket's description.")
    version: str = Field(default="", exclude=True)
    file: str = Field(default="", exclude=True)

    @field_validator("services")
    @classmethod
    def _name_sections(cls, services: dict[str, ServiceSection]) -> dict[str, ServiceSection]:
        """Tell each section the key under which it stands."""
        return {name: section.model_copy(update={"name": name}) for name, section in services.items()}

    @property
    def enforced_since(self) -> dt.datetime:
        """The time (UTC) from which the rules hold: the beginning of `enforce_from`."""
        return dt.datetime.combine(self.enforce_from, dt.time(), dt.UTC)

    def service(self, service: Reference) -> ServiceSection | None:
        """Return the section of a PagerDuty service, by id or else by name; None if it is not this team's."""
        claim = claim_of((self,), service)
        return claim[1] if claim else None

    def owes_postmortem(self, severity: str, section: ServiceSection) -> bool:
        """Return True if an incident of this severity and service owes a postmortem."""
        return section.postmortem or self.severities[severity].postmortem

    def roles_of(self, section: ServiceSection) -> dict[Role, RoleSection]:
        """Return the roles of a service's incidents, in the order of the mapping: the service's own win."""
        return {**self.roles, **section.roles}

    @property
    def customer_approvers(self) -> tuple[str, ...]:
        """Return the addresses of everybody who may have to approve a text for customers."""
        severities = (section.approve for section in self.severities.values())
        addresses = (self.restricted.approve, self.restricted.lead, *severities)
        return tuple(dict.fromkeys(address for address in addresses if address))

    @property
    def asks_for_postmortems(self) -> bool:
        """Return True if incidents of some severity or service owe a postmortem."""
        owing = [section.postmortem for section in self.severities.values()]
        return any((*owing, *(section.postmortem for section in self.services.values())))

    def severity_named(self, word: str) -> str | None:
        """Return the severity with this name or with this word among its `words`; None if there is none."""
        folded = word.strip().casefold()
        for name, section in self.severities.items():
            if folded in {name.casefold(), *(other.casefold() for other in section.words)}:
                return name
        return None


class UnusableMapping(Value):
    """A mapping file that cannot be used: its problems, and what it claims as far as that is known.

    `services` holds the ids of the file's services by name, none where no id is known.
    """

    file: str
    problems: tuple[str, ...]
    team: str | None = None
    services: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def whose(self) -> str:
        """The team, or the file where the team is not known."""
        return self.team or self.file

    def claims(self, service: Reference, *, by_id: bool) -> bool:
        """Return True if the file names a PagerDuty service, by its id or else by its name alone."""
        if by_id:
            return any(service.id in ids for ids in self.services.values())
        return self.services.get(service.name) == ()


def claim_of(mappings: Sequence[Mapping], service: Reference) -> tuple[Mapping, ServiceSection] | None:
    """Return the mapping and section that claim a PagerDuty service, None where no mapping does.

    An id in any mapping wins over a name in another, because two services can have the same name and people
    rename services.
    """
    by_name = None
    for mapping in mappings:
        for section in mapping.services.values():
            if service.id == section.id or service.id in section.ids:
                return mapping, section
        named = mapping.services.get(service.name)
        # A section with an id is that service alone, so another service of the same name does not match it.
        if by_name is None and named is not None and named.id is None and not named.ids:
            by_name = mapping, named
    return by_name


def mapping_of_recurring(mappings: Sequence[Mapping], name: RecurringName) -> Mapping | None:
    """Return the mapping of a recurring duty's team, None if no mapping is loaded for it.

    Where the team was renamed since, it is the only mapping that names the same duty.
    """
    own = mapping_of(mappings, name.team)
    heirs = [mapping for mapping in mappings if name.name in mapping.recurring]
    return own or (heirs[0] if len(heirs) == 1 else None)


def mapping_of(mappings: Sequence[Mapping], team: str | None) -> Mapping | None:
    """Return the mapping of a team, None if no mapping is loaded for it."""
    return next((mapping for mapping in mappings if mapping.team == team), None)
