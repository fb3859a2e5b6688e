"""Find an issue whose create was never answered: read the project's keys after the last key that was seen.

Jira's search lags behind its writes, so syncd reads keys in bulk, a hundred at a time, until two pages in a
row are empty. Data Center has no bulk read: there syncd reads a few keys one by one and then searches by
creator, because nobody can remove one. The ledger keeps for each project the highest issue number that any
answer has shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import our_accounts
from syncd.engine.observe.earlier_ledger.created_by_us import created_by, created_since
from syncd.engine.observe.issues import PAGE, saw_numbers
from syncd.engine.observe.new_keys import highest_indexed, keys_from, read_keys
from syncd.ledger.store.key_values import highest_number


def highest_seen(context: EngineContext, project: str) -> int:
    """Return the highest issue number of the project that any answer has shown.

    Ask Jira once for a project that was never read; raise `RemoteError` where Jira cannot answer.
    """
    stored = highest_number(context.ledger, project)
    if stored is not None:
        return stored
    number = highest_indexed(context, project)
    saw_numbers(context, project, [number])
    return number


def find_made(
    context: EngineContext, project: str, base: int, op: str, since: datetime, settled: float | None = None
) -> Issue | None:
    """Return the issue above number `base` with the mark of a create, None where Jira shows none.

    The create left at `since` (UTC) or later. `settled` is the end of its settle time on the boot-time clock:
    once it is over, only a read that began afterwards counts. Raise `RemoteError` where this look tells
    nothing.
    """
    # Cloud's bulk read is complete, so the search would add nothing
    if context.services.jira.edition == "cloud":
        over = settled is not None and settled <= context.clock.boottime()
        began = settled if over and settled is not None else 0.0
        return marked_after(context, project, base, began).get(op)
    for issue in keys_from(context, project, base):
        if issue.mark is not None and issue.mark.op == op:
            return issue
    return _find_by_creator(context, project, base, op, since)


def marked_after(context: EngineContext, project: str, base: int, since: float = 0.0) -> Mapping[str, Issue]:
    """Return the issues above number `base` by the operation in their mark; of two the older.

    A read counts for all that look at about the same time if it began at `since`, on the boot-time clock, or
    later. Raise `RemoteError`.
    """
    reads = context.shared_reads
    with reads.keys:
        shown = reads.shown(project, base, since)
        if shown is None:
            began, shown = context.clock.boottime(), {}
            for issue in keys_from(context, project, base):
                if issue.mark is not None:
                    shown.setdefault(issue.mark.op, issue)
            reads.keep(project, base, began, shown)
        return shown


def _find_by_creator(
    context: EngineContext, project: str, base: int, op: str, since: datetime
) -> Issue | None:
    place = f'project = "{project}" AND {created_since(context, since)}'
    for hits in created_by(context, our_accounts(context), place):
        # the keys up to `base` existed before the create left
        keys = [hit.key for hit in hits if int(hit.key.rpartition("-")[2]) > base]
        for start in range(0, len(keys), PAGE):
            for issue in read_keys(context, keys[start : start + PAGE]):
                if issue.mark is not None and issue.mark.op == op:
                    return issue
    return None
