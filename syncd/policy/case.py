"""All that is known of one incident, and what a rule may answer.

A `Case` is a value: rules read it and nothing else, so a decision can be replayed, printed and tested.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from typing import TypeVar

from pydantic import Field

from syncd.domain.base import JsonValue, UtcTime, Value
from syncd.domain.duty import Duty, Waiver
from syncd.domain.history import Change, SeverityPeriod, StateChange
from syncd.domain.incident import Incident, Note
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.operation import Operation
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Account, Comment, Issue


class MirrorPair(Value):
    """A note and a comment that say the same; `origin` is the side a person wrote on.

    The hash of that side is of the text that was copied last; None: nobody knows.
    """

    origin: str
    note_id: str | None = None
    comment_id: str | None = None
    note_hash: str | None = None
    comment_hash: str | None = None


class ClosedBy(Value):
    """Who moved a ticket to where it stands, and when, by Jira's changelog, and where it stood before.

    `before` is empty where nobody ever moved it. `person` says of a ticket that we never placed that it was
    neither an app nor our account. `ours`: our account did; `robot`: an app or one of the team's robots did.
    """

    status: str
    before: str
    before_name: str = ""
    by: str | None = None
    person: bool = False
    ours: bool = False
    robot: bool = False
    at: UtcTime


class IssueState(Value):
    """An issue of the incident, as the ledger knows it; `issue` is None until it was read.

    It is `out_of_sight_since` it could not be seen any more. `read_seq` is when its last read began and
    `written_seq` when a write of ours was confirmed last, on the ledger's logical clock.
    """

    incident_id: str = ""
    issue_id: str
    key: str
    project: str = ""
    issue: Issue | None = None
    read_seq: int = 0
    written_seq: int = 0
    out_of_sight_since: UtcTime | None = None

    @property
    def in_sight(self) -> bool:
        """Whether it could be seen when it was looked for last."""
        return self.out_of_sight_since is None


class TicketState(IssueState):
    """The ticket of the incident, as the ledger knows it.

    `agreed` holds for each aspect the incident's side when both sides last agreed (`state`, `summary`,
    ...). `placed_status` is the status where the daemon put it last.
    """

    origin: str = "operation"
    agreed: dict[str, JsonValue] = Field(default_factory=dict)
    placed_status: str | None = None
    refused: tuple[str, ...] = ()
    closed: ClosedBy | None = None
    created_at: UtcTime | None = None


class _DutyIssueState(IssueState):
    """A postmortem or an action item, as the ledger knows it.

    `changes` is its changelog, complete up to `changes_until`; None there: never read. `rebuilt_for` is the
    birth of the ledger for which its comments were asked what an earlier ledger knew.
    """

    changes: tuple[Change, ...] = ()
    changes_until: UtcTime | None = None
    rebuilt_for: UtcTime | None = None


class PostmortemState(_DutyIssueState):
    """The postmortem of the incident; `follow_ups` are its table's rows as of `follow_ups_since`."""

    origin: str = "operation"
    agreed: dict[str, JsonValue] = Field(default_factory=dict)
    follow_ups: tuple[dict[str, JsonValue], ...] = ()
    follow_ups_since: UtcTime | None = None
    created_at: UtcTime | None = None


class ItemState(_DutyIssueState):
    """An action item of the incident; `source` is how it became one."""

    source: str
    facts: dict[str, JsonValue] = Field(default_factory=dict)
    ended_at: UtcTime | None = None
    first_seen_at: UtcTime


DutyIssueState = PostmortemState | ItemState
"""An issue that carries a duty."""


class MergedSource(Value):
    """An incident that was merged into this one: its severity, and whether that owed a postmortem."""

    id: str
    number: int
    severity: str
    owes: bool
    merged_at: UtcTime


class MergeTarget(Value):
    """The incident that this one was merged into; `claimed` says whether a mapping claims its service."""

    id: str
    number: int | None = None
    claimed: bool = True
    has_ticket: bool = False


class Case(Value):
    """Everything a rule may look at.

    `people` maps PagerDuty user ids to Jira accounts, None where nobody assignable was found; a user
    who is missing was not looked up yet. `once` holds the keys of all once-operations on record.
    `now` is the moment of the decision; without
    it nothing waits. `merged_from` are the incidents that were merged into this one. What is `restricted`
    holds no title and no texts here either. `attempted` is, by aspect, what the latest write to the ticket
    would have made it show, where nobody knows whether it was carried out. `state_changes` are the incident's
    changes of state, None where its log was not read since the last; `severity_periods` the severities that
    it had. `skewed` says that our clock and a service's are too far apart to judge a deadline.
    `merged_sources` tells of those merged into it. `approvers` are the Jira accounts of who may waive, None
    where that was not looked up (it is when a label asks for it).
    `sent` are the mails that left or may have left, by key, with the moment; of merged incidents, too.
    `addresses` are those that are known of Jira accounts, by id. `non_items` are the issues beside ticket and
    postmortem that were looked at already; `service_owner` is the account of the service's owner, None where
    it was not looked up (`owner_known`) or nobody assignable was found. `earlier` are the values (JSON) that
    keys of the mapping had when the incident was resolved, as far as they were changed since; None: the key
    did not exist. `rebuild` names what has to be asked first for what an earlier ledger knew: "postmortem",
    "items".
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
    attempted: dict[str, JsonValue] = Field(default_factory=dict)
    now: UtcTime | None = None
    merged_into: MergeTarget | None = None
    merged_from: tuple[str, ...] = ()
    state_changes: tuple[StateChange, ...] | None = None
    severity_periods: tuple[SeverityPeriod, ...] = ()
    postmortem: PostmortemState | None = None
    items: tuple[ItemState, ...] = ()
    duties: tuple[Duty, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    skewed: bool = False
    merged_sources: tuple[MergedSource, ...] = ()
    approvers: frozenset[str] | None = None
    sent: dict[str, UtcTime] = Field(default_factory=dict)
    addresses: dict[str, str] = Field(default_factory=dict)
    earlier: dict[str, str | None] = Field(default_factory=dict)
    non_items: frozenset[str] = frozenset()
    service_owner: Account | None = None
    owner_known: bool = False
    rebuild: frozenset[str] = frozenset()

    def duty(self, kind: str, subject: str | None = None) -> Duty | None:
        """The duty of a kind with the latest clock; `subject` None: the incident's own."""
        wanted = subject or self.incident.id
        found = [one for one in self.duties if one.kind == kind and one.subject == wanted]
        return max(found, key=lambda one: one.clock, default=None)

    @property
    def reopened_at(self) -> datetime | None:
        """When the incident was reopened last, None where that is not known or it never was."""
        return max((one.at for one in self.state_changes or () if one.kind == "reopened"), default=None)

    def latest_duties(self) -> tuple[Duty, ...]:
        """The latest clock of each duty: of the others people have heard, and nobody is asked for them."""
        latest: dict[tuple[str, str], Duty] = {}
        for one in sorted(self.duties, key=lambda duty: duty.clock):
            latest[one.kind, one.subject] = one
        return tuple(latest.values())


