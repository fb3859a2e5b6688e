"""Have the first judge, the daemon's own rules, decide on a history, as often as a test wants it to look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from syncd.domain.base import JsonValue, Reference
from syncd.domain.duty import Duty, DutyState, Waiver, verdict_of
from syncd.domain.history import Leave, SeverityPeriod, StateChange
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
)
from syncd.policy.decide import judge_duties
from syncd.policy.follow_ups.membership import KNOWLEDGE
from syncd.policy.judged_people import judged_people
from syncd.policy.postmortem.merged_sources import Member, merged_sources
from syncd.verify.facts import Correction, IssueFacts, ItemFacts, Merge, Stage
from syncd.verify.record import assignees, at_time, dates, settings, statuses
from syncd.verify.spans import parted_at
from verify.histories import History
from verify.random_items import POSTMORTEM_KEY, TICKET_KEY
from verify.verify_cast import DONE, OPEN, account

STATUSES = {
    OPEN: Status(id=OPEN, name="To Do", category="new"),
    DONE: Status(id=DONE, name="Done", category="done"),
}
Handed = set[tuple[str, datetime | None]]
"""The items that were handed over, each with the start of the time in which it counted."""
WORDS = {"triggered": OPEN, "acknowledged": OPEN, "resolved": OPEN, "closed": DONE}


def looked(history: History, moments: Iterable[datetime]) -> tuple[list[Duty], list[Correction]]:
    """Return the duties on record after looks at these moments, and the corrections that were possible.

    An approver can only take back a breach that is on record: before each correction comes a look.
    """
    book = _book(history)
    handed: set[tuple[str, datetime | None]] = set()
    duties: dict[tuple[str, str, int], Duty] = {}
    facts: dict[str, dict[str, JsonValue]] = {}
    given: list[Correction] = []
    corrections = {correction.at: correction for correction in history.corrections}
    for now in sorted({*moments, *corrections}):
        case = _case(history, now, tuple(duties.values()), facts, handed)
        case, decision = judge_duties(judged_people(case, history.people.automatic), book)
        if decision.look == {"hand_over"}:
            handed |= {_place(item, history, now) for item in history.facts.items}
            duties = {duty.place: duty for duty in case.duties}
            case = _case(history, now, tuple(duties.values()), facts, handed)
            case, decision = judge_duties(judged_people(case, history.people.automatic), book)
        # without the log or a changelog there would be no verdict
        assert not decision.look, decision.look
        duties = {duty.place: duty for duty in case.duties}
        for issue_id, fresh in decision.facts.items():
            facts[issue_id] = {**facts.get(issue_id, {}), **fresh}
        if now in corrections:
            given += _correct(corrections[now], duties)
    return sorted(duties.values(), key=lambda duty: duty.place), given


def _correct(correction: Correction, duties: dict[tuple[str, str, int], Duty]) -> Iterator[Correction]:
    """Take back the breach of a duty's latest clock, as the ledger does, and yield it with that clock."""
    of_subject = (
        duty for place, duty in duties.items() if place[:2] == (correction.kind, correction.subject)
    )
    duty = max(of_subject, key=lambda duty: duty.clock, default=None)
    if duty is None or duty.breached_at is None:
        return
    corrected = {"corrected_at": correction.at, "claimed_met_at": correction.met_at, "corrected": "r"}
    duties[duty.place] = duty.model_copy(update={"state": DutyState.VOID, **corrected})
    yield correction.model_copy(update={"clock": duty.clock})


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


def _place(item: ItemFacts, history: History, now: datetime) -> tuple[str, datetime | None]:
    """Return an item with the start of the last time up to now in which it counted for the incident."""
    own = [stage.since for stage in item.stages if stage.incident.id == history.facts.id]
    return item.issue.id, max((since for since in own if since <= now), default=None)


