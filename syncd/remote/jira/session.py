"""One request through the jira library's session: the part that reading and writing share.

syncd uses the library's own methods only if they send exactly one correct request; most do not. In jira
3.10.5 `create_issue` cannot set properties and reads back, `create_issue_link` asks for the link types first,
`Issue.update` reads back, `search_issues` first asks for all fields, `server_info` repeats itself,
`transition_issue` looks names up. syncd writes those requests itself (`read`, `write`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from jira import JIRA

from syncd.domain.project import Edition
from syncd.remote.errors import RemoteError
from syncd.remote.http.login import Login, undecided
from syncd.remote.http.wire import UnreadableError, identifier, reading

SERVICE = "jira"
Items = TypeVar("Items", list[Any], tuple[Any, ...])
LAST_POSITION = 10_000
"""A list paged by position that goes on beyond this never ends."""
Keep = Callable[[str, Callable[[], Any]], Any]
"""Returns the answer that it keeps under a name, else asks."""


def just_ask(_name: str, ask: Callable[[], Any]) -> Any:
    """Ask; keep nothing."""
    return ask()


class JiraSession:
    """One thread's session with Jira."""

    def __init__(self, client: JIRA, edition: Edition, login: Login) -> None:
        self._client = client
        self.edition: Edition = edition
        self._login = login

    def prove_login(self) -> None:
        """Ask for our account unless the last answer proved our login; raise `RemoteError` if it is refused.

        For each answer that says that something is not there: Jira hides everything from a dead token.
        """
        if self._login.proved_by_last_answer:
            return
        trouble = self._login.settle(self._ask)
        if trouble is not None:
            raise undecided("GET myself", trouble) from trouble

    def _ask(self) -> RemoteError | None:
        try:
            self._client.myself()
        except RemoteError as error:
            return error
        return None

    def _proved(self, items: Items) -> Items:
        """Return the items of the last answer; prove our login first if there are none."""
        if not items:
            self.prove_login()
        return items

    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        url = self._client._get_url(path)
        return self._client._session.get(url, params=params or {}).json()

    def _post(self, path: str, body: Mapping[str, Any], params: Mapping[str, Any] | None = None) -> Any:
        url = self._client._get_url(path)
        return self._client._session.post(url, data=json.dumps(body), params=params or {}).json()

    def _put(self, path: str, body: Mapping[str, Any]) -> Any:
        url = self._client._get_url(path)
        return self._client._session.put(url, data=json.dumps(body)).json()

    def _pages(self, path: str, params: Mapping[str, Any], *keys: str) -> Iterator[Any]:
        """Yield all items of a list that is paged by `startAt`; `keys` are the names of the list.

        The list ends where the service says so (`isLast`, `total`) or at an empty page. Raise
        `Unknown(BROKEN)` where the answer holds no such list. An empty list needs a proof of our login.
        """
        start = 0
        while True:
            body = self._get(path, {**params, "startAt": start})
            with reading(SERVICE, f"GET {path}"):
                items = _listed(body, keys)
                total = body.get("total")
                last = body.get("isLast") is True or (total is not None and start + len(items) >= total)
                if start >= LAST_POSITION:
                    raise UnreadableError("a list without an end")
            yield from self._proved(items)
            if last or not items:
                return
            start += len(items)

    @staticmethod
    def _issue_path(issue_id: str, rest: str = "") -> str:
        return f"issue/{identifier(SERVICE, issue_id)}{rest}"


def _listed(body: Any, keys: tuple[str, ...]) -> list[Any]:
    for key in keys:
        items = body.get(key)
        if isinstance(items, list):
            return items
    raise UnreadableError(f"'{keys[0]}' is no list")
