"""The journal of all requests to the services: one line a request, and counts that outlive the lines.

Tests check two promises against it: a quiet cycle asks next to nothing, and syncd sends no DELETE. Therefore
the services write it and not the socket in front of them.
"""

import threading
from collections import Counter, deque
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from syncd.sandbox.clock import Clock

KEPT = 200_000
"""How many lines the journal keeps; the counts go on beyond them."""


@dataclass(frozen=True)
class Line:
    """One request: method, path, template, status (0: no answer left), begin and end (sandbox time, UTC)."""

    service: str
    method: str
    path: str
    pattern: str
    status: int
    began: datetime
    ended: datetime
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the line as JSON, its times as ISO texts."""
        return {**asdict(self), "began": self.began.isoformat(), "ended": self.ended.isoformat()}


class Journal:
    """All requests of a world. Safe between threads."""

    def __init__(self, clock: Clock) -> None:
        """Take the times of the lines from `clock`."""
        self.clock = clock
        self._lines: deque[Line] = deque(maxlen=KEPT)
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()

    def write(
        self,
        service: str,
        method: str,
        path: str,
        pattern: str,
        status: int,
        began: datetime,
        fault: str | None = None,
    ) -> None:
        """Add one line that ends now."""
        line = Line(service, method, path, pattern, status, began, self.clock(), fault)
        with self._lock:
            self._lines.append(line)
            # The counts go on when old lines fall out.
            self._counts[service, method, pattern] += 1

    def lines(
        self, service: str | None = None, method: str | None = None, pattern: str | None = None
    ) -> list[Line]:
        """Return the kept lines of a service, method and template (None: any), oldest first."""
        with self._lock:
            lines = list(self._lines)
        return [
            line
            for line in lines
            if service in (None, line.service)
            and method in (None, line.method)
            and pattern in (None, line.pattern)
        ]

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Return the requests by (service, method, template) since the start or the last `clear`."""
        with self._lock:
            return dict(self._counts)

    def total(self, service: str | None = None, method: str | None = None) -> int:
        """Return the number of requests, of one service or method if given."""
        return sum(
            count
            for (of_service, of_method, _), count in self.counts().items()
            if service in (None, of_service) and method in (None, of_method)
        )

    def writes(self, service: str | None = None) -> list[Line]:
        """Return the lines that may have changed something."""
        # Jira searches and reads many issues by POST; these requests change nothing.
        reads = (
            "/search",
            "/search/jql",
            "/search/approximate-count",
            "/issue/bulkfetch",
            "/changelog/bulkfetch",
        )
        return [
            line
            for line in self.lines(service)
            if line.method not in ("GET", "HEAD") and not line.pattern.endswith(reads)
        ]

    def offences(self) -> list[Line]:
        """Return every DELETE: syncd sends none to any service."""
        return self.lines(method="DELETE")

    def clear(self) -> None:
        """Forget lines and counts."""
        with self._lock:
            self._lines.clear()
            self._counts.clear()
