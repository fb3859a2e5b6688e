"""The ways that a workflow was seen to offer, so that a ticket can go several steps to its status.

Jira tells only the ways out of an issue's present status. What it told is kept for each project and type
in the ledger, so that a restart knows the workflow; ids of transitions are volatile and kept in memory
alone (`syncd.engine.jira_knowledge.project_cache`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from syncd.domain.ticket import Issue, Status, Transition
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.ledger.store.key_values import store_ways, ways_of
from syncd.remote.errors import NotDone

BELIEVED = timedelta(days=1)
"""For how long a status counts as explored: a workflow that was changed is noticed within a day."""

Graph = dict[str, tuple[Status, ...]]
"""Where each status was seen to lead, by its id."""


def workflow_of(issue: Issue) -> str:
    """What shares its ways: the issues of one type in one project."""
    return f"{issue.project}.{issue.type_id}"


def ways_from(context: EngineContext, issue: Issue, *, fresh: bool = False) -> tuple[Transition, ...]:
    """The ways out of the issue's status; asks Jira where they are not known, or always if `fresh`.

    Raises `CannotRender` where Jira does not show the issue to us or does not let us move it.
    """
    workflow = workflow_of(issue)
    known = None if fresh else context.facts.ways(workflow, issue.status.id)
    if known is not None:
        return known
    try:
        offered = context.services.jira.transitions(issue.id)
    except NotDone as error:
        if not error.not_for_us:
            raise
        raise CannotRender(f"Jira does not show {issue.key} to us: {error.describe()}") from None
    move = "TRANSITION_ISSUES"
    if not offered and context.services.jira.rights(issue.project, [move])[move] is not True:
        raise CannotRender(f"our account may not move issues of {issue.project} ({move})")
    context.facts.learn_ways(workflow, issue.status.id, offered)
    _keep(context, workflow, issue.status.id, offered)
    return offered


def _keep(context: EngineContext, workflow: str, status_id: str, offered: tuple[Transition, ...]) -> None:
    leads_to = {way.to.id: way.to.model_dump(mode="json") for way in offered if way.to.id != status_id}
    now = context.clock.now().isoformat()
    store_ways(context.ledger, workflow, status_id, {"at": now, "to": list(leads_to.values())})


def graph_of(context: EngineContext, issue: Issue) -> tuple[Graph, frozenset[str]]:
    """Where each status of the issue's workflow was seen to lead, and the statuses explored of late."""
    known = ways_of(context.ledger, workflow_of(issue))
    limit = context.clock.now() - BELIEVED
    graph = {
        status_id: tuple(Status.model_validate(one) for one in entry["to"])
        for status_id, entry in known.items()
    }
    return graph, frozenset(
        status_id for status_id, entry in known.items() if datetime.fromisoformat(entry["at"]) > limit
    )
