"""What the tests of the two duties are played by: an incident, its postmortem's changelog, a ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from policy_cast import DONE, IN_PROGRESS, TO_DO, book, incident

from syncd.domain.base import Reference
from syncd.domain.clock import IN_STEP, ClockSkew
from syncd.domain.duty import Duty, DutyKind, Waiver
from syncd.domain.history import Change, Leave, SeverityPeriod, StateChange, StateChangeKind
from syncd.domain.ticket import Account, Comment, Issue, Mark, Status
from syncd.policy.case import Case, Decision, MergedSource, MergeTarget, PostmortemState, Rulebook
from syncd.policy.decide import with_duties
from syncd.policy.postmortem.duties import decide_duties

RESOLVED = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
"""A Monday."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
DUE = RESOLVED + 48 * HOUR
COMPLETED_DUE = datetime(2026, 12, 8, tzinfo=UTC)
"""The end of the 10th working day."""

OLA = Account(id="acc-ola", name="Ola")
PIA = Account(id="acc-pia", name="Pia")
ROBOT = Account(id="acc-robot", name="Automation", human=False)
US = Account(id="acc-us", name="syncd")
APPROVER = Account(id="acc-boss", name="The boss")


def rules(**changes: Any) -> Rulebook:
    """QRPay's rulebook, its postmortem enforced."""
    section = {"mode": "enforce", **changes.pop("postmortem", {})}
    return book(postmortem=section, **changes)