def judged_people(case: Case, nobodies: Container[str]) -> Case:
    """Return the case in which these accounts are no persons': our own, and the team's robots.

    Every rule asks `Account.human` alone; this is the one place that says whose accounts are none.
    """
    ticket, postmortem, owner = case.ticket, case.postmortem, case.service_owner
    return case.model_copy(
        update={
            "service_owner": owner if owner is not None and owner.id not in nobodies else None,
            "ticket": _judged(ticket, nobodies) if ticket else None,
            "postmortem": _judged(postmortem, nobodies) if postmortem else None,
            "items": tuple(_judged(item, nobodies) for item in case.items),
        }
    )


State = TypeVar("State", bound=IssueState)


def _judged(state: State, nobodies: Container[str]) -> State:
    update: dict[str, object] = {}
    issue = state.issue
    if issue is not None:
        comments = issue.comments and tuple(_author_judged(comment, nobodies) for comment in issue.comments)
        assignee = _account_judged(issue.assignee, nobodies)
        update["issue"] = issue.model_copy(update={"comments": comments, "assignee": assignee})
    if isinstance(state, _DutyIssueState):
        update["changes"] = tuple(_author_judged(change, nobodies) for change in state.changes)
    return state.model_copy(update=update)


Act = TypeVar("Act", Comment, Change)


def _author_judged(act: Act, nobodies: Container[str]) -> Act:
    author = _account_judged(act.author, nobodies)
    return act if author is act.author else act.model_copy(update={"author": author})


def _account_judged(account: Account | None, nobodies: Container[str]) -> Account | None:
    if account is None or not account.human or account.id not in nobodies:
        return account
    return account.model_copy(update={"human": False})


class Rulebook(Value):
    """The mapping of the incident's team, its service's section, and the Jira project in ids."""

    mapping: Mapping
    section: ServiceSection
    project: ResolvedProject


class Remark(Value):
    """Something that was seen and left, for the audit trail: which rule, why, and whose act it was.

    `aspect` names what of the ticket is in conflict.
    """

    rule: str
    reason: str
    by: str | None = None
    aspect: str | None = None


class Decision(Value):
    """What ought to be done now, what is agreed without a write, what was left and why.

    `again` is in how many seconds the passing of time alone may change the answer. `dry_run_notes` says what
    a rule in mode `report` would have done. `noise_rule` names the noise rule that keeps the ticket back.
    `duties` are those that stand otherwise than the case has them. `look` names what has to be read before
    it can be decided: `log` (the incident's), `postmortem`, `items` or `ticket` (with their changelogs),
    `approvers` (their accounts). `waivers` were given or ended with a label in Jira.
    `owner` (who the service's owner is in Jira). `facts` is what is kept with an action item, by issue id.
    """

    operations: tuple[Operation, ...] = ()
    agreed: dict[str, JsonValue] = Field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
    again: float | None = None
    dry_run_notes: tuple[str, ...] = ()
    noise_rule: str | None = None
    duties: tuple[Duty, ...] = ()
    look: frozenset[str] = frozenset()
    waivers: tuple[Waiver, ...] = ()
    facts: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)

    def plus(self, other: Decision) -> Decision:
        """Both decisions as one."""
        return Decision(
            operations=self.operations + other.operations,
            agreed={**self.agreed, **other.agreed},
            remarks=self.remarks + other.remarks,
            again=min((one for one in (self.again, other.again) if one is not None), default=None),
            dry_run_notes=self.dry_run_notes + other.dry_run_notes,
            noise_rule=self.noise_rule or other.noise_rule,
            duties=self.duties + other.duties,
            look=self.look | other.look,
            waivers=self.waivers + other.waivers,
            facts=_merged(self.facts, other.facts),
        )


def _merged(
    some: dict[str, dict[str, JsonValue]], others: dict[str, dict[str, JsonValue]]
) -> dict[str, dict[str, JsonValue]]:
    return {name: {**some.get(name, {}), **others.get(name, {})} for name in {**some, **others}}
