"""Random merges: of the played incident into another, and of others into it, alone and in chains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from syncd.domain.mapping.mapping import Mapping
from syncd.verify.facts import (
    Absorbed,
    Decisions,
    IncidentFacts,
    ItemFacts,
    Merge,
    People,
    RulesLoaded,
    Stage,
)
from syncd.verify.fulfilment import written_at
from syncd.verify.judge import judge
from syncd.verify.spans import absorbed, parted_at
from verify.dice import Dice
from verify.random_items import PlayedItem, random_item
from verify.random_states import States, random_severities, words
from verify.verify_cast import at, incident, issue


@dataclass
class Source:
    """An incident that was merged into another, with its items and the incidents that were merged into it."""

    facts: IncidentFacts
    items: list[PlayedItem] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)

    @property
    def merge(self) -> Merge:
        return self.facts.merges[0]


Way = tuple[tuple[IncidentFacts, Merge], ...]
"""The merges that lead from a source to a target, each with the incident that was merged."""


def random_merges(dice: Dice, states: States) -> tuple[Merge, ...]:
    """Return up to two merges of an incident with these states into others."""
    resolves = [place for place, (kind, _) in enumerate(states) if kind == "resolved"]
    chosen = sorted(dice.random.sample(resolves, min(len(resolves), 2 if dice.hit(0.6) else 1)))
    merges = []
    for place in chosen:
        _, resolved = states[place]
        following = states[place + 1][1] if place + 1 < len(states) else None
        when = resolved
        if dice.hit(0.65, "merged after it was resolved"):
            when = dice.random.uniform(resolved, following or resolved + 150)
        else:
            dice.seen["merged while it was open"] += 1
        claimed = dice.hit(0.7, "merged into an incident of a mapping")
        dice.seen["merged into an incident of no mapping"] += not claimed
        dice.seen["source reopened after its merge"] += following is not None
        merges.append(Merge(at=at(when), claimed=claimed))
    dice.seen["merged a second time"] += len(merges) - 1
    return tuple(merges)


def stages_beside(facts: IncidentFacts, item: ItemFacts) -> tuple[Stage, ...]:
    """Return the times in which an item counts for its own incident, which merges hand over and get back."""
    since, stages = item.became_at, []
    for merge in sorted(facts.merges, key=lambda merge: merge.at):
        if not merge.claimed:
            continue
        if since < merge.at:
            stages.append(Stage(incident=facts, since=since, until=merge.at))
        back = parted_at(facts, merge)
        if back is None:
            return tuple(stages)
        since = max(since, back)
    return (*stages, Stage(incident=facts, since=since))


def random_sources(dice: Dice, base: float) -> list[Source]:
    """Return the incidents that are merged into one that was first resolved at `base`."""
    sources = [_source(dice, base + dice.hours(-1.8, 150), 5)]
    if dice.hit(0.3, "two sources of one target"):
        sources.append(_source(dice, base + dice.hours(-1.8, 150), 6))
    if dice.hit(0.75, "chain of merges"):
        first = sources[0]
        merge = first.merge
        created = (first.facts.created_at - at(0)).total_seconds() / 3600
        when = dice.random.uniform(created + 0.1, (merge.at - at(0)).total_seconds() / 3600)
        first.sources.append(_source(dice, when, 7))
        if parted_at(first.facts, merge) is not None:
            # its items would come back with it
            first.sources[0].items = []
    return sources


def _source(dice: Dice, merged: float, number: int) -> Source:
    states: States = [("resolved", merged)]
    if dice.hit(0.75, "source resolved before its merge"):
        states = [("resolved", merged - dice.hours(1, 150))]
        if dice.hit(0.4, "source open again when it was merged"):
            reopened = dice.random.uniform(states[0][1], merged)
            states += [("reopened", reopened), ("acknowledged", reopened + 0.01), ("resolved", merged)]
    first = states[0][1]
    parted = dice.hit(0.2, "source parted from its target")
    if parted:
        again = merged + dice.hours(0.1, 200)
        states += [
            ("reopened", again),
            ("acknowledged", again + 0.01),
            ("resolved", again + dice.hours(1, 20)),
        ]
    facts = incident(
        words(states),
        id=f"PSOURCE{number}",
        created_at=at(first - 2),
        severities=random_severities(dice, first),
        merges=(Merge(at=at(merged)),),
        postmortem=issue([], created=first + 0.6, id=f"81{number}"),
    )
    source = Source(facts)
    if first < merged and not parted:
        item = random_item(dice, first - 20, number)
        if item.facts.became_at < at(merged):
            source.items.append(item)
    return source


def count_merges(facts: IncidentFacts, people: People, rules: Mapping) -> Counter[str]:
    """Count how a source stood at its merge, and how its target did."""
    seen: Counter[str] = Counter()
    for merge in facts.merges:
        if not merge.claimed:
            continue
        decisions = Decisions(rules=(RulesLoaded(at=at(-9000), mapping=rules),))
        for duty in judge(facts, people, decisions, merge.at):
            seen[f"merged after a duty was {duty.verdict}"] += duty.verdict in ("met", "breached")
        written = written_at(facts.postmortem, people) if facts.postmortem else None
        seen["merged when a person had written the postmortem"] += written is not None and written < merge.at
    for source in facts.absorbed:
        held = [period.severity for period in facts.severities if period.since <= source.at]
        ranks = [*rules.severities, "unknown"]
        own, brought = (
            ranks.index(name or "unknown") for name in (held[-1] if held else None, source.severity)
        )
        words = "lower than" if own > brought else "higher than" if own < brought else "as high as"
        seen[f"target {words} its source"] += 1
    for item in facts.items:
        if item.stages and item.stages[0].incident.id != facts.id:
            chain = " in a chain" if len(item.stages) > 2 else ""
            seen[f"action item handed over{chain}"] += 1
    return seen


@dataclass(frozen=True)
class Group:
    """The rules by which a group of merged incidents is judged, and the end of its history."""

    rules: Mapping
    end: datetime

    def with_sources(self, facts: IncidentFacts, sources: list[Source]) -> IncidentFacts:
        """Return an incident's facts with what its sources brought."""
        return facts.model_copy(update={"absorbed": tuple(self._brought(sources, ()))})

    def _brought(self, sources: list[Source], way: Way) -> Iterator[Absorbed]:
        for source in sources:
            steps: Way = ((source.facts, source.merge), *way)
            brought = absorbed(source.facts, self.rules, steps, self.end)
            if brought is not None:
                yield brought
            yield from self._brought(source.sources, steps)

    def handed_over(
        self, target: IncidentFacts, source: Source, way: Way = ()
    ) -> Iterator[tuple[PlayedItem, tuple[Stage, ...]]]:
        """Yield the items that a source and its own sources hand over to a target, with their stages."""
        steps: Way = ((self.with_sources(source.facts, source.sources), source.merge), *way)
        for item in source.items:
            since, stages = item.facts.became_at, []
            for facts, merge in steps:
                stages.append(Stage(incident=facts, since=since, until=merge.at))
                since = merge.at
            yield item, (*stages, Stage(incident=target, since=since))
        for earlier in source.sources:
            yield from self.handed_over(target, earlier, steps)
