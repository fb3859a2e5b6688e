"""The input of the second judge, facts of both services and decisions of people, and its result.

Facts are what PagerDuty and Jira say happened, with their own times. Decisions are what people told syncd:
waivers, corrections, the rules that were loaded.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from syncd.domain.base import UtcTime, Value
from syncd.domain.duty import DutyKind, Waiver
from syncd.domain.history import Change, SeverityPeriod, StateChange
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.ticket import Account, Comment


class Verdict(StrEnum):
    """How a duty stands; a duty that is due soon is `pending` here."""

    PENDING = "pending"
    MET = "met"
    MET_LATE = "met_late"
    BREACHED = "breached"
    WAIVED = "waived"
    CANCELLED = "cancelled"
    VOID = "void"


class Leaving(Value):
    """The time in which syncd saw somebody's account inactive (UTC); `back_at` None: to this day."""

    inactive_at: UtcTime
    back_at: UtcTime | None = None


class People(Value):
    """The Jira accounts of one site: those that no person uses (ours, robots, apps), and those who left.

    syncd reads issue after issue, so it may see of each at another time that an owner has left.
    """

    automatic: frozenset[str] = frozenset()
    leavers: dict[str, Leaving] = Field(default_factory=dict)

    def of_issue(self, issue: IssueFacts) -> People:
        """Return the people as syncd saw them on an issue."""
        return self.model_copy(update={"leavers": {**self.leavers, **issue.leavers}})

    def is_person(self, account: Account | None) -> bool:
        """Return True if an act of the account is a person's act."""
        return account is not None and account.human is True and account.id not in self.automatic

    def owns(self, account_id: str | None, at: datetime) -> bool:
        """Return True if the account is a person's who had not left at a time.

        Jira does not tell when somebody left, so a leaver owns things until syncd saw the account inactive.
        """
        if account_id is None or account_id in self.automatic:
            return False
        leaving = self.leavers.get(account_id)
        if leaving is None or at < leaving.inactive_at:
            return True
        return leaving.back_at is not None and leaving.back_at <= at


class IssueFacts(Value):
    """An issue as it is now, with its whole changelog; `done_statuses` are the ids that mean it is done.

    `date` is its review date or due date, kept in the field `date_field`. `resolution` is a name, as
    `Change.after_words` has it. `status` and `assignee` are ids. `hidden_since` is when Jira stopped showing
    the issue to syncd, None while it shows it. `leavers` are those of its owners whom syncd saw to have left.
    """

    id: str
    created_at: UtcTime
    creator: Account | None = None
    status: str
    assignee: str | None = None
    date: str | None = None
    date_field: str = "duedate"
    labels: tuple[str, ...] = ()
    resolution: str | None = None
    changes: tuple[Change, ...] = ()
    comments: tuple[Comment, ...] = ()
    done_statuses: frozenset[str]
    hidden_since: UtcTime | None = None
    leavers: dict[str, Leaving] = Field(default_factory=dict)


class ItemFacts(Value):
    """An action item: since when it is one, and whether it still is one.

    `runbook` is True for the item on runbook and knowledge base, which syncd makes. `named_by` is the person
    whose row of the follow-up table named the owner, where syncd made the item of such a row. `left_at` is
    when its link or label was removed. `stages` are the incidents for which it counts, one after the other,
    where a merge handed it over; without any it counts for the incident that has it.
    """

    issue: IssueFacts
    became_at: UtcTime
    runbook: bool = False
    named_by: Account | None = None
    left_at: UtcTime | None = None
    stages: tuple[Stage, ...] = ()


class Stage(Value):
    """The time in which an action item counts for an incident, whose items are left out here (UTC)."""

    incident: IncidentFacts
    since: UtcTime
    until: UtcTime | None = None


class Merge(Value):
    """A merge of an incident into another; `claimed` is True where a mapping claims the other's service."""

    at: UtcTime
    into: str = ""
    claimed: bool = True


class Absorbed(Value):
    """An incident that was merged into this one, with the severity that counted for it.

    `owes` is True where it owed a postmortem by its own team's rules. `until` is when it was opened again.
    """

    at: UtcTime
    severity: str | None
    owes: bool = False
    until: UtcTime | None = None


class IncidentFacts(Value):
    """One incident: states and severities by PagerDuty's time, merges, its postmortem, its action items.

    `signs` are the times of new alerts and of people's notes; acknowledgements are among the states.
    `service_owes` is True where every incident of its service owes a postmortem. `exercise_at` is since when
    it is an exercise, if it is one.
    """

    id: str
    created_at: UtcTime
    states: tuple[StateChange, ...] = ()
    signs: tuple[UtcTime, ...] = ()
    severities: tuple[SeverityPeriod, ...] = ()
    service_owes: bool = False
    merges: tuple[Merge, ...] = ()
    absorbed: tuple[Absorbed, ...] = ()
    postmortem: IssueFacts | None = None
    exercise_at: UtcTime | None = None
    items: tuple[ItemFacts, ...] = ()


class Correction(Value):
    """An approver took back the breach of one clock; `met_at` is set where nothing more is owed."""

    kind: DutyKind
    subject: str
    clock: int = 1
    at: UtcTime
    met_at: UtcTime | None = None


class RulesLoaded(Value):
    """A mapping, and when it was loaded (UTC)."""

    at: UtcTime
    mapping: Mapping


class Decisions(Value):
    """The decisions of people about one incident; `rules` are in the order in which they were loaded."""

    rules: tuple[RulesLoaded, ...] = Field(min_length=1)
    waivers: tuple[Waiver, ...] = ()
    corrections: tuple[Correction, ...] = ()

    def rules_at(self, resolved_at: datetime) -> Mapping:
        """Return the rules for an incident resolved then: changed rules hold from when they were loaded."""
        mapping = self.rules[0].mapping
        for loaded in self.rules[1:]:
            if loaded.at <= resolved_at:
                mapping = loaded.mapping
        return mapping


class Judged(Value):
    """One clock of a duty with its verdict; `why` says in words what ended it, if something did."""

    kind: DutyKind
    subject: str
    clock: int
    started_at: UtcTime
    due_at: UtcTime
    verdict: Verdict
    met_at: UtcTime | None = None
    met_by: str | None = None
    why: str = ""
