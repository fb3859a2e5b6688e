"""Seeded random histories of an incident, its postmortem and its action items, with the decisions of people.

A history names each kind of event that occurs in it, so that a run can show how often each was judged.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.duty import Duty, DutyKind, Waiver
from syncd.domain.mapping.mapping import Mapping
from syncd.verify.facts import (
    Correction,
    Decisions,
    IncidentFacts,
    IssueFacts,
    Leaving,
    People,
    RulesLoaded,
)
from syncd.verify.judge import judge
from verify.dice import TEAM, Dice, as_recorded, waivers
from verify.random_items import PlayedItem, random_item
from verify.random_merges import (
    Group,
    Source,
    count_merges,
    random_merges,
    random_sources,
    stages_beside,
)
from verify.random_states import random_severities, random_states, words
from verify.verify_cast import (
    AUTOMATIC,
    DONE,
    MONDAY,
    OPEN,
    SYNCD,
    Acts,
    at,
    incident,
    issue,
    mapping,
    members,
)

STARTS = (
    datetime(2026, 3, 27, 9, tzinfo=UTC),
    datetime(2026, 10, 23, 9, tzinfo=UTC),
    datetime(2026, 12, 22, 9, tzinfo=UTC),
    datetime(2026, 2, 26, 9, tzinfo=UTC),
    MONDAY,
)
"""Around both changes of clocks, the holidays, a month's end, and an ordinary Monday."""
ZONES = ("Europe/Berlin", "Asia/Singapore", "America/New_York", "UTC")
HOLIDAYS = [date(2026, 12, 25), date(2026, 4, 3), date(2026, 4, 6)]
TOGETHER = timedelta(hours=3)
"""Acts that are no further apart are seen by one look."""
END = timedelta(days=75)
"""The time after which everything is decided that the histories tell."""


