"""Judge one incident: every duty of its postmortem and of its action items, with deadline and verdict.

The sources are the runbooks: "Schedule postmortem within 48 hours" (`runbooks/qrpay.md`, "Incident
Lifecycle"), "follow-up tasks are assigned and tracked to completion" ("Post-Incident Actions"), and "action
items with owners and dates" (`runbooks/ramen.md`, "Post-incident review").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from syncd.domain.duty import DutyKind, Waiver
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.verify.clocks import Duty, Start, clocks_of, moved
from syncd.verify.days import Calendar
from syncd.verify.facts import Correction, Decisions, IncidentFacts, ItemFacts, Judged, People, Stage
from syncd.verify.fulfilment import (
    Fulfilled,
    ScheduledRule,
    completions,
    day_in,
    done,
    not_done,
    owned,
    scheduled,
    while_open,
    written_at,
)
from syncd.verify.record import dates
from syncd.verify.spans import (
    Span,
    only_within,
    owing_spans,
    resolved_spans,
    severity_at,
    severity_turns,
)


def judge(facts: IncidentFacts, people: People, decisions: Decisions, now: datetime) -> list[Judged]:
    """Return every clock of every duty of an incident, as it stands at `now` (UTC)."""
    case = _Case(facts, people, decisions, now)
    judged = _postmortem(case)
    for item in facts.items:
        judged += _item(case, item)
    return judged


class _Case(NamedTuple):
    facts: IncidentFacts
    people: People
    decisions: Decisions
    now: datetime

    def rules(self, span: Span) -> Mapping:
        return self.decisions.rules_at(span.resolved_at)

    def spans(self, facts: IncidentFacts) -> list[Span]:
        """Return when an incident is over; one that was resolved before `enforce_from` owes nothing."""
        every = [span for span in resolved_spans(facts, self.now) if span.start <= self.now]
        return [span for span in every if span.resolved_at >= self.rules(span).enforced_since]

    def waivers(self, kind: DutyKind, subject: str | None) -> list[Waiver]:
        return [
            waiver
            for waiver in self.decisions.waivers
            if waiver.subject == subject and waiver.duty in (None, kind) and waiver.at <= self.now
        ]

    def corrections(self, kind: DutyKind, subject: str) -> list[Correction]:
        return [
            taken
            for taken in self.decisions.corrections
            if taken.kind is kind and taken.subject == subject and taken.at <= self.now
        ]


def _cut(spans: Sequence[Span], at: datetime, *, all_of_it: bool = True) -> list[Span]:
    """Return spans that a merge ends; after a reopening a merged incident counts on its own again.

    Unless `all_of_it`, what ran at the merge goes on.
    """
    parts = []
    for span in spans:
        # a merge resolves its source, and from then on the target's duties count
        if span.resolved_at == at:
            continue
        if not all_of_it or span.start >= at or (span.end is not None and span.end <= at):
            parts.append(span)
        else:
            parts += only_within([span], span.start, at, "merged")
    return parts


def _postmortem(case: _Case) -> list[Judged]:
    facts, issue = case.facts, case.facts.postmortem
    written = written_at(issue, case.people) if issue is not None else None
    spans = case.spans(facts)
    for merge in facts.merges:
        # where nobody judges the target, the source's duties go on
        if merge.claimed and merge.at <= case.now:
            # what a person already wrote is not cancelled
            spans = _cut(spans, merge.at, all_of_it=not (written and written <= merge.at))
    # an exercise owes no postmortem; what was missed before somebody said so stays missed
    if facts.exercise_at is not None and facts.exercise_at <= case.now:
        spans = [
            part for span in spans for part in only_within([span], span.start, facts.exercise_at, "exercise")
        ]
    spans = _by_rules(
        case,
        spans,
        lambda mapping: mapping.postmortem.mode is not Mode.OFF,
        lambda mapping, part: owing_spans(facts, mapping, part, case.now),
    )
    judged = []
    for kind in (DutyKind.SCHEDULED, DutyKind.COMPLETED):
        judged += clocks_of(_postmortem_duty(case, kind, spans), case.now)
    return judged


def _by_rules(
    case: _Case,
    spans: Iterable[Span],
    in_force: Callable[[Mapping], bool],
    owing: Callable[[Mapping, Sequence[Span]], Sequence[Span]],
) -> list[Span]:
    """Return what is owed of each span, under the rules of its own resolve."""
    return [part for span in spans if in_force(case.rules(span)) for part in owing(case.rules(span), [span])]


def _postmortem_duty(case: _Case, kind: DutyKind, spans: Sequence[Span]) -> Duty:
    issue, people = case.facts.postmortem, case.people

    def nominal(start: Start) -> datetime:
        rules = case.rules(start.span)
        if kind is DutyKind.SCHEDULED:
            return start.at + timedelta(hours=rules.postmortem.schedule_hours)
        return Calendar(rules).after_working_days(start.at, rules.postmortem.complete_days)

    def fulfilled(start: Start, due: datetime) -> Sequence[Fulfilled]:
        if issue is None:
            return []
        if kind is DutyKind.COMPLETED:
            return completions(issue, people)
        rules = case.rules(start.span)
        within = rules.postmortem.review_within_days
        # while a waiver moves the deadline, the days for the review count from its end
        waivers = case.waivers(kind, None)
        due = moved(due, [], waivers)
        begins = max([start.at, *(waiver.end for waiver in waivers if waiver.at <= due)])
        rule = ScheduledRule(Calendar(rules), start.resolved_at, begins, due, within)
        return scheduled(issue, people, rule)

    return Duty(
        kind=kind,
        subject=case.facts.id,
        spans=spans,
        first_due=nominal,
        due=lambda start, _, waived: waived(nominal(start)),
        fulfilled=fulfilled,
        # who takes over for somebody who left gets the whole time
        renews=frozenset({"left"} if kind is DutyKind.SCHEDULED else ()),
        lasting=kind is DutyKind.COMPLETED,
        waivers=case.waivers(kind, None),
        corrections=case.corrections(kind, case.facts.id),
        hidden_since=issue.hidden_since if issue else None,
    )


def _item(case: _Case, item: ItemFacts) -> list[Judged]:
    """Return the clocks of an item's duties that began while it counted for this incident."""
    stages = item.stages or (Stage(incident=case.facts, since=item.became_at),)
    spans = _by_rules(
        case,
        [span for stage in stages for span in _of_stage(case, stage)],
        lambda mapping: mapping.follow_ups.mode is not Mode.OFF,
        lambda _, part: only_within(part, item.became_at, item.left_at, "no action item any more"),
    )
    if item.left_at is not None:
        spans = [span._replace(leaves_at=min(span.leaves_at or item.left_at, item.left_at)) for span in spans]
    judged = [] if item.runbook else clocks_of(_owned_duty(case, item, spans), case.now)
    judged += clocks_of(_done_duty(case, item, spans), case.now)
    own = [stage for stage in stages if stage.incident.id == case.facts.id]
    return [clock for clock in judged if any(_lies_in(stage, clock.started_at) for stage in own)]