@dataclass
class Life:
    """An incident and its postmortem as the world has them; `at` builds what a daemon knows at a moment."""

    book: Rulebook = field(default_factory=rules)
    created: datetime = RESOLVED - 2 * HOUR
    state_changes: list[StateChange] = field(default_factory=list)
    severity_periods: list[SeverityPeriod] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    waivers: list[Waiver] = field(default_factory=list)
    merged_sources: list[MergedSource] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    duties: tuple[Duty, ...] = ()
    postmortem: bool = True
    origin: str = "operation"
    owner_at_first: Account | None = OLA
    owner_active: bool = True
    leaves: dict[str, Leave] = field(default_factory=dict)
    date_at_first: str | None = None
    labels: tuple[str, ...] = ()
    gone_since: datetime | None = None
    skew: ClockSkew = IN_STEP
    read_until: datetime | None = None
    merged_into: MergeTarget | None = None
    priority: str = "P3"
    agreed: dict[str, Any] = field(default_factory=dict)
    once: frozenset[str] = frozenset()
    restricted: bool = False
    approvers: frozenset[str] | None = frozenset({APPROVER.id})

    def __post_init__(self) -> None:
        self.state_changes.append(StateChange(kind="triggered", at=self.created))
        if not self.severity_periods:
            self.severity_periods.append(SeverityPeriod(severity="SEV2", since=self.created))

    def state_change(self, kind: StateChangeKind, at: datetime) -> Life:
        self.state_changes.append(StateChange(kind=kind, at=at))
        return self

    def resolve(self, at: datetime = RESOLVED) -> Life:
        return self.state_change("resolved", at)

    def merge(self, at: datetime) -> Life:
        """Somebody merges the incident into P9, which resolves it."""
        self.state_changes.append(StateChange(kind="resolved", at=at, merged_into="P9"))
        return self

    def reopen(self, at: datetime, *, meant: bool = True) -> Life:
        self.state_change("reopened", at)
        return self.state_change("worked_on", at) if meant else self

    def severity(self, name: str, since: datetime) -> Life:
        self.severity_periods.append(SeverityPeriod(severity=name, since=since))
        self.priority = {"SEV0": "P1", "SEV1": "P2", "SEV2": "P3", "SEV3": "P4"}[name]
        return self

    def change(
        self, field: str, at: datetime, after: str | None, by: Account | None = OLA, **more: Any
    ) -> Life:
        """Somebody changed a field of the postmortem."""
        before = more.pop("before", None) or self._last(field, at)
        self.changes.append(Change(at=at, author=by, field=field, before=before, after=after, **more))
        self.changes.sort(key=lambda change: change.at)
        return self

    def review(self, at: datetime, day: str | None = "2026-11-30", by: Account | None = OLA) -> Life:
        return self.change("duedate", at, day, by)

    def assign(self, at: datetime, to: Account | None, by: Account | None = OLA) -> Life:
        return self.change("assignee", at, to.id if to else None, by)

    def move(self, at: datetime, to: Status, by: Account | None = OLA) -> Life:
        return self.change("status", at, to.id, by, after_words=to.name)

    def waive(self, at: datetime, until: datetime, duty: DutyKind | None = None) -> Life:
        self.waivers.append(Waiver(duty=duty, until=until, reason="holidays", by="Pia", at=at))
        return self

    def _last(self, field: str, at: datetime) -> str | None:
        earlier = [change for change in self.changes if change.field == field and change.at <= at]
        if earlier:
            return earlier[-1].after
        first = {"assignee": self.owner_at_first.id if self.owner_at_first else None, "status": TO_DO.id}
        return first.get(field, self.date_at_first if field == "duedate" else None)

    def case(self, now: datetime) -> Case:
        """All that is known at a moment, everything read just then (or up to `read_until`)."""
        state_changes = [change for change in self.state_changes if change.at <= now]
        over = state_changes[-1].kind == "resolved"
        merged_into = self.merged_into
        if over and state_changes[-1].merged_into is not None:
            merged_into = MergeTarget(id=state_changes[-1].merged_into, number=99)
        happened = incident(
            status="resolved" if over else "triggered",
            created_at=self.created,
            resolved_at=state_changes[-1].at if over else None,
            updated_at=state_changes[-1].at,
            priority=Reference(id="PRIO", name=self.priority),
            merged_into=merged_into.id if merged_into else None,
        )
        return Case(
            incident=happened,
            now=now,
            state_changes=tuple(state_changes),
            severity_periods=tuple(period for period in self.severity_periods if period.since <= now),
            postmortem=self._postmortem_or_item(now) if self.postmortem else None,
            duties=self.duties,
            waivers=tuple(self._known(waiver, now) for waiver in self.waivers if waiver.at <= now),
            merged_sources=tuple(source for source in self.merged_sources if source.merged_at <= now),
            merged_into=merged_into,
            skew=self.skew,
            once=self.once,
            restricted=self.restricted,
            approvers=self.approvers,
        )

    def _known(self, waiver: Waiver, now: datetime) -> Waiver:
        taken_back = waiver.ended_at is not None and waiver.ended_at <= now
        return waiver if taken_back else waiver.model_copy(update={"ended_at": None})

    def _postmortem_or_item(self, now: datetime) -> PostmortemState:
        until = self.read_until or now
        seen = tuple(change for change in self.changes if change.at <= until)
        owner = next((change.after for change in reversed(seen) if change.field == "assignee"), None)
        if not any(change.field == "assignee" for change in seen):
            owner = self.owner_at_first.id if self.owner_at_first else None
        day = next(
            (change.after for change in reversed(seen) if change.field == "duedate"), self.date_at_first
        )
        stood = next((change.after for change in reversed(seen) if change.field == "status"), TO_DO.id)
        issue = Issue(
            id="20001",
            key="OPS-9",
            project="OPS",
            type_id="200",
            status=next(status for status in (TO_DO, IN_PROGRESS, DONE) if status.id == stood),
            assignee=Account(id=owner, active=self.owner_active) if owner else None,
            due_date=day,
            labels=self.labels,
            created_at=RESOLVED + HOUR / 2,
            comments=tuple(comment for comment in self.comments if comment.created_at <= until),
        )
        return PostmortemState(
            issue_id="20001",
            key="OPS-9",
            origin=self.origin,
            agreed=self.agreed,
            issue=issue,
            changes=seen,
            changes_until=until,
            leaves={account: leave for account, leave in self.leaves.items() if leave.by <= now},
            out_of_sight_since=self.gone_since if self.gone_since and self.gone_since <= now else None,
        )

    def decide(self, now: datetime) -> Decision:
        """What is decided at a moment, and kept."""
        case = self.case(now)
        decision = decide_duties(case, self.book)
        self.duties = with_duties(case, decision.duties).duties
        kept = {(waiver.source, waiver.at): waiver for waiver in (*self.waivers, *decision.waivers)}
        self.waivers = list(kept.values())
        return decision

    def state(self, now: datetime, kind: DutyKind = DutyKind.SCHEDULED) -> str | None:
        """How the latest clock of a duty stands after a decision at a moment."""
        duty = self.duty(now, kind)
        return str(duty.state) if duty else None

    def duty(self, now: datetime, kind: DutyKind = DutyKind.SCHEDULED) -> Duty | None:
        self.decide(now)
        return self.case(now).duty(kind)

    def all(self, kind: DutyKind = DutyKind.SCHEDULED) -> list[tuple[int, str]]:
        """Every clock of a duty with its state."""
        return [(duty.clock, str(duty.state)) for duty in self.duties if duty.kind == kind]


def ours(body: str, at: datetime) -> Comment:
    """A comment of the daemon's."""
    mark = Mark(op="ab", kind="comment_on_postmortem", incident="P1", instance="x")
    return Comment(id=f"C{at.timestamp():.0f}", author=US, body=body, created_at=at, mark=mark)


def theirs(body: str, at: datetime, by: Account | None = APPROVER) -> Comment:
    """A person's comment."""
    return Comment(id=f"C{at.timestamp():.0f}", author=by, body=body, created_at=at)
