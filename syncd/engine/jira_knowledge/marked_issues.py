"""The issues that bear our mark, as a search by their creators showed them; kept in memory.

Labels help people, and anybody may remove them. Creator and mark stay: each issue is read for its mark once.
"""

from __future__ import annotations

from datetime import datetime
from threading import RLock

from syncd.domain.clock import Clock

WHILE_UNSETTLED = 30.0
"""Seconds for which a search counts while Jira's index may still lag."""


class MarkedIssues:
    """Issue ids by the operation in the mark, of issues created since a time (UTC).

    `lock` is held during a search, so that the threads that wait for its result do not search themselves.
    """

    def __init__(self, clock: Clock) -> None:
        self.lock = RLock()
        self._clock = clock
        self._by_op: dict[str, list[str]] = {}
        self._looked_at: set[str] = set()
        self._since: datetime | None = None
        self._born: datetime | None = None
        self._until = 0.0

    def reach(self, since: datetime, born: datetime) -> bool:
        """Return True if a search reached back to `since` and counts for the ledger born at `born`."""
        reached = self._since is not None and self._since <= since and self._born == born
        return reached and self._clock.boottime() < self._until

    def searched(self, since: datetime, born: datetime, *, settled: bool) -> None:
        """Note a search that reached back to `since`; it counts for ever if Jira's index was `settled`."""
        # a search that reached further back once has shown those issues already
        self._since = min(since, self._since or since)
        self._born = born
        self._until = float("inf") if settled else self._clock.boottime() + WHILE_UNSETTLED

    def forget_search(self) -> None:
        """Let the next question search again; the marks that were read stay."""
        self._until = 0.0

    def unread(self, issue_ids: list[str]) -> list[str]:
        """Return those of these issues whose mark was not read."""
        return [issue_id for issue_id in issue_ids if issue_id not in self._looked_at]

    def keep(self, issue_id: str, op: str | None) -> None:
        """Keep the operation in an issue's mark, None for an issue without one."""
        if issue_id not in self._looked_at:
            self._looked_at.add(issue_id)
            if op is not None:
                self._by_op.setdefault(op, []).append(issue_id)

    def of(self, op: str) -> list[str]:
        """Return the ids of the issues with the mark of a create."""
        return list(self._by_op.get(op, ()))