def _counts(item: ItemFacts, history: History, now: datetime, handed: Handed) -> bool:
    """Return True if an item is the incident's on record: its own, until it was handed over."""
    if not item.stages:
        return item.became_at <= now
    place = _place(item, history, now)
    stage = next((stage for stage in item.stages if _is_at(stage, history, place[1])), None)
    if stage is None:
        return False
    return stage.until is None or now < stage.until or place not in handed


def _is_at(stage: Stage, history: History, since: datetime | None) -> bool:
    return stage.incident.id == history.facts.id and stage.since == since


def _earlier(history: History) -> tuple[Duty, ...]:
    """Return the duties that the items of a target had for its sources."""
    if history.earlier is None:
        history.earlier = ()
        for member in history.members:
            merged = member.facts.merges[0].at + timedelta(minutes=3)
            duties = [*_earlier(member), *looked(member, [merged])[0]]
            history.earlier += tuple(duty for duty in duties if not duty.of_postmortem)
    return history.earlier


def _members(history: History, now: datetime) -> Iterator[Member]:
    """Yield the incidents that were merged into an incident, and those merged into them."""
    for member in history.members:
        if member.facts.merges[0].at <= now:
            yield Member(
                incident=incident_as_read(member, now),
                into=history.facts.id,
                severity_periods=_periods(member, now),
                state_changes=_state_changes(member, now),
                mapping=member.rules,
                section=ServiceSection(name="Checkout"),
            )
            yield from _members(member, now)


def _case(
    history: History,
    now: datetime,
    duties: tuple[Duty, ...],
    facts: dict[str, dict[str, JsonValue]],
    handed: Handed,
) -> Case:
    """Return all that the daemon knows at a moment, with what is on record."""
    postmortem = history.facts.postmortem
    shown = postmortem is not None and postmortem.created_at <= now
    return Case(
        incident=incident_as_read(history, now),
        notes=(),
        ticket=TicketState(
            issue_id="700",
            key=TICKET_KEY,
            issue=Issue(
                id="700", key=TICKET_KEY, project="OPS", type_id="1", status=STATUSES[OPEN], comments=()
            ),
            created_at=history.facts.created_at,
        ),
        now=now,
        state_changes=_state_changes(history, now),
        severity_periods=_periods(history, now),
        merged_into=_target(history, now),
        merged_sources=merged_sources(history.facts.id, _members(history, now), now),
        earlier_duties=_earlier(history),
        postmortem=PostmortemState(
            key=POSTMORTEM_KEY,
            created_at=postmortem.created_at,
            **_as_seen(history, postmortem, now),
        )
        if postmortem is not None and shown
        else None,
        items=tuple(
            _item(history, item, now, facts.get(item.issue.id, {}))
            for item in history.facts.items
            if _counts(item, history, now, handed)
        ),
        duties=duties,
        waivers=tuple(_as_given(waiver, now) for waiver in history.waivers if waiver.at <= now),
        owner_known=True,
        approvers=frozenset(),
    )


def _state_changes(history: History, now: datetime) -> tuple[StateChange, ...]:
    facts = history.facts
    signs = [state.at for state in facts.states if state.kind == "acknowledged"] + [*facts.signs]
    worked_on = [StateChange(kind="worked_on", at=at) for at in signs]
    merged = {merge.at: _into(history, merge) for merge in facts.merges if merge.claimed}
    states = [
        state.model_copy(update={"merged_into": merged.pop(state.at, None)})
        if state.kind == "resolved"
        else state
        for state in facts.states
    ]
    # the log tells a merge of an incident that was resolved before as another resolve
    states += [StateChange(kind="resolved", at=at, merged_into=into) for at, into in merged.items()]
    # an acknowledgement that reopens an incident comes after the reopening
    every = sorted([*states, *worked_on], key=lambda state: (state.at, state.kind == "worked_on"))
    return tuple(state for state in every if state.at <= now)


def _into(history: History, merge: Merge) -> str:
    return history.into or f"PTARGET{merge.at:%d%H%M}"


