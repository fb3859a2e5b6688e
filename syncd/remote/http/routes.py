"""What a request means before it is sent: read or write, which issue, whether an answer must be JSON.

Paths are reduced to patterns (`/incidents/{id}/notes`) for counting, and because only patterns tell a
read that happens to be a POST (Jira's searches and bulk reads) from a write.
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
    """One request: `path` as asked without its query, `pattern` without API root and with ids replaced.

    `reads`: carrying it out twice changes nothing. `silent`: an empty success is its documented answer.
    `issue`: the Jira issue that a write touches, empty elsewhere.
    """

    method: str
    path: str
    pattern: str
    reads: bool
    silent: bool
    issue: str

    @property
    def named(self) -> str:
        """Method and path, as errors name the request; never the query, which holds people's words."""
        return f"{self.method} {self.path[:200]}"

    @property
    def endpoint(self) -> str:
        """Method and pattern: what Jira's burst limit counts."""
        return f"{self.method} {self.pattern}"


def route(method: str, url: str) -> Route:
    """Given a method and a whole URL, return what the request means."""
    path = urlsplit(url).path
    found = _API.match(path)
    segments = (path[found.end() :] if found else path).strip("/").split("/")
    pattern = "/" + "/".join(part if _WORD.fullmatch(part) else "{id}" for part in segments)
    reads = method in ("GET", "HEAD") or (method == "POST" and pattern in _READING_POSTS)
    on_issue = found is not None and not reads and pattern.startswith("/issue/{id}")
    return Route(
        method=method,
        path=path,
        pattern=pattern,
        reads=reads,
        silent=(method, pattern) in _SILENT,
        issue=segments[1] if on_issue else "",
    )
