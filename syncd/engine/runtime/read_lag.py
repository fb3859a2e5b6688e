"""How soon Jira's bulk fetch shows what was made: where it is prompt, unknown outcomes settle sooner.

A create that nobody can see proves nothing before the settle time (design: "Exactly one", 5): 600 seconds,
or 120 where each of the last 100 creates was seen by bulk fetch within 5 seconds. So that is measured. A
batch is read back anyway; what was made singly is looked for once a second, all of it in one request, until
it shows or the 5 seconds are over. A setting that names the settle time, and Data Center, which has no bulk
fetch, measure nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from syncd.domain.clock import Clock
from syncd.ledger.open import Ledger
from syncd.ledger.store.key_values import get_cursor, set_cursor

CURSOR = "fetch_lag"
CREATES = 100
WITHIN = 5.0
"""Seconds within which bulk fetch has to show a create."""
SETTLE, QUICK_SETTLE = 600.0, 120.0
AT_ONCE = 100
"""Issues that one bulk fetch names."""


class FetchLag:
    """What was measured; `seconds` is the setting's settle time, None: it follows from what was measured."""

    def __init__(self, ledger: Ledger, clock: Clock, seconds: float | None) -> None:
        self._ledger = ledger
        self._clock = clock
        self._seconds = seconds
        self._lock = Lock()
        self._unseen: dict[str, float] = {}
        self._lags: list[float | None] | None = None

    def settle_seconds(self) -> float:
        """The settle time that holds now."""
        if self._seconds is not None:
            return self._seconds
        lags = self._known()
        prompt = len(lags) >= CREATES and all(lag is not None and lag <= WITHIN for lag in lags)
        return QUICK_SETTLE if prompt else SETTLE

    def said(self) -> str:
        """What `status` says of it."""
        holds = f"An unknown outcome is settled after {self.settle_seconds():.0f} s"
        if self._seconds is not None:
            return f"{holds} (SYNCD_SETTLE_SECONDS)"
        lags = self._known()
        shown = sum(lag is not None for lag in lags)
        return f"{holds} (of the last {len(lags)} creates, bulk fetch showed {shown} within {WITHIN:.0f} s)"

    def made(self, issue_ids: Iterable[str]) -> None:
        """Jira has just named these issues as made."""
        if self._seconds is None:
            now = self._clock.boottime()
            with self._lock:
                self._unseen.update(dict.fromkeys(issue_ids, now))

    def to_look_for(self) -> list[str]:
        """What bulk fetch is to be asked for now, at most as much as one request names."""
        with self._lock:
            return list(self._unseen)[:AT_ONCE]

    def looked(self, asked: Iterable[str], shown: Iterable[str], began: float) -> None:
        """A bulk fetch that began at a boot time was asked for some of these and showed others."""
        there = set(shown)
        lags: list[float | None] = []
        with self._lock:
            for issue_id in asked:
                since = self._unseen.get(issue_id)
                if since is None:
                    continue
                waited = began - since
                if issue_id in there and waited <= WITHIN:
                    lags.append(max(0.0, waited))
                elif waited > WITHIN:
                    lags.append(None)
                else:
                    continue
                del self._unseen[issue_id]
        if lags:
            self._keep(lags)

    def _known(self) -> list[float | None]:
        if self._lags is None:
            with self._ledger.db.read() as session:
                kept = get_cursor(session, CURSOR).get("lags")
            self._lags = list(kept) if isinstance(kept, list) else []
        return self._lags

    def _keep(self, lags: list[float | None]) -> None:
        self._lags = [*self._known(), *lags][-CREATES:]
        with self._ledger.db.write() as session:
            set_cursor(session, CURSOR, lags=self._lags)


MOST_AWAITED = 1_000
LONGEST_AWAITED = 86_400.0
"""Seconds after which what was made and never seen is forgotten."""
INDEX, BULK = "index", "bulk"


class Lags:
    """Delays between a create's answer and the first time that it was seen, by way of seeing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._awaited: dict[str, dict[str, float]] = {INDEX: {}, BULK: {}}
        self._delays: dict[str, list[float]] = {INDEX: [], BULK: []}

    def made(self, issue_id: str) -> None:
        """Jira has answered our create."""
        now = self._clock.boottime()
        with self._lock:
            for awaited in self._awaited.values():
                awaited[issue_id] = now
                first = next(iter(awaited))
                if len(awaited) > MOST_AWAITED or now - awaited[first] > LONGEST_AWAITED:
                    del awaited[first]

    def seen(self, way: str, issue_ids: Iterable[str]) -> None:
        """Jira has shown these."""
        now = self._clock.boottime()
        with self._lock:
            awaited, delays = self._awaited[way], self._delays[way]
            if awaited:
                delays += [now - awaited.pop(one) for one in issue_ids if one in awaited]

    def take(self, way: str) -> list[float]:
        """The delays since the last call, in seconds."""
        with self._lock:
            delays, self._delays[way] = self._delays[way], []
        return delays
