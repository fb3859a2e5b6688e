"""The trial ticket of `--probe`: made, walked through every mapped status, left closed.

The only check that writes, and only after a person said so. Its label is `syncd-probe`, its mark names no
incident, so that no rule takes it for a ticket. An answer that was lost ends it: nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

from syncd.domain.base import JsonValue
from syncd.domain.field import FieldFacts
from syncd.domain.mapping.jira_section import STATUS_WORDS
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.operation import op_of
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Issue, Mark, Status, Transition
from syncd.engine.act.jira_write.field_values import typed_value
from syncd.engine.act.jira_write.workflow_route import MOST_HOPS, Goal, goal_for, plan_step
from syncd.engine.errors import CannotRender
from syncd.engine.jira_knowledge.postmortem_setup import first_named
from syncd.policy.ticket.fields import severity_value
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight
from syncd.preflight.checks.workflow import unfilled, way_back
from syncd.remote.errors import NotDone, RemoteError, Unknown

LABEL = "syncd-probe"
CODE = "T01"
LOOKS = 10
"""How often a ticket that was just made is looked for, with a second between."""

Inline = Callable[[str], str]
"""Renders the template of a field for a sample incident; raises `ConfigError`."""


@dataclass
class _Trial:
    sight: Sight
    mapping: Mapping
    found: ResolvedProject
    inline: Inline
    where: str
    issue: Issue | None = None
    at: Status = field(default_factory=lambda: Status(id="", name=""))
    graph: dict[str, tuple[Status, ...]] = field(default_factory=dict)
    ways: dict[str, tuple[Transition, ...]] = field(default_factory=dict)


def trial_ticket(
    sight: Sight, mapping: Mapping, inline: Inline, pause: Callable[[float], object]
) -> Iterator[Finding]:
    """Make the ticket and walk it, telling each step when it is done.

    `pause` waits seconds where a new ticket is not shown yet. What Jira refuses is a finding; raises
    `RemoteError` only for refused credentials and what comes before the create.
    """
    found = sight.resolved(mapping)
    where = f"{mapping.team}, trial ticket in {found.key}"
    trial = _Trial(sight, mapping, found, inline, where)
    try:
        yield from _make(trial, pause)
        if trial.issue is None:
            return
        for word in STATUS_WORDS:
            yield from _walk(trial, word)
        yield from _end(trial)
    except Unknown as error:
        key = trial.issue.key if trial.issue else f"label {LABEL}"
        said = f"it is not known whether this was done: {error.describe()}"
        yield unknown(CODE, where, said, f"look at it in Jira ({key}); nothing was sent again")


def _make(trial: _Trial, pause: Callable[[float], object]) -> Iterator[Finding]:
    jira, where = trial.sight.jira, trial.where
    mark = Mark(op=op_of(f"probe/{trial.sight.now.isoformat()}"), kind="probe", incident="", instance="check")
    try:
        made = jira.create(_fields(trial), mark)
    except CannotRender as error:
        yield wrong(CODE, where, f"cannot be made: {error}", "change the mapping")
        return
    except NotDone as error:
        hint = "mend what it names in the mapping or in Jira"
        yield wrong(CODE, where, f"Jira refuses it: {error.describe()}", hint, JIRA_ADMIN)
        return
    yield ok(CODE, where, f"{made.key} is made")
    for _ in range(LOOKS):
        issues = jira.fetch([made.id]).issues
        if issues:
            trial.issue, trial.at = issues[0], issues[0].status
            return
        pause(1.0)
    said = f"{made.key} was made and is not shown to our account"
    yield unknown(CODE, where, said, "ask who may see new issues, and close it by hand", JIRA_ADMIN)


def _fields(trial: _Trial) -> dict[str, JsonValue]:
    found, mapping = trial.found, trial.mapping
    fields: dict[str, JsonValue] = {
        "project": {"key": found.key},
        "issuetype": {"id": found.incident_type.id},
        "summary": "syncd probe: a trial ticket, please ignore",
        "description": "Made by syncd check --probe to try the workflow. It belongs to no incident.",
    }
    if found.offers("labels"):
        fields["labels"] = [LABEL]
    severity = next(reversed(mapping.severities))
    if severity in found.priorities:
        fields["priority"] = {"id": found.priorities[severity].id}
    component = next(iter(found.components.values()), None)
    demanded = "components" in found.fields and found.fields["components"].demanded
    if component is not None and demanded:
        fields["components"] = [{"id": component.id}]
    for name in mapping.jira.fields:
        facts = found.fields.get(name)
        if facts is not None:
            fields[facts.id] = _value(trial, name, facts)
    return fields


def _value(trial: _Trial, name: str, facts: FieldFacts) -> JsonValue:
    spec = trial.mapping.jira.fields[name]
    if spec.severity:
        return severity_value(next(reversed(trial.mapping.severities)), facts.type)
    value = trial.inline(spec.template) if spec.template is not None else spec.value
    return typed_value(value, facts.type)


def _walk(trial: _Trial, word: str) -> Iterator[Finding]:
    """Take the steps to one word's status; what stands in the way is said and ends this word."""
    goal = goal_for(trial.found, word)
    for hops in range(MOST_HOPS + 1):
        if trial.at.id == goal.target.id:
            yield ok(CODE, trial.where, f"stands in {trial.at.name} ({word})")
            return
        way = _next(trial, goal, MOST_HOPS - hops)
        if way is None and goal.arrived(trial.at.id):
            hint = f"the mapping names it after {goal.target.name}, to which no way leads from here"
            yield ok(CODE, trial.where, f"stays in {trial.at.name} ({word})", hint)
            return
        if way is None:
            offered = ", ".join(one.to.name for one in trial.ways[trial.at.id]) or "nothing"
            said = f"no way from {trial.at.name} to {goal.target.name} ({word}); Jira offers {offered}"
            hint = f"name the statuses between under jira.path.{word}, or take another status"
            yield wrong(CODE, trial.where, said, hint, JIRA_ADMIN)
            return
        problem = yield from _take(trial, way)
        if problem:
            return


