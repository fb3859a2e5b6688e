"""The input and the output of the rules: a `Case` holds one incident's facts, a `Decision` what follows.

A `Case` is a value. Rules read the case and the rulebook and nothing else, so that a decision can be
replayed, printed and tested.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pydantic import Field

from syncd.domain.base import JsonValue, Reference, UtcTime, Value
from syncd.domain.clock import IN_STEP, ClockSkew
from syncd.domain.duty import Duty, DutyKind, Waiver
from syncd.domain.history import Change, Leave, SeverityPeriod, StateChange
from syncd.domain.incident import Incident, Note
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.operation import Operation
from syncd.domain.project import ResolvedProject
from syncd.domain.recurring import RecurringName, recurring_of
from syncd.domain.role import RoleFacts
from syncd.domain.ticket import Account, Issue


class MirrorPair(Value):
    """A note and a comment with the same text; `origin` is the side on which a person wrote.

    The hash of that side is of the text that syncd copied last, None if syncd does not have it.
    """

    origin: str
    note_id: str | None = None
    comment_id: str | None = None
    note_hash: str | None = None
    comment_hash: str | None = None


class ClosedBy(Value):
    """The last move of a ticket, by Jira's changelog: its time, its author, and the status before it.

    `before` is empty if nobody ever moved the ticket. `ours` means that syncd's account moved it, `robot`
    that an app, one of the team's robots or somebody whom Jira does not name did. `person` is set only for a
    ticket whose status syncd never set: the author was neither an app nor syncd's account. `updated` is
    Jira's time of the ticket as it was known when the changelog was read.
    """

    status: str
    before: str
    before_name: str = ""
    by: str | None = None
    person: bool = False
    ours: bool = False
    robot: bool = False
    at: UtcTime
    updated: str = ""

    def shows(self, issue: Issue) -> bool:
        """Return True if this is the last move of a ticket: one between two reads may leave its status."""
        return (self.status, self.updated) == (issue.status.id, issue.updated)


class IssueState(Value):
    """An issue of the incident as the ledger has it; `issue` is None until syncd has read it.

    `out_of_sight_since` is the time from which syncd could not see it any more. On the ledger's logical
    clock, `read_seq` is the start of its last read and `written_seq` the last confirmed write by syncd.
    `deleted_by` and `moved_by` are who deleted it, or moved it to another project, by Jira's event; empty if
    the event does not tell, None without an event.
    """

    incident_id: str = ""
    issue_id: str
    key: str
    project: str = ""
    issue: Issue | None = None
    read_seq: int = 0
    written_seq: int = 0
    out_of_sight_since: UtcTime | None = None
    deleted_by: str | None = None
    moved_by: str | None = None

    @property
    def in_sight(self) -> bool:
        """Return True if syncd could see the issue when it last looked."""
        return self.out_of_sight_since is None


class TicketState(IssueState):
    """The ticket of the incident as the ledger has it.

    `agreed` holds for each aspect (`state`, `summary`, …) the incident's value at the time when both sides
    last agreed. `placed_status` is the status to which syncd last moved the ticket. `changes` are the changes
    of its labels, complete up to `changes_until`, when it had the labels `labels_read`.
    """

    origin: str = "operation"
    agreed: dict[str, JsonValue] = Field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    changes_until: UtcTime | None = None
    labels_read: tuple[str, ...] | None = None
    placed_status: str | None = None
    refused: tuple[str, ...] = ()
    closed: ClosedBy | None = None
    created_at: UtcTime | None = None


class _DutyIssueState(IssueState):
    """A postmortem or an action item as the ledger has it.

    `changes` is its changelog, complete up to `changes_until`, which is None if syncd never read it. `leaves`
    are owners whose accounts syncd saw inactive, by account id.
    `rebuilt_for` is the birth of the ledger for which syncd rebuilt duties from the issue's comments.
    """

    changes: tuple[Change, ...] = ()
    changes_until: UtcTime | None = None
    leaves: dict[str, Leave] = Field(default_factory=dict)
    rebuilt_for: UtcTime | None = None


class PostmortemState(_DutyIssueState):
    """The postmortem of the incident; `follow_ups` are its table's rows as of `follow_ups_since`."""

    origin: str = "operation"
    agreed: dict[str, JsonValue] = Field(default_factory=dict)
    follow_ups: tuple[dict[str, JsonValue], ...] = ()
    follow_ups_since: UtcTime | None = None
    created_at: UtcTime | None = None