def _merge(history: History, now: datetime) -> Merge | None:
    """Return the merge of an incident that is not over at a moment, None if there is none."""
    merges = [merge for merge in history.facts.merges if merge.at <= now]
    last = max(merges, key=lambda merge: merge.at, default=None)
    back = parted_at(history.facts, last) if last is not None else None
    return None if back is not None and back <= now else last


def _target(history: History, now: datetime) -> MergeTarget | None:
    merge = _merge(history, now)
    return MergeTarget(id=_into(history, merge), claimed=merge.claimed) if merge else None


def _periods(history: History, now: datetime) -> tuple[SeverityPeriod, ...]:
    return tuple(period for period in history.facts.severities if period.since <= now)


def incident_as_read(history: History, now: datetime) -> Incident:
    facts = history.facts
    states = [state for state in facts.states if state.at <= now]
    over = [state for state in states if state.kind in ("resolved", "reopened")]
    is_over = bool(over) and over[-1].kind == "resolved"
    target = _target(history, now)
    return Incident(
        id=facts.id,
        number=1,
        title="T",
        status=IncidentStatus.RESOLVED if is_over else IncidentStatus.TRIGGERED,
        service=Reference(id="S", name="Checkout"),
        created_at=facts.created_at,
        resolved_at=over[-1].at if is_over else None,
        status_changed_at=states[-1].at if states else facts.created_at,
        priority=_priority(history, now),
        merged_into=target.id if target is not None else None,
    )


def _item(history: History, item: ItemFacts, now: datetime, facts: dict[str, JsonValue]) -> ItemState:
    runbook: dict[str, JsonValue] = {KNOWLEDGE: True} if item.runbook else {}
    return ItemState(
        key=f"OPS-{item.issue.id}",
        source=history.sources[item.issue.id],
        first_seen_at=item.became_at,
        handed_over_at=_handed_over_at(history, item),
        facts={**facts, **runbook},
        **_as_seen(history, item.issue, now, parent="800"),
    )


def _handed_over_at(history: History, item: ItemFacts) -> datetime | None:
    own = [stage.since for stage in item.stages if stage.incident.id == history.facts.id]
    # an item that comes back to its own incident bears no mark of a merge
    return own[0] if own and item.stages[0].incident.id != history.facts.id else None


def _as_given(waiver: Waiver, now: datetime) -> Waiver:
    """Return a waiver as it was on record: nobody knows yet that it will be taken back."""
    later = waiver.ended_at is not None and waiver.ended_at > now
    return waiver.model_copy(update={"ended_at": None, "ended_by": None}) if later else waiver


def _as_seen(history: History, issue: IssueFacts, now: datetime, parent: str | None = None) -> dict[str, Any]:
    """Return an issue as the daemon has it: of one that Jira hides, what it read before."""
    since, until = history.hidden.get(issue.id, (now, now))
    hidden = since <= now and (until is None or now < until)
    read = since if hidden else now
    leaves = {
        account: Leave(
            after=leaving.inactive_at - timedelta(hours=1),
            by=leaving.inactive_at,
            back=leaving.back_at if leaving.back_at is not None and leaving.back_at <= read else None,
        )
        for account, leaving in history.people.leavers.items()
        if leaving.inactive_at <= read
    }
    return {
        "issue_id": issue.id,
        "issue": _issue(history, issue, read, parent),
        "changes": tuple(change for change in issue.changes if change.at <= read),
        "changes_until": read,
        "leaves": leaves,
        "out_of_sight_since": since if hidden else None,
    }


def _priority(history: History, now: datetime) -> Reference | None:
    name = [period.severity for period in history.facts.severities if period.since <= now][-1:]
    words = [word for severity in name for word in history.rules.severities[severity].pagerduty]
    return Reference(id=words[0], name=words[0]) if words else None


def _person(history: History, name: str | None, now: datetime) -> Account | None:
    if name is None:
        return None
    return account(name).model_copy(update={"active": history.people.owns(name, now)})


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
