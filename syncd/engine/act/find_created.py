"""What exists in a project after a key: the way to find a create whose answer was lost.

Search lags behind writes, so keys are read in bulk, a hundred at a time, until two pages in a row bring
nothing (design: exactly one). Data Center has no bulk read, and an index of its own beside it: there a few
keys are read one by one, and then the search is asked. The highest number that any answer has shown is
kept for each project.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.observe.issues import saw_numbers
from syncd.ledger.store.key_values import highest_number
from syncd.remote.errors import Cause, Unknown

PAGE = 100
EMPTY_PAGES = 2
ONE_BY_ONE = 50
"""Keys that are read where there is no bulk read (Data Center), before the search is asked."""
EMPTY_KEYS = 10
"""Keys in a row that bring nothing, and end that."""


def highest_seen(context: EngineContext, project: str) -> int:
    """The highest issue number of the project that any answer has shown.

    A project that was never read is asked once; raises `RemoteError` where it cannot be.
    """
    known = highest_number(context.ledger, project)
    if known is not None:
        return known
    page = context.services.jira.search(f'project = "{project}" ORDER BY key DESC', limit=1)
    number = int(page.hits[0].key.rpartition("-")[2]) if page.hits else 0
    saw_numbers(context, project, [number])
    return number


def find_made(context: EngineContext, project: str, base: int, op: str, label: str) -> Issue | None:
    """The issue above `base` that bears the mark of a create, None where nothing can be seen of it.

    `label` is one that the create set: where keys cannot be read in bulk, the search for it comes last.
    Raises `RemoteError` where this look tells nothing.
    """
    for issue in keys_from(context, project, base):
        if issue.mark is not None and issue.mark.op == op:
            return issue
    if context.services.jira.server().edition == "cloud":
        return None
    return find_labelled(context, project, op, label)


def keys_from(context: EngineContext, project: str, base: int) -> Iterator[Issue]:
    """The issues of the project with a number above `base`, with their marks.

    On Cloud by hundreds until two pages in a row bring nothing; on Data Center one by one, fifty keys at
    most and until ten in a row bring nothing. Raises `RemoteError` where a page cannot be read, and
    `Unknown` where Jira could not read some of the keys this time: then the look tells nothing.
    """
    cloud = context.services.jira.server().edition == "cloud"
    page, patience = (PAGE, EMPTY_PAGES) if cloud else (1, EMPTY_KEYS)
    empty, start = 0, base + 1
    while empty < patience and (cloud or start <= base + ONE_BY_ONE):
        keys = [f"{project}-{number}" for number in range(start, start + page)]
        issues = _read(context, keys)
        mine = [issue for issue in issues if issue.key.rpartition("-")[0] == project]
        saw_numbers(context, project, [issue.number for issue in mine])
        yield from issues
        empty = 0 if issues else empty + 1
        start += page


def _read(context: EngineContext, keys: list[str]) -> tuple[Issue, ...]:
    fetched = context.services.jira.probe(keys)
    if fetched.unread:
        raise Unknown("jira", "bulk fetch", Cause.BROKEN, f"{len(fetched.unread)} keys could not be read")
    return fetched.issues


def find_labelled(context: EngineContext, project: str, op: str, label: str) -> Issue | None:
    """The issue with a label that bears the mark of a create, as far as the index knows it; the older of two.

    Raises `RemoteError` where Jira cannot be asked.
    """
    found = [one for one in _labelled(context, project, label) if one.mark and one.mark.op == op]
    return min(found, key=lambda one: int(one.id), default=None)


def _labelled(context: EngineContext, project: str, label: str) -> tuple[Issue, ...]:
    """The issues of the project with a label, as far as the index knows them."""
    page = context.services.jira.search(f'project = "{project}" AND labels = "{label}"')
    return _read(context, [hit.key for hit in page.hits]) if page.hits else ()
