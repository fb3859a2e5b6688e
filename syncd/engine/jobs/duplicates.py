"""Find, once a day, issues that one operation created twice in the last eight days.

syncd keeps the older issue; it links the younger and closes it if no person touched it. It reports all others
and leaves them. The ledger stores when the next search is due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from loguru import logger

from syncd.domain.clock import is_due
from syncd.domain.operation import CloseDuplicate, LinkDuplicate, Operation
from syncd.domain.ticket import Issue
from syncd.engine.act.kinds.close_duplicate import nobody_spoke
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import our_accounts
from syncd.engine.observe.earlier_ledger.created_by_us import created_by
from syncd.engine.observe.issues import PAGE, in_projects, search_pages
from syncd.ledger.store.jobs import Duplicate, last_sweep, store_sweep
from syncd.ledger.store.lookups import ticket_projects
from syncd.remote.http.lanes import slow_lane

EVERY = timedelta(days=1)
DAYS = 8
TOUCHED_AFTER = timedelta(seconds=2)
"""If an issue changed later than this after its creation, somebody touched it."""


def due(context: EngineContext) -> bool:
    """Return True if the last search was a day ago or more."""
    return is_due(last_sweep(context.ledger), EVERY, context.clock.now())


def find_duplicates(context: EngineContext) -> list[str]:
    """Search once; return the incidents with duplicates to link or close. Raise `RemoteError`."""
    with slow_lane():
        groups = [_whole(context, ids) for ids in _same_operation(context)]
    # a search that was cut short must not count as tonight's search
    if context.stop.is_set():
        return []
    duplicates = [_duplicate(issues[0], younger) for issues in groups for younger in issues[1:]]
    swept = store_sweep(context.ledger, duplicates, context.clock.now())
    for duplicate in swept.fresh:
        logger.error(
            "one operation created two issues: {} and {}; read `syncd status`",
            duplicate.older_key,
            duplicate.younger_key,
        )
    return list(swept.incidents)


def _same_operation(context: EngineContext) -> Iterator[list[str]]:
    """Yield the ids of issues with the same mark, oldest first."""
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
    if context.services.jira.edition == "cloud":
        pages = search_pages(context.services, f"{jql} ORDER BY key")
    else:
        # Data Center has no bulk read, so marks are read one by one: the creator narrows the search
        pages = created_by(context, our_accounts(context), jql, order="key")
    for hits in pages:
        yield from (hit.key for hit in hits)
        if context.stop.is_set():
            return


def _whole(context: EngineContext, ids: list[str]) -> list[Issue]:
    issues = context.services.jira.fetch(ids[:PAGE]).issues
    return sorted(issues, key=lambda issue: int(issue.id))


def _duplicate(older: Issue, younger: Issue) -> Duplicate:
    """Return two issues with one mark; name no incident if the younger has lost its mark since."""
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
    """Return True if anything happened to an issue since its creation, or if syncd cannot tell."""
    # when in doubt, the issue belongs to a person
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
        reason=f"one operation created {younger.key} beside {older.key}",
    )
    close = CloseDuplicate(
        incident=incident,
        needs=(link.key,),
        older=older.id,
        younger=younger.id,
        from_status=younger.status.id,
        reason=f"it duplicates {older.key}",
    )
    return [link, close]
