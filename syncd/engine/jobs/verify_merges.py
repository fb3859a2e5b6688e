"""Derive for the second judge what merges bring to a target, and for which incident an item counts when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from syncd.domain.mapping.mapping import Mapping as Rules
from syncd.verify.facts import Absorbed, IncidentFacts, Merge, Stage
from syncd.verify.spans import absorbed, parted_at

_END = datetime.max.replace(tzinfo=UTC)
"""The second judge knows all that happened after a merge."""
FactsOf = Callable[[str], IncidentFacts | None]


class Source(NamedTuple):
    """An incident that was merged, with the rules of its own team."""

    facts: IncidentFacts
    rules: Rules


def brought_to(target: str, sources: Mapping[str, Source]) -> Iterator[Absorbed]:
    """Yield what each of these incidents brings to the target, directly or through others."""
    for source in sources.values():
        way = _way(source.facts, target, sources)
        brought = absorbed(source.facts, source.rules, way, _END) if way else None
        if brought is not None:
            yield brought


def _way(
    source: IncidentFacts, target: str, sources: Mapping[str, Source]
) -> list[tuple[IncidentFacts, Merge]]:
    """Return the last merges that lead from a source to the target, none if they do not lead there."""
    way: list[tuple[IncidentFacts, Merge]] = []
    incident: IncidentFacts | None = source
    while incident is not None and incident.merges and all(incident is not step[0] for step in way):
        merge = incident.merges[-1]
        way.append((incident, merge))
        if merge.into == target:
            return way
        following = sources.get(merge.into)
        incident = following.facts if following is not None else None
    return []


def stages_of(origin: str, became_at: datetime, facts_of: FactsOf) -> tuple[Stage, ...]:
    """Return for which incident an action item counts when, from when it became one beside its origin."""
    turns = sorted({became_at, *(at for at in _turns(origin, facts_of) if at > became_at)})
    stages: list[Stage] = []
    for since in turns:
        facts = facts_of(_counts_for(origin, since, facts_of))
        if facts is None or (stages and stages[-1].incident.id == facts.id):
            continue
        if stages:
            stages[-1] = stages[-1].model_copy(update={"until": since})
        stages.append(Stage(incident=facts, since=since))
    return tuple(stages)


def _turns(origin: str, facts_of: FactsOf) -> Iterator[datetime]:
    seen: set[str] = set()
    ahead = [origin]
    while ahead:
        facts = facts_of(ahead.pop())
        if facts is None or facts.id in seen:
            continue
        seen.add(facts.id)
        for merge in facts.merges:
            yield merge.at
            parted = parted_at(facts, merge)
            if parted is not None:
                yield parted
            ahead.append(merge.into)


def _counts_for(origin: str, at: datetime, facts_of: FactsOf) -> str:
    incident, seen = origin, {origin}
    while True:
        facts = facts_of(incident)
        merges = [merge for merge in facts.merges if merge.at <= at] if facts is not None else []
        parted = parted_at(facts, merges[-1]) if facts is not None and merges else None
        if not merges or not merges[-1].claimed or (parted is not None and parted <= at):
            return incident
        incident = merges[-1].into
        if incident in seen:
            return origin
        seen.add(incident)
