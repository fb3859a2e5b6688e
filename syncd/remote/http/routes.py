"""Tell what a request means before it leaves: read or write, which issue, if the answer must be JSON.

Paths are reduced to patterns (`/incidents/{id}/notes`) for counting, and to tell a read by POST (Jira's
searches and bulk reads) from a write.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

_WORD = re.compile(r"[a-z][A-Za-z_]*")
_API = re.compile(r".*/rest/api/\w+(?=/)")
_READING_POSTS = frozenset(
    {
        "/issue/bulkfetch",
        "/changelog/bulkfetch",
        "/comment/list",
        "/search",
        "/search/jql",
        "/search/approximate-count",
    }
)
_SILENT = frozenset(
    {
        ("PUT", "/issue/{id}"),
        ("POST", "/issue/{id}/transitions"),
        ("POST", "/issueLink"),
    }
)


class Route(NamedTuple):
    """One request: `path` without its query, `pattern` without API root and with ids replaced.

    `reads`: a second time changes nothing. `silent`: an empty success is its documented answer.
    `issue`: the Jira issue that a write touches, empty elsewhere. `plain`: its answer is a text, not JSON.
    """

    method: str
    path: str
    pattern: str
    reads: bool
    silent: bool
    issue: str
    plain: bool = False

    @property
    def named(self) -> str:
        """Method and path, as errors name the request; never the query, which may hold people's words."""
        return f"{self.method} {self.path[:200]}"

    @property
    def endpoint(self) -> str:
        """Method and pattern: Jira's burst limit counts by these."""
        return f"{self.method} {self.pattern}"


def route(method: str, url: str) -> Route:
    """Return what a request means, given its method and whole URL."""
    path = urlsplit(url).path
    root = _API.match(path)
    segments = (path[root.end() :] if root else path).strip("/").split("/")
    pattern = "/" + "/".join(part if _WORD.fullmatch(part) else "{id}" for part in segments)
    reads = method in ("GET", "HEAD") or (method == "POST" and pattern in _READING_POSTS)
    on_issue = root is not None and not reads and pattern.startswith("/issue/{id}")
    return Route(
        method=method,
        path=path,
        pattern=pattern,
        reads=reads,
        silent=(method, pattern) in _SILENT,
        issue=segments[1] if on_issue else "",
    )
