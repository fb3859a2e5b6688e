"""Read the keys of a project above a number: Jira's search lags behind its writes, and these reads do not."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.observe.issues import PAGE, saw_numbers
from syncd.remote.errors import Cause, Unknown

EMPTY_PAGES = 2
ONE_BY_ONE = 50
"""Keys that syncd reads one by one on Data Center before it searches."""
EMPTY_KEYS = 10
"""Keys in a row without an issue that end the reading one by one."""


def keys_from(context: EngineContext, project: str, base: int, *, noted: bool = True) -> Iterator[Issue]:
    """Yield the issues of the project with a number above `base`, with their marks.

    On Cloud read pages of a hundred keys until two in a row are empty; on Data Center read at most fifty keys
    one by one until ten in a row are empty. Raise `RemoteError` where a page cannot be read, and `Unknown`
    where Jira could not read some of the keys this time: then the look tells nothing. The highest number is
    stored if it is `noted`.
    """
    cloud = context.services.jira.edition == "cloud"
    page, patience = (PAGE, EMPTY_PAGES) if cloud else (1, EMPTY_KEYS)
    empty, start = 0, base + 1
    while empty < patience and (cloud or start <= base + ONE_BY_ONE):
        keys = [f"{project}-{number}" for number in range(start, start + page)]
        issues = read_keys(context, keys)
        # a bulk fetch follows moved issues, so an answer may hold keys of another project
        mine = [issue for issue in issues if issue.key.rpartition("-")[0] == project]
        if noted:
            saw_numbers(context, project, [issue.number for issue in mine])
        yield from issues
        empty = 0 if issues else empty + 1
        start += page


def highest_indexed(context: EngineContext, project: str) -> int:
    """Return the highest issue number that the search shows, 0 for an empty project; raise `RemoteError`."""
    page = context.services.jira.search(f'project = "{project}" ORDER BY key DESC', limit=1)
    return int(page.hits[0].key.rpartition("-")[2]) if page.hits else 0


def read_keys(context: EngineContext, keys: list[str]) -> tuple[Issue, ...]:
    """Return the issues among these keys or ids, with their marks; raise `RemoteError`."""
    fetched = context.services.jira.probe(keys)
    if fetched.unread:
        raise Unknown("jira", "bulk fetch", Cause.BROKEN, f"{len(fetched.unread)} keys could not be read")
    return fetched.issues
