"""The trial ticket of `--probe`: syncd creates it, moves it through every mapped status and leaves it closed.

This is the only check that writes, and only after the operator agreed. The ticket's label is `syncd-probe`
and its mark names no incident, so no rule takes it for an incident's ticket. A lost answer ends the trial,
because syncd sends nothing twice. Whatever ends it, syncd closes the ticket as far as Jira lets it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial

from syncd.domain.base import JsonValue
from syncd.domain.field import FieldFacts
from syncd.domain.mapping.jira_section import STATUS_WORDS, FieldValue
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.operation import op_of
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import TRIAL, Issue, Mark, Status, Transition
from syncd.engine.act.jira_write.field_values import unfit_words
from syncd.engine.act.jira_write.workflow_route import MOST_HOPS, Goal, goal_for, plan_step
from syncd.engine.errors import CannotRender
from syncd.engine.jira_knowledge.postmortem_setup import first_named
from syncd.engine.observe.accounts import pick
from syncd.policy.ticket.field_values import Unfit, fit, spec_for
from syncd.preflight.checks.fields import person
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight
from syncd.preflight.checks.workflow import unfilled, way_back
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown

LABEL = "syncd-probe"
CODE = "T01"
LOOKS = 10
"""How often syncd reads a new ticket until Jira shows it, with a second between two reads."""

Inline = Callable[[str], str]
"""A function that renders a field's template for a sample incident and raises `ConfigError`."""


@dataclass
class _Trial:
    sight: Sight
    mapping: Mapping
    project: ResolvedProject
    inline: Inline
    where: str
    issue: Issue | None = None
    at: Status = field(default_factory=lambda: Status(id="", name=""))
    graph: dict[str, tuple[Status, ...]] = field(default_factory=dict)
    ways: dict[str, tuple[Transition, ...]] = field(default_factory=dict)


def trial_ticket(
    sight: Sight, mapping: Mapping, inline: Inline, pause: Callable[[float], object]
) -> Iterator[Finding]:
    """Create the ticket and move it; yield a finding after each step.

    `pause` waits some seconds while Jira does not show the new ticket. A refusal of Jira is a finding. Raise
    `RemoteError` only for a refused token and for failures before the create.
    """
    project = sight.resolved(mapping)
    where = f"{mapping.team}, trial ticket in {project.key}"
    trial = _Trial(sight, mapping, project, inline, where)
    try:
        yield from _make(trial, pause)
        if trial.issue is None:
            return
        for word in STATUS_WORDS:
            yield from _walk(trial, word)
    except Unknown as error:
        key = trial.issue.key if trial.issue else f"label {LABEL}"
        message = f"syncd does not know whether Jira did this: {error.describe()}"
        yield unknown(CODE, where, message, f"look at the ticket in Jira ({key}); syncd did not try again")
    except NotDone as error:
        if trial.issue is None or error.cause is Cause.CREDENTIALS:
            raise
        yield unknown(CODE, where, f"the trial ended early: {error.describe()}", "try it again later")
    if trial.issue is not None:
        yield from _end(trial, trial.issue)


def _make(trial: _Trial, pause: Callable[[float], object]) -> Iterator[Finding]:
    jira, where = trial.sight.jira, trial.where
    # two trial tickets of one run must not look as if one operation had created both
    op = op_of(f"probe/{trial.mapping.team}/{trial.project.key}/{trial.sight.now.isoformat()}")
    mark = Mark(op=op, kind=TRIAL, incident="", instance="check")
    try:
        created = jira.create(_fields(trial), mark)
    except CannotRender as error:
        yield wrong(CODE, where, f"syncd cannot create it: {error}", "change the mapping")
        return
    except NotDone as error:
        hint = "fix the named fields in the mapping or in Jira"
        yield wrong(CODE, where, f"Jira refuses to create it: {error.describe()}", hint, JIRA_ADMIN)
        return
    yield ok(CODE, where, f"{created.key} is created")
    # Jira's reads lag behind its writes
    for _ in range(LOOKS):
        issues = jira.fetch([created.id]).issues
        if issues:
            trial.issue, trial.at = issues[0], issues[0].status
            return
        pause(1.0)
    message = f"{created.key} is created, but Jira does not show it to our account"
    yield unknown(
        CODE, where, message, "ask who may see new issues, and close the ticket by hand", JIRA_ADMIN
    )