@dataclass
class History:
    """One history; `seen` counts the kinds of events that occurred.

    `hidden` are the times in which Jira did not show an issue to syncd, by issue id. `sources` tell how the
    daemon found each item. The looks of a daemon that is often down are at `seldom`. `members` are the
    histories of the incidents that were merged into this one, each `into` it, and `earlier` the duties that
    its items had for them, once somebody asked.
    """

    facts: IncidentFacts
    people: People
    rules: Mapping
    waivers: tuple[Waiver, ...] = ()
    corrections: tuple[Correction, ...] = ()
    hidden: dict[str, tuple[datetime, datetime | None]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    often: tuple[datetime, ...] = ()
    seldom: tuple[datetime, ...] = ()
    members: tuple[History, ...] = ()
    into: str | None = None
    earlier: tuple[Duty, ...] | None = None

    @property
    def end(self) -> datetime:
        return self.facts.created_at + END

    @property
    def decisions(self) -> Decisions:
        return Decisions(
            rules=(RulesLoaded(at=at(-9000), mapping=self.rules),),
            waivers=self.waivers,
            corrections=self.corrections,
        )


def history(seed: int) -> History:
    """Return the history of a seed."""
    dice = Dice(seed)
    base = (dice.random.choice(STARTS) - MONDAY).total_seconds() / 3600 + dice.hours(0, 168)
    rules = mapping(
        zone=dice.random.choice(ZONES),
        holidays=HOLIDAYS,
        enforce_from=date(2026, 1, 1),
        postmortem={"mode": "enforce", "basis": "final" if dice.hit(0.2, "basis final") else "peak"},
    )
    leavers = _leavers(dice, base)
    states, signs = random_states(dice, base)
    role = dice.random.choice(("alone", "source", "source", "target", "target"))
    acts = as_recorded(_postmortem_acts(dice, base), dice.away)
    hidden = _hidden(dice, base)
    if hidden is not None and hidden[1] is None:
        acts = [act for act in acts if act[0] <= hidden[0]]
    items = [random_item(dice, base, number) for number in range(dice.random.choice([0, 1, 1, 2]))]
    gone_since = at(hidden[0]) if hidden is not None and hidden[1] is None else None
    facts = incident(
        words(states),
        created_at=at(base - 2),
        signs=tuple(at(sign) for sign in signs),
        severities=random_severities(dice, base),
        postmortem=issue(acts, created=base + 0.6, id="800", hidden_since=gone_since),
        merges=random_merges(dice, states) if role == "source" else (),
    )
    played = History(facts, People(automatic=AUTOMATIC, leavers=leavers), rules, seen=dice.seen)
    merged = random_sources(dice, base) if role == "target" else []
    gather(played, items, merged)
    played.seen += count_merges(played.facts, played.people, rules)
    played.hidden |= _times(hidden, [])
    played.waivers = (*_waivers(dice, base), *played.waivers)
    _correct(dice, played)
    _count_waivers(played)
    _count_days(played)
    _look(dice, played)
    return played


def gather(played: History, items: list[PlayedItem], sources: list[Source]) -> None:
    """Add the items, and the incidents that were merged into the played one, with theirs."""
    group = Group(played.rules, played.end)
    facts = group.with_sources(played.facts, sources)
    every = [(each, stages_beside(facts, each.facts) if facts.merges else ()) for each in items]
    # what became an item after the merge counts for the target alone
    every = [(each, stages) for each, stages in every if stages or not facts.merges]
    every += [entry for source in sources for entry in group.handed_over(facts, source)]
    staged = tuple(each.facts.model_copy(update={"stages": stages}) for each, stages in every)
    played.facts = facts.model_copy(update={"items": staged})
    played.sources = {each.facts.issue.id: each.source for each, _ in every}
    played.waivers = tuple(waiver for each, _ in every for waiver in each.waivers)
    played.hidden = _times(None, [each for each, _ in every])
    played.members = tuple(_member(played, group, source, facts.id) for source in sources)


def _member(target: History, group: Group, source: Source, into: str) -> History:
    """Return the history of a source; its items have the same stages as in the target's history."""
    facts = group.with_sources(source.facts, source.sources)
    items = tuple(
        item for item in target.facts.items if any(stage.incident.id == facts.id for stage in item.stages)
    )
    member = History(facts.model_copy(update={"items": items}), target.people, target.rules)
    member.into = into
    member.waivers, member.sources, member.hidden = target.waivers, target.sources, target.hidden
    member.members = tuple(_member(target, group, earlier, facts.id) for earlier in source.sources)
    return member


def _leavers(dice: Dice, base: float) -> dict[str, Leaving]:
    if not dice.hit(0.35, "somebody left"):
        return {}
    who, last = dice.random.choice(TEAM), base + dice.hours(1, 300)
    gone = last + dice.hours(0.5, 24)
    back = gone + dice.hours(1, 200) if dice.hit(0.4, "somebody came back") else None
    dice.away[who] = (last, back)
    return {who: Leaving(inactive_at=at(gone), back_at=at(back) if back is not None else None)}


def _postmortem_acts(dice: Dice, base: float) -> Acts:
    acts: Acts = []
    if dice.hit(0.7, "owner by rule"):
        acts.append((base + 0.7, SYNCD, "assignee", dice.person()))
        if dice.hit(0.3, "owner by rule who acts"):
            acts.append((base + dice.hours(1, 90), str(acts[0][3]), "comment", "on it"))
    if dice.hit(0.4, "owner by a person"):
        when = base + dice.hours(1, 70)
        acts.append((when, dice.person(when), "assignee", dice.person(when)))
    for _ in range(dice.random.randint(0, 3)):
        when = base + dice.hours(1, 130)
        by = dice.machine() if dice.hit(0.15, "review date by a robot") else dice.person(when)
        removed = dice.hit(0.15, "review date removed")
        far = dice.hit(0.15, "review date too far")
        day = None if removed else dice.day(when, 16 if far else 0, 30 if far else 12)
        acts.append((when, by, "duedate", day))
    if dice.hit(0.15, "owner removed"):
        when = base + dice.hours(1, 130)
        acts.append((when, dice.person(when), "assignee", None))
        if dice.hit(0.5, "owner removed and assigned again"):
            acts.append((when + dice.hours(0.05, 30), dice.person(when), "assignee", dice.person(when)))
    when = base + dice.hours(20, 500)
    if dice.hit(0.7, "completed"):
        by = dice.machine() if dice.hit(0.15, "completed by a robot") else dice.person(when)
        acts.append((when, by, "status", DONE))
        if dice.hit(0.2, "completed and opened again"):
            acts.append((when + dice.hours(0.5, 60), dice.person(), "status", OPEN))
    return acts


def _hidden(dice: Dice, base: float) -> tuple[float, float | None] | None:
    if not dice.hit(0.16):
        return None
    since = base + dice.hours(2, 300)
    if dice.hit(0.5, "postmortem out of sight for a while"):
        return since, since + dice.hours(2, 200)
    dice.seen["postmortem deleted"] += 1
    return since, None


def _times(
    hidden: tuple[float, float | None] | None, items: list[PlayedItem]
) -> dict[str, tuple[datetime, datetime | None]]:
    times = {each.facts.issue.id: each.hidden for each in items if each.hidden is not None}
    if hidden is not None:
        times["800"] = (at(hidden[0]), at(hidden[1]) if hidden[1] is not None else None)
    return times


def _waivers(dice: Dice, base: float) -> list[Waiver]:
    if not dice.hit(0.25, "postmortem waived"):
        return []
    return waivers(dice, base, base + 200, (None, DutyKind.SCHEDULED, DutyKind.COMPLETED))


def _correct(dice: Dice, played: History) -> None:
    """Have an approver take back a breach of a duty's latest clock."""
    if not dice.hit(0.3):
        return
    when = played.facts.created_at + timedelta(hours=dice.hours(60, 900))
    latest = {
        (duty.kind, duty.subject): duty for duty in judge(played.facts, played.people, played.decisions, when)
    }
    missed = [duty for duty in latest.values() if duty.verdict in ("breached", "met_late")]
    if not missed:
        return
    duty = dice.random.choice(missed)
    claimed = duty.due_at - timedelta(minutes=5) if dice.hit(0.3, "correction: met in time") else None
    dice.seen["correction"] += 1
    correction = Correction(kind=duty.kind, subject=duty.subject, clock=duty.clock, at=when, met_at=claimed)
    played.corrections = (correction,)


def _count_waivers(played: History) -> None:
    """Count how the duty stood of which each waiver was given."""
    for waiver in played.waivers:
        for duty in judge(played.facts, played.people, played.decisions, waiver.at):
            postmortem = waiver.duty is None and duty.kind in (DutyKind.SCHEDULED, DutyKind.COMPLETED)
            if (waiver.subject or played.facts.id) == duty.subject and (
                waiver.duty is duty.kind or postmortem
            ):
                after = {"breached": "after the deadline", "met": "after it was met"}
                words = after.get(str(duty.verdict), "before the deadline")
                played.seen[f"waived {words}"] += duty.verdict not in ("cancelled", "void", "met_late")


def _count_days(played: History) -> None:
    """Count what the calendar did while a duty's time ran."""
    zone = ZoneInfo(played.rules.zone)
    for duty in judge(played.facts, played.people, played.decisions, played.end):
        start, due = duty.started_at.astimezone(zone), duty.due_at.astimezone(zone)
        change = (due.utcoffset() or timedelta()) - (start.utcoffset() or timedelta())
        played.seen["clock over the change to summer time"] += change > timedelta()
        played.seen["clock over the change to winter time"] += change < timedelta()
        played.seen["clock over a month's end"] += start.month != due.month
        played.seen["clock begun on a weekend"] += start.weekday() >= 5
        played.seen["clock begun on a holiday"] += start.date() in HOLIDAYS


def _look(dice: Dice, played: History) -> None:
    """Choose the looks: of a daemon that sees each change and deadline, and of one that is often down."""
    acts = [state.at for state in played.facts.states]
    acts += [period.since for period in played.facts.severities]
    acts += _acts_of(played.facts.postmortem)
    for item in played.facts.items:
        acts += [item.became_at, *_acts_of(item.issue)]
    acts += [waiver.at for waiver in played.waivers] + [waiver.end for waiver in played.waivers]
    acts += [moment for times in played.hidden.values() for moment in times if moment is not None]
    for leaving in played.people.leavers.values():
        acts += [leaving.inactive_at] + ([leaving.back_at] if leaving.back_at is not None else [])
    acts += [merge.at for each in (played, *members(played)) for merge in each.facts.merges]
    acts += [source.until for source in played.facts.absorbed if source.until is not None]
    acts += [duty.due_at for duty in judge(played.facts, played.people, played.decisions, played.end)]
    looks = sorted({moment + timedelta(minutes=3) for moment in acts})
    # who looks at two acts at once sees what both changed
    apart = [look for look, later in zip(looks, [*looks[1:], None], strict=True) if _is_last(look, later)]
    played.often = tuple(look for look in apart if played.facts.created_at < look < played.end)
    played.seldom = tuple(look for look in played.often if dice.hit(0.3))
    played.seen["look after a change"] += len(played.often)
    played.seen["look missed in a downtime"] += len(played.often) - len(played.seldom)


def _is_last(look: datetime, later: datetime | None) -> bool:
    return later is None or later - look > TOGETHER


def _acts_of(issue: IssueFacts | None) -> list[datetime]:
    if issue is None:
        return []
    return [change.at for change in issue.changes] + [comment.created_at for comment in issue.comments]