class ItemState(_DutyIssueState):
    """An action item of the incident; `source` says why it is one.

    It counts for the incident since `handed_over_at`, the merge of the incident for which it counted before;
    None without such a merge.
    The issue of a recurring duty is one, too: `incident_id` holds its ident.
    """

    source: str
    handed_over_at: UtcTime | None = None
    facts: dict[str, JsonValue] = Field(default_factory=dict)
    ended_at: UtcTime | None = None
    first_seen_at: UtcTime

    @property
    def recurring(self) -> RecurringName | None:
        """The recurring duty whose issue it is, None for an action item of an incident."""
        return recurring_of(self.incident_id)

    @property
    def usual_duty(self) -> DutyKind:
        """The duty that a waiver without a named duty means."""
        return DutyKind.DONE if self.recurring is None else DutyKind.HELD


DutyIssueState = PostmortemState | ItemState
"""An issue that carries a duty."""


class MergedSource(Value):
    """An incident that was merged into this one, with the severity that counted for it at its merge.

    `owes` is True if that asks for a postmortem. It counts from `merged_at` until it is opened again at
    `until` (UTC).
    """

    id: str
    number: int
    severity: str
    owes: bool
    merged_at: UtcTime
    until: UtcTime | None = None


class MergeTarget(Value):
    """The incident into which this one was merged; `claimed` is True if a mapping claims its service."""

    id: str
    number: int | None = None
    claimed: bool = True
    has_ticket: bool = False


