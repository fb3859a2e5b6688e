"""Once a day: two issues that one operation made, over the last eight days (design: "Exactly one", 8).

The older is kept; the younger is linked and closed if no person touched it. Everything else that is found
is reported and left. What is due stands in the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from loguru import logger

from syncd.domain.operation import CloseDuplicate, LinkDuplicate, Operation
from syncd.domain.ticket import Issue
from syncd.engine.act.kinds.close_duplicate import nobody_spoke
from syncd.engine.context import EngineContext
from syncd.engine.observe.issues import PAGE, in_projects, search_pages
from syncd.ledger.store.jobs import Duplicate, last_sweep, store_sweep
from syncd.ledger.store.lookups import ticket_projects
from syncd.remote.http.budget import slow_lane

EVERY = timedelta(days=1)
DAYS = 8
TOUCHED_AFTER = timedelta(seconds=2)
"""An issue that changed later than this after it was made was touched by somebody."""


def due(context: EngineContext) -> bool:
    """Whether the last search was a day ago."""
    at = last_sweep(context.ledger)
    return at is None or context.clock.now() - at >= EVERY


def find_duplicates(context: EngineContext) -> list[str]:
    """Look once; return the incidents for which something is to be done. Raises `RemoteError`."""
    with slow_lane():
        groups = [_whole(context, ids) for ids in _same_operation(context)]
    if context.stop.is_set():
        return []  # what was cut short would count as tonight's search
    duplicates = [_duplicate(issues[0], younger) for issues in groups for younger in issues[1:]]
    swept = store_sweep(context.ledger, duplicates, context.clock.now())
    for duplicate in swept.fresh:
        logger.error("{} and {} were made by one operation", duplicate.older_key, duplicate.younger_key)
    return list(swept.incidents)


def _same_operation(context: EngineContext) -> Iterator[list[str]]:
    """The ids of issues that bear the same mark, oldest first."""
    by_op: dict[str, list[str]] = defaultdict(list)
    keys = list(_keys(context))
    for start in range(0, len(keys), PAGE):
        if context.stop.is_set():
            return
        for issue in context.services.jira.probe(keys[start : start + PAGE]).issues:
            if issue.mark is not None:
                by_op[issue.mark.op].append(issue.id)
    for ids in by_op.values():
        if len(ids) > 1:
            yield sorted(ids, key=int)


def _keys(context: EngineContext) -> Iterator[str]:
    projects = ticket_projects(context.ledger)
    if not projects:
        return
    jql = f"{in_projects(projects)} AND created >= -{DAYS}d"
    if context.services.jira.server().edition != "cloud":
        jql += ' AND labels = "syncd"'  # there, marks are read one by one
    for hits in search_pages(context.services, f"{jql} ORDER BY key"):
        yield from (hit.key for hit in hits)
        if context.stop.is_set():
            return


def _whole(context: EngineContext, ids: list[str]) -> list[Issue]:
    issues = context.services.jira.fetch(ids[:PAGE]).issues
    return sorted(issues, key=lambda one: int(one.id))


def _duplicate(older: Issue, younger: Issue) -> Duplicate:
    """Two issues that bear one mark; where the younger shows none now, no incident is named."""
    incident = younger.mark.incident if younger.mark else ""
    return Duplicate(
        older=older.id,
        older_key=older.key,
        younger=younger.id,
        younger_key=younger.key,
        incident=incident,
        kind=younger.mark.kind if younger.mark else "",
        touched=_touched(younger),
        operations=tuple(_operations(older, younger, incident)),
    )


def _touched(issue: Issue) -> bool:
    """Whether anything happened to an issue since it was made; what cannot be told counts as touched."""
    if issue.created_at is None or not nobody_spoke(issue) or issue.links:
        return True
    try:
        return datetime.fromisoformat(issue.updated) - issue.created_at > TOUCHED_AFTER
    except (ValueError, TypeError):
        return True


def _operations(older: Issue, younger: Issue, incident: str) -> list[Operation]:
    link = LinkDuplicate(
        incident=incident,
        older=older.id,
        younger=younger.id,
        from_status=younger.status.id,
        reason=f"one operation made {younger.key} beside {older.key}",
    )
    close = CloseDuplicate(
        incident=incident,
        needs=(link.key,),
        older=older.id,
        younger=younger.id,
        from_status=younger.status.id,
        reason=f"{older.key} counts",
    )
    return [link, close]