def _next(trial: _Trial, goal: Goal, hops: int) -> Transition | None:
    issue, at = trial.issue, trial.at
    if issue is None:
        return None
    if at.id not in trial.ways:
        trial.ways[at.id] = trial.sight.jira.transitions(issue.id)
    ways = [one for one in trial.ways[at.id] if one.to.id != at.id]
    trial.graph[at.id] = tuple(one.to for one in ways)
    step = plan_step(at.id, trial.graph[at.id], goal, trial.graph, trial.graph, hops) if hops else None
    chosen = [one for one in ways if step is not None and one.to.id == step.to.id]
    return min(chosen, key=lambda one: len(one.required), default=None)


def _take(trial: _Trial, way: Transition) -> Generator[Finding, None, bool]:
    """Take one transition; returns whether it was refused."""
    for said, hint in unfilled(trial.mapping, way, trial.found):
        yield wrong(CODE, trial.where, f"{way.name} to {way.to.name} {said}", hint)
    try:
        trial.sight.jira.move(trial.issue.id if trial.issue else "", way.id, _screen(trial, way))
    except (NotDone, CannotRender) as error:
        said = error.describe() if isinstance(error, RemoteError) else str(error)
        yield wrong(CODE, trial.where, f"{way.name} to {way.to.name} is refused: {said}", "", JIRA_ADMIN)
        return True
    yield ok(CODE, trial.where, f"{way.name} leads from {trial.at.name} to {way.to.name}")
    trial.at = way.to
    return False


def _screen(trial: _Trial, way: Transition) -> dict[str, JsonValue]:
    """What the screen of a transition is given, as far as the mapping says it."""
    mapping, fields = trial.mapping, dict[str, JsonValue]()
    by_name = {name.casefold(): name for name in mapping.jira.fields}
    for one in way.screen:
        name = by_name.get(one.id.casefold()) or by_name.get(one.name.casefold())
        if one.id == "resolution" and way.to.category == "done":
            chosen = first_named(mapping.jira.resolution, one.allowed or trial.found.resolutions)
            if chosen is not None:
                fields["resolution"] = {"id": chosen.id}
        elif one.demanded and name is not None:
            fields[one.id] = _value(trial, name, one)
    return fields


def _end(trial: _Trial) -> Iterator[Finding]:
    """Where it was left, and whether there would be a way back."""
    key = trial.issue.key if trial.issue else ""
    closed = trial.found.statuses["closed"]
    if trial.at.id != closed.id:
        yield wrong(CODE, trial.where, f"{key} is left in {trial.at.name}", "close it by hand")
        return
    if trial.issue is not None:
        trial.ways[closed.id] = trial.sight.jira.transitions(trial.issue.id)
    yield ok(CODE, trial.where, f"{key} is left closed; it may be deleted")
    yield from way_back(trial.where, trial.found, trial.ways)