def _of_stage(case: _Case, stage: Stage) -> list[Span]:
    until = stage.until if stage.until is not None and stage.until <= case.now else None
    spans = case.spans(stage.incident)
    if until is not None:
        spans = _cut(spans, until)
    within = only_within(spans, stage.since, until, "merged")
    return [span._replace(incident=stage.incident, leaves_at=until) for span in within]


def _lies_in(stage: Stage, at: datetime) -> bool:
    return stage.since <= at and (stage.until is None or at < stage.until)


def _owned_duty(case: _Case, item: ItemFacts, spans: Sequence[Span]) -> Duty:
    def ends(span: Span) -> Sequence[Fulfilled]:
        return done(item, case.people, case.rules(span).follow_ups.wont_do)

    # what is done needs no owner
    parts = [
        part
        for span in spans
        for since, until in not_done(ends(span), item.issue.created_at)
        for part in only_within([span], since, until, "done")
    ]

    def nominal(start: Start) -> datetime:
        rules = case.rules(start.span)
        return Calendar(rules).after_working_hours(start.at, rules.follow_ups.owner_hours)

    return Duty(
        kind=DutyKind.OWNED,
        subject=item.issue.id,
        spans=parts,
        due=lambda start, _, waived: waived(nominal(start)),
        fulfilled=lambda start, _: while_open(owned(item, case.people), ends(start.span)),
        renews=frozenset({"left", "removed"}),
        waivers=case.waivers(DutyKind.OWNED, item.issue.id),
        corrections=case.corrections(DutyKind.OWNED, item.issue.id),
        hidden_since=item.issue.hidden_since,
    )


def _done_duty(case: _Case, item: ItemFacts, spans: Sequence[Span]) -> Duty:
    def fulfilled(start: Start, _: datetime) -> Sequence[Fulfilled]:
        return done(item, case.people, case.rules(start.span).follow_ups.wont_do)

    return Duty(
        kind=DutyKind.DONE,
        subject=item.issue.id,
        spans=spans,
        due=lambda start, times, waived: _due_of_item(case, item, start, times, waived),
        fulfilled=fulfilled,
        renews=frozenset({"removed"}),
        waivers=case.waivers(DutyKind.DONE, item.issue.id),
        corrections=case.corrections(DutyKind.DONE, item.issue.id),
        hidden_since=item.issue.hidden_since,
    )


def _due_of_item(
    case: _Case,
    item: ItemFacts,
    start: Start,
    times: Sequence[Fulfilled],
    waived: Callable[[datetime], datetime],
) -> datetime:
    """Return an item's deadline: the earlier of the owner's date and the severity's latest day.

    The date counts that stood when it passed, so a date that is moved after it was missed, or after the item
    was done, changes nothing.
    """
    rules = case.rules(start.span)
    calendar = Calendar(rules)
    entries = dates(item.issue)
    first_done = times[0].start if times else None
    incident = start.span.incident or case.facts
    turns = [entry.at for entry in entries] + severity_turns(incident, rules, case.now)
    steps = sorted({start.at, *(at for at in turns if at > start.at)})
    due = start.at
    for place, at in enumerate(steps):
        # the date and the severity as they stood from this step on
        hours_left = calendar.after_working_hours(at, rules.follow_ups.owner_hours)
        entry = [other for other in entries if other.at <= at]
        due = calendar.after_working_days(start.span.resolved_at, _days(incident, rules, at, case.now))
        day = day_in(entry[-1].value) if entry else None
        if day is not None:
            # a date that is over when it is set leaves a working day
            end = calendar.end_of(day)
            due = min(due, end if end > at else hours_left)
        if due <= at or (place == 0 and start.renewed):
            due = max(due, hours_left)
        due = waived(due)
        following = steps[place + 1] if place + 1 < len(steps) else None
        if following is None or due < following or (first_done is not None and first_done <= following):
            break
    return due


def _days(incident: IncidentFacts, rules: Mapping, at: datetime, now: datetime) -> int:
    """Return how many working days an item has by the severity of its incident at a time."""
    name = severity_at(incident, rules, at, now)
    section = rules.severities.get(name or "") or [*rules.severities.values()][-1]
    return section.follow_up_days