def _fields(trial: _Trial) -> dict[str, JsonValue]:
    project, mapping = trial.project, trial.mapping
    fields: dict[str, JsonValue] = {
        "project": {"key": project.key},
        "issuetype": {"id": project.incident_type.id},
        "summary": "syncd probe: a trial ticket, please ignore",
        "description": "`syncd check --probe` created this ticket to try the workflow. It has no incident.",
    }
    if project.offers("labels"):
        fields["labels"] = [LABEL]
    # the lowest severity, so that nobody takes the trial for an emergency
    severity = next(reversed(mapping.severities))
    if severity in project.priorities:
        fields["priority"] = {"id": project.priorities[severity].id}
    component = next(iter(project.components.values()), None)
    required = "components" in project.fields and project.fields["components"].demanded
    if component is not None and required:
        fields["components"] = [{"id": component.id}]
    fallback, assignee = mapping.people.fallback, project.fields.get("assignee")
    if fallback is not None and assignee is not None and assignee.demanded:
        # a real ticket goes to a responder or the fallback
        account, _why = pick(fallback, trial.sight.assignable(fallback, project.key))
        if account is not None:
            fields["assignee"] = project.person(account.id)
    for name, spec in mapping.jira.fields.items():
        facts = project.fields.get(name)
        if facts is not None:
            fields |= _value(trial, spec, facts, needed=facts.demanded or spec.required)
    return fields


def _value(trial: _Trial, spec: FieldValue, facts: FieldFacts, *, needed: bool) -> dict[str, JsonValue]:
    """Return a field with the mapping's value, nothing where an optional field does not take it."""
    value = trial.inline(spec.template) if spec.template is not None else spec.value
    if spec.severity:
        value = next(reversed(trial.mapping.severities))
    try:
        return {facts.id: fit(value, facts, partial(person, trial.sight, trial.mapping))}
    except Unfit as error:
        if needed:
            raise CannotRender(unfit_words(facts, error)) from None
        return {}


def _walk(trial: _Trial, word: str) -> Iterator[Finding]:
    """Take the transitions to one word's status; an obstacle becomes a finding and ends this word."""
    goal = goal_for(trial.project, word)
    for hops in range(MOST_HOPS + 1):
        if trial.at.id == goal.target.id:
            yield ok(CODE, trial.where, f"reached {trial.at.name} ({word})")
            return
        transition = _next(trial, goal, MOST_HOPS - hops)
        if transition is None and goal.arrived(trial.at.id):
            hint = f"the mapping also names this status, and no transition leads to {goal.target.name}"
            yield ok(CODE, trial.where, f"stays in {trial.at.name} ({word})", hint)
            return
        if transition is None:
            offered = ", ".join(transition.to.name for transition in trial.ways[trial.at.id]) or "nothing"
            message = f"no way from {trial.at.name} to {goal.target.name} ({word}); Jira offers {offered}"
            hint = f"name the statuses between them under jira.path.{word}, or name another status"
            yield wrong(CODE, trial.where, message, hint, JIRA_ADMIN)
            return
        problem = yield from _take(trial, transition)
        if problem:
            return


