"""Have the first judge, the daemon's own rules, decide on a history, as often as a test wants it to look."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from syncd.domain.base import Reference
from syncd.domain.duty import Duty, DutyState, verdict_of
from syncd.domain.history import Change, StateChange
from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.project import PostmortemFacts, ResolvedProject
from syncd.domain.ticket import Account, Comment, Issue, Status
from syncd.policy.case import (
    Case,
    ItemState,
    MergeTarget,
    PostmortemState,
    Rulebook,
    TicketState,
    judged_people,
)
from syncd.policy.decide import decide
from syncd.verify.facts import IssueFacts
from syncd.verify.record import assignees, at_time, dates, settings, statuses
from verify.histories import History
from verify.verify_cast import DONE, OPEN, account

STATUSES = {
    OPEN: Status(id=OPEN, name="To Do", category="new"),
    DONE: Status(id=DONE, name="Done", category="done"),
}
WORDS = {"triggered": OPEN, "acknowledged": OPEN, "resolved": OPEN, "closed": DONE}


def looked(history: History, moments: Iterable[datetime]) -> list[Duty]:
    """Return the duties on record after the first judge looked at these moments."""
    case: Case | None = None
    book = _book(history)
    for now in moments:
        before = case
        fresh = _case(history, now)
        if before is not None:
            items = [
                item.model_copy(update={"facts": old.facts})
                for item in fresh.items
                for old in [next((o for o in before.items if o.issue_id == item.issue_id), item)]
            ]
            fresh = fresh.model_copy(
                update={"duties": before.duties, "once": before.once, "items": tuple(items)}
            )
        decision = decide(judged_people(fresh, history.people.automatic), book)
        after = {duty.place: duty for duty in (*fresh.duties, *decision.duties)}
        items = [
            item.model_copy(update={"facts": {**item.facts, **decision.facts.get(item.issue_id, {})}})
            for item in fresh.items
        ]
        case = fresh.model_copy(
            update={
                "duties": tuple(after.values()),
                "once": fresh.once | {operation.key for operation in decision.operations},
                "items": tuple(items),
            }
        )
    duties = case.duties if case else ()
    return sorted(duties, key=lambda duty: duty.place)


def verdicts(duties: Iterable[Duty]) -> dict[tuple[str, str], list[tuple[str, datetime]]]:
    """Return verdict and deadline of each clock, by kind and subject."""
    by_subject: dict[tuple[str, str], list[tuple[str, datetime]]] = {}
    for duty in duties:
        word = verdict_of(duty.state, duty.breached_at)
        if word is not DutyState.NOT_REQUIRED:
            by_subject.setdefault((duty.kind, duty.subject), []).append((str(word), duty.due_at))
    return by_subject


def _book(history: History) -> Rulebook:
    status = {word: STATUSES[ident] for word, ident in WORDS.items()}
    project = ResolvedProject(
        id="1",
        key="OPS",
        incident_type=Reference(id="1", name="Incident"),
        statuses=status,
        postmortem=PostmortemFacts(type=Reference(id="2", name="Postmortem"), completed=(STATUSES[DONE],)),
        sub_task=Reference(id="3", name="Sub-task"),
    )
    section = ServiceSection(name="Checkout")
    return Rulebook(mapping=history.rules, section=section, project=project)


def _case(history: History, now: datetime) -> Case:
    facts = history.facts
    signs = [state.at for state in facts.states if state.kind == "acknowledged"] + [*facts.signs]
    worked_on = [StateChange(kind="worked_on", at=at) for at in signs]
    # an acknowledgement that reopens an incident comes after the reopening
    every = sorted([*facts.states, *worked_on], key=lambda state: (state.at, state.kind == "worked_on"))
    states = tuple(state for state in every if state.at <= now)
    over = [state for state in states if state.kind in ("resolved", "reopened")]
    is_over = bool(over) and over[-1].kind == "resolved"
    merged = facts.merged_at is not None and is_over and over[-1].at >= facts.merged_at
    incident = Incident(
        id=facts.id,
        number=1,
        title="T",
        status=IncidentStatus.RESOLVED if is_over else IncidentStatus.TRIGGERED,
        service=Reference(id="S", name="Checkout"),
        created_at=facts.created_at,
        resolved_at=over[-1].at if is_over else None,
        status_changed_at=states[-1].at if states else facts.created_at,
        priority=_priority(history, now),
        merged_into="PTARGET" if merged else None,
    )
    ticket = TicketState(
        issue_id="700",
        key="OPS-700",
        issue=Issue(id="700", key="OPS-700", project="OPS", type_id="1", status=STATUSES[OPEN], comments=()),
        created_at=facts.created_at,
    )
    postmortem = facts.postmortem
    return Case(
        incident=incident,
        notes=(),
        ticket=ticket,
        now=now,
        state_changes=states,
        severity_periods=tuple(period for period in facts.severities if period.since <= now),
        postmortem=PostmortemState(
            issue_id=postmortem.id,
            key="OPS-800",
            issue=_issue(history, postmortem, now),
            changes=_changes(postmortem, now),
            changes_until=now,
            created_at=postmortem.created_at,
        )
        if postmortem is not None and postmortem.created_at <= now
        else None,
        items=tuple(
            ItemState(
                issue_id=item.issue.id,
                key=f"OPS-{item.issue.id}",
                issue=_issue(history, item.issue, now, parent="800"),
                changes=_changes(item.issue, now),
                changes_until=now,
                source="sub-task of the postmortem",
                first_seen_at=item.became_at,
            )
            for item in facts.items
            if item.became_at <= now
        ),
        waivers=tuple(waiver for waiver in history.waivers if waiver.at <= now),
        owner_known=True,
        merged_into=MergeTarget(id="PTARGET", number=2, has_ticket=True) if merged else None,
        approvers=frozenset(),
    )


def _priority(history: History, now: datetime) -> Reference | None:
    name = [period.severity for period in history.facts.severities if period.since <= now][-1:]
    words = [word for severity in name for word in history.rules.severities[severity].pagerduty]
    return Reference(id=words[0], name=words[0]) if words else None


def _changes(issue: IssueFacts, now: datetime) -> tuple[Change, ...]:
    return tuple(change for change in issue.changes if change.at <= now)


def _person(history: History, name: str | None, now: datetime) -> Account | None:
    if name is None:
        return None
    leaving = history.people.leavers.get(name)
    return account(name).model_copy(update={"active": leaving is None or now < leaving.inactive_at})


def _issue(history: History, issue: IssueFacts, now: datetime, parent: str | None = None) -> Issue:
    owner, status = at_time(assignees(issue), now), at_time(statuses(issue), now)
    date = at_time(dates(issue), now)
    labels = at_time(settings(issue, "labels", " ".join(issue.labels), words=True), now)
    comments: tuple[Comment, ...] = tuple(c for c in issue.comments if c.created_at <= now)
    return Issue(
        id=issue.id,
        key=f"OPS-{issue.id}",
        project="OPS",
        type_id="2",
        status=STATUSES[(status.value if status else None) or OPEN],
        assignee=_person(history, owner.value if owner else None, now),
        due_date=date.value if date else None,
        labels=tuple((labels.value or "").split()) if labels else (),
        parent_id=parent,
        created_at=issue.created_at,
        comments=comments,
        updated=now.isoformat(),
    )
