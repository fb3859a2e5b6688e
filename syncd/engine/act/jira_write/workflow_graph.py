"""Remember the transitions of a workflow, so that a ticket can take several steps to its status.

Jira tells only the transitions out of an issue's present status. The ledger keeps their targets for each
project and type, so that syncd knows the workflow after a restart. Transition ids differ between workflows
and statuses, so syncd keeps them in memory alone (`syncd.engine.jira_knowledge.project_cache`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from syncd.domain.ticket import Issue, Status, Transition
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, OutOfSight
from syncd.engine.runtime.troubles import MAY_MOVE
from syncd.ledger.store.key_values import store_ways, ways_of
from syncd.remote.errors import NotDone

MOVE = "TRANSITION_ISSUES"
"""The permission to move issues."""
BELIEVED = timedelta(days=1)
"""How long a status counts as explored: syncd notices a changed workflow within a day."""

Graph = dict[str, tuple[Status, ...]]
"""The statuses to which each status leads, by its id."""


def workflow_of(issue: Issue) -> str:
    """Return the name under which issues share a workflow: those of one type in one project."""
    return f"{issue.project}.{issue.type_id}"


def ways_from(context: EngineContext, issue: Issue, *, fresh: bool = False) -> tuple[Transition, ...]:
    """Return the transitions out of the issue's status; ask Jira where they are not known, always if `fresh`.

    Raise `CannotRender` where Jira does not show the issue to us or does not let us move it.
    """
    workflow = workflow_of(issue)
    remembered = None if fresh else context.facts.ways(workflow, issue.status.id)
    if remembered is not None:
        return remembered
    try:
        offered = context.services.jira.transitions(issue.id)
    except NotDone as error:
        # a service that is down says nothing about the issue
        if not error.not_for_us:
            raise
        hidden = OutOfSight if error.absent else CannotRender
        raise hidden(f"Jira does not show {issue.key} to us: {error.describe()}") from None
    # without the right to move, Jira answers with an empty list instead of an error
    may_move = bool(offered) or _may_move(context, issue.project)
    if may_move is None:
        raise CannotRender(
            f"Jira offers no transition from {issue.status.name} and does not tell whether our account may"
            f" move issues of {issue.project} ({MOVE})"
        )
    if not may_move:
        raise CannotRender(f"our account may not move issues of {issue.project} ({MOVE})")
    context.facts.learn_ways(workflow, issue.status.id, offered)
    _keep(context, workflow, issue.status.id, offered)
    return offered


def _may_move(context: EngineContext, project: str) -> bool | None:
    """Return True if our account may move a project's issues, None where Jira does not tell."""
    rights = context.troubles.ask(
        project, MAY_MOVE, partial(context.services.jira.rights, project, [MOVE]), patient=True
    )
    return rights[MOVE] if rights is not None else None


def _keep(context: EngineContext, workflow: str, status_id: str, offered: tuple[Transition, ...]) -> None:
    leads_to = {way.to.id: way.to.model_dump(mode="json") for way in offered if way.to.id != status_id}
    now = context.clock.now().isoformat()
    store_ways(context.ledger, workflow, status_id, {"at": now, "to": list(leads_to.values())})


def graph_of(context: EngineContext, issue: Issue) -> tuple[Graph, frozenset[str]]:
    """Return the known targets of each status of the issue's workflow, and the statuses explored lately."""
    stored = ways_of(context.ledger, workflow_of(issue))
    now = context.clock.now()
    graph = {
        status_id: tuple(Status.model_validate(status) for status in entry["to"])
        for status_id, entry in stored.items()
    }
    return graph, frozenset(
        status_id
        for status_id, entry in stored.items()
        if timedelta() <= now - datetime.fromisoformat(entry["at"]) < BELIEVED
    )