def _next(trial: _Trial, goal: Goal, hops: int) -> Transition | None:
    issue, at = trial.issue, trial.at
    if issue is None:
        return None
    if at.id not in trial.ways:
        trial.ways[at.id] = trial.sight.jira.transitions(issue.id)
    # a transition to the same status leads nowhere
    ways = [transition for transition in trial.ways[at.id] if transition.to.id != at.id]
    trial.graph[at.id] = tuple(transition.to for transition in ways)
    step = plan_step(at.id, trial.graph[at.id], goal, trial.graph, trial.graph, hops) if hops else None
    chosen = [transition for transition in ways if step is not None and transition.to.id == step.to.id]
    # of several transitions to one status, take the one whose screen asks for least
    return min(chosen, key=lambda transition: len(transition.required), default=None)


def _take(trial: _Trial, transition: Transition) -> Generator[Finding, None, bool]:
    """Take one transition; return True if Jira refused it."""
    for problem, hint in unfilled(trial.sight, trial.mapping, transition, trial.project):
        yield wrong(CODE, trial.where, f"{transition.name} to {transition.to.name} {problem}", hint)
    try:
        trial.sight.jira.move(
            trial.issue.id if trial.issue else "", transition.id, _screen(trial, transition)
        )
    except (NotDone, CannotRender) as error:
        problem = error.describe() if isinstance(error, RemoteError) else str(error)
        message = f"Jira refuses {transition.name} to {transition.to.name}: {problem}"
        yield wrong(CODE, trial.where, message, "", JIRA_ADMIN)
        return True
    yield ok(CODE, trial.where, f"{transition.name} leads from {trial.at.name} to {transition.to.name}")
    trial.at = transition.to
    return False


def _screen(trial: _Trial, transition: Transition) -> dict[str, JsonValue]:
    """Return the fields for a transition's screen, as far as the mapping gives them."""
    mapping, fields = trial.mapping, dict[str, JsonValue]()
    for facts in transition.screen:
        spec = spec_for(mapping, facts)
        if facts.id == "resolution" and transition.to.category == "done":
            chosen = first_named(mapping.jira.resolution, facts.allowed or trial.project.resolutions)
            if chosen is not None:
                fields["resolution"] = {"id": chosen.id}
        elif facts.demanded and spec is not None:
            fields |= _value(trial, spec, facts, needed=True)
    return fields


def _end(trial: _Trial, issue: Issue) -> Iterator[Finding]:
    """Close the ticket if it is not, say in which status it was left, and check the way back."""
    closed = trial.project.statuses["closed"]
    try:
        if trial.at.id != closed.id:
            _close(trial, issue)
        if trial.at.id == closed.id:
            trial.ways[closed.id] = trial.sight.jira.transitions(issue.id)
    except RemoteError as error:
        message = f"{issue.key} may be open: {error.describe()}"
        yield unknown(CODE, trial.where, message, "close the ticket by hand")
        return
    if trial.at.id == closed.id:
        yield ok(CODE, trial.where, f"{issue.key} is closed; you may delete it")
        yield from way_back(trial.where, trial.project, trial.ways)
    elif trial.at.category == "done":
        message = f"{issue.key} is left in {trial.at.name}, because it did not reach {closed.name}"
        yield wrong(CODE, trial.where, message, "you may delete the ticket")
    else:
        yield wrong(CODE, trial.where, f"{issue.key} stays in {trial.at.name}", "close the ticket by hand")


def _close(trial: _Trial, issue: Issue) -> None:
    """Move a ticket whose trial ended early to a done status one step away, `closed` before others."""
    # the answer about the last move may be lost
    for read in trial.sight.jira.fetch([issue.id]).issues:
        trial.at = read.status
    if trial.at.category == "done":
        return
    closed = trial.project.statuses["closed"]
    ways = [way for way in trial.sight.jira.transitions(issue.id) if way.to.category == "done"]
    for way in sorted(ways, key=lambda way: (way.to.id != closed.id, len(way.required))):
        try:
            trial.sight.jira.move(issue.id, way.id, _screen(trial, way))
        except CannotRender:
            continue
        except NotDone as error:
            if error.cause is Cause.REJECTED:
                continue
            raise
        trial.at = way.to
        return