class Case(Value):
    """All facts of one incident that a rule may read.

    The incident:

    - `now` is the moment of the decision (UTC). Without it, no rule waits.
    - `before_enforcement`: the incident was resolved before the mapping's `enforce_from`.
    - `restricted`: the case holds no title and no texts of people. `provisional`: a later judgement may still
      end that.
    - `restricted_since` is when syncd saw that it is restricted, None if it was at the first look.
    - `game_day` is the GameDay whose marker its title carries and in whose time it was triggered.
    - `state_changes` is None if syncd has not read the log since the incident's last change.
    - `severity_periods` are the severities that the incident had.
    - `merged_from` are the incidents that are merged into this one, `merged_sources` also those that were
      until they were opened again. `earlier_duties` are the duties that its action items had for sources.

    People:

    - `people` maps PagerDuty user ids to Jira accounts, None if no account is assignable. A user who is not
      in it was not looked up yet.
    - `service_owner` is the Jira account of the service's owner, None before the look-up (`owner_known`) or
      if no account is assignable.
    - `approvers` are the Jira accounts that may waive, None before the look-up. Only a label causes it.
    - `customer_approvers` are the Jira accounts of those who may have to approve texts for customers, by
      address, None for a person without an account; empty before the look-up. Only made texts cause it.
    - `addresses` are the addresses that syncd has of Jira accounts, by account id.
    - `roles`: what syncd read about the people of the incident (`syncd.policy.roles`).

    The record:

    - `status_updates` are the times of people's status updates, of which only PagerDuty's webhook tells;
      `hears_status_updates` is True once that webhook has told of one, of any incident.
    - `refused_looks` are the parts (`Decision.look`) that syncd cannot read now; no optional rule waits for
      them.
    - `once` holds the keys of all once-operations on record.
    - `attempted` holds, by aspect, the value of the latest write to the ticket if its outcome is unknown.
    - `unseen` holds the fields that syncd wrote and no read has shown (`ticket:P1 assignee`): True if the
      write had no effect, False while syncd waits for a read.
    - `channels` are the names of the chat channels to which syncd can post.
    - `sent` holds the mails and posts that left or may have left, by key, with the time; of merged
      incidents, too.
    - `non_items` are the neighbours of ticket and postmortem at which syncd has looked already.
    - `earlier` holds the values (JSON) that keys of the mapping had at the resolve, if they changed later;
      None means that the key did not exist.
    - `earlier_at` holds the same for each resolve (UTC) from which clocks count, if rules changed at all.
    - `switched` holds the moment (UTC) at which the mode of a section last changed, by the section's name.
    - `unread` are the ids of issues that syncd cannot read now; their duties stay as they are on record.
    - `rebuild` names the issues ("postmortem", "items") whose comments syncd must read first, because an
      earlier ledger was lost.
    - `skew`: by how much the services' clocks differ from ours, where that is more than two minutes.
    - `read_until`: both services were read up to then; a later deadline is not judged. None: up to `now`.
    """

    incident: Incident
    notes: tuple[Note, ...] | None = None
    ticket: TicketState | None = None
    pairs: tuple[MirrorPair, ...] = ()
    people: dict[str, Account | None] = Field(default_factory=dict)
    fallback: Account | None = None
    once: frozenset[str] = frozenset()
    before_enforcement: bool = False
    restricted: bool = False
    provisional: bool = False
    restricted_since: UtcTime | None = None
    game_day: str | None = None
    attempted: dict[str, JsonValue] = Field(default_factory=dict)
    unseen: dict[str, bool] = Field(default_factory=dict)
    now: UtcTime | None = None
    merged_into: MergeTarget | None = None
    merged_from: tuple[str, ...] = ()
    state_changes: tuple[StateChange, ...] | None = None
    severity_periods: tuple[SeverityPeriod, ...] = ()
    postmortem: PostmortemState | None = None
    items: tuple[ItemState, ...] = ()
    duties: tuple[Duty, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    skew: ClockSkew = IN_STEP
    merged_sources: tuple[MergedSource, ...] = ()
    earlier_duties: tuple[Duty, ...] = ()
    approvers: frozenset[str] | None = None
    customer_approvers: dict[str, Account | None] = Field(default_factory=dict)
    sent: dict[str, UtcTime] = Field(default_factory=dict)
    channels: frozenset[str] = frozenset()
    addresses: dict[str, str] = Field(default_factory=dict)
    earlier: dict[str, str | None] = Field(default_factory=dict)
    earlier_at: dict[UtcTime, dict[str, str | None]] = Field(default_factory=dict)
    switched: dict[str, UtcTime] = Field(default_factory=dict)
    non_items: frozenset[str] = frozenset()
    service_owner: Account | None = None
    owner_known: bool = False
    rebuild: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    read_until: UtcTime | None = None
    roles: RoleFacts = RoleFacts()
    status_updates: tuple[UtcTime, ...] = ()
    hears_status_updates: bool = False
    refused_looks: frozenset[str] = frozenset()

    def duty(self, kind: str, subject: str | None = None) -> Duty | None:
        """Return the duty of a kind with the latest clock; without a `subject`, that of the postmortem."""
        subject = subject or self.incident.id
        clocks = [duty for duty in self.duties if duty.kind == kind and duty.subject == subject]
        return max(clocks, key=lambda duty: duty.clock, default=None)

    def item(self, issue_id: str | None) -> ItemState | None:
        """Return the action item with this issue, None if the incident has none."""
        return next((item for item in self.items if item.issue_id == issue_id), None)

    def was_read(self, at: datetime) -> bool:
        """Return True if both services were read at this time (UTC) or later."""
        return self.read_until is None or self.read_until >= at

    @property
    def reopened_at(self) -> datetime | None:
        """Return when the incident was last reopened (UTC), None if it never was or the log is not read."""
        reopenings = (change.at for change in self.state_changes or () if change.kind == "reopened")
        return max(reopenings, default=None)

    @property
    def resolves(self) -> tuple[datetime, ...]:
        """Return when the incident was resolved (UTC), oldest first; nothing while the log is not read."""
        return tuple(change.at for change in self.state_changes or () if change.kind == "resolved")

    def latest_duties(self) -> tuple[Duty, ...]:
        """Return each duty with its latest clock: nobody can meet an earlier clock any more."""
        latest: dict[tuple[str, str], Duty] = {}
        for duty in sorted(self.duties, key=lambda duty: duty.clock):
            latest[duty.kind, duty.subject] = duty
        return tuple(latest.values())


class Rulebook(Value):
    """The mapping of the incident's team, its service's section, and the Jira project in ids."""

    mapping: Mapping
    section: ServiceSection
    project: ResolvedProject

    @classmethod
    def without_project(cls, mapping: Mapping, section: ServiceSection) -> Rulebook:
        """Return a rulebook for rules that do not look at the Jira project, which only the daemon knows."""
        kind = Reference(id="", name="")
        project = ResolvedProject(id="", key=mapping.jira.project, incident_type=kind, statuses={})
        return cls(mapping=mapping, section=section, project=project)


class Remark(Value):
    """An observation for the audit trail on which syncd does not act: the rule, the reason, and the person.

    `aspect` names the aspect of the ticket that is in conflict.
    """

    rule: str
    reason: str
    by: str | None = None
    aspect: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of a rule: the operations to record, and the changes that need no write to a service.

    - `agreed` holds the values that both sides agree on without a write.
    - `again` is the number of seconds after which time alone may change the answer.
    - `dry_run_notes` say what a rule in mode `report` would have done.
    - `noise_rule` names the noise rule that keeps the ticket back.
    - `duties` are the duties that differ from the case's.
    - `waivers` are the waivers that a label in Jira gave or ended.
    - `look` names the sources that syncd must read before it can decide: `log` (the incident's);
      `postmortem`, `items` or `ticket` (with their changelogs); `approvers`, `customer_approvers` or
      `owner` (Jira accounts).
      `hand_over`: its action items are judged up to its merge and count for the target from now on.
    - `facts` are stored with an action item, by issue id.

    Rules make a hundred of them for one case, from values that are checked already: so nothing is validated.
    """

    operations: tuple[Operation, ...] = ()
    agreed: dict[str, JsonValue] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
    again: float | None = None
    dry_run_notes: tuple[str, ...] = ()
    noise_rule: str | None = None
    duties: tuple[Duty, ...] = ()
    look: frozenset[str] = frozenset()
    waivers: tuple[Waiver, ...] = ()
    facts: dict[str, dict[str, JsonValue]] = field(default_factory=dict)

    def plus(self, other: Decision) -> Decision:
        """Return both decisions as one; of values for the same key, the other decision's wins."""
        # most rules have nothing to say about most cases
        if other == _NOTHING:
            return self
        return Decision(
            operations=self.operations + other.operations,
            agreed={**self.agreed, **other.agreed},
            remarks=self.remarks + other.remarks,
            again=min((after for after in (self.again, other.again) if after is not None), default=None),
            dry_run_notes=self.dry_run_notes + other.dry_run_notes,
            noise_rule=self.noise_rule or other.noise_rule,
            duties=self.duties + other.duties,
            look=self.look | other.look,
            waivers=self.waivers + other.waivers,
            facts=_merged(self.facts, other.facts),
        )


_NOTHING = Decision()


def _merged(
    facts: dict[str, dict[str, JsonValue]], others: dict[str, dict[str, JsonValue]]
) -> dict[str, dict[str, JsonValue]]:
    return {name: {**facts.get(name, {}), **others.get(name, {})} for name in {**facts, **others}}
