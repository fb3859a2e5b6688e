"""The heartbeat: syncd fetches a monitored address after each good cycle.

The monitoring service notices when the daemon is gone, which the daemon itself cannot tell. syncd follows no
redirect and reads nothing of the answer. A failure changes nothing: syncd counts it and logs it once.
"""

from __future__ import annotations

from threading import Lock, Thread

import requests
from loguru import logger
from requests.utils import get_environ_proxies

from syncd.domain.clock import Clock
from syncd.remote.http.counts import Asked, Counts

SERVICE = "heartbeat"
TIMEOUT = (5.0, 10.0)


class Heartbeat:
    """Fetches one address; at most one request at a time, never in the caller's thread."""

    def __init__(self, url: str, counts: Counts, clock: Clock, ca_file: str | None = None) -> None:
        """`ca_file` replaces the trusted certificates."""
        self._url = url
        self._counts = counts
        self._clock = clock
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_file or True
        self._session.proxies = dict(get_environ_proxies(url))
        self._busy = Lock()
        self._failing = False

    def beat(self) -> None:
        """Fetch the address, unless the last fetch is still under way."""
        if self._busy.acquire(blocking=False):
            Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def _beat(self) -> None:
        try:
            self._note(self._fetch())
        finally:
            self._busy.release()

    def _fetch(self) -> str:
        began = self._clock.boottime()
        try:
            with self._session.get(self._url, timeout=TIMEOUT, allow_redirects=False, stream=True) as answer:
                outcome = "ok" if answer.ok and not answer.is_redirect else f"status {answer.status_code}"
        except requests.RequestException as error:
            # the error's text holds the address, which is a secret
            outcome = type(error).__name__
        word = "ok" if outcome == "ok" else "failed"
        self._counts.add(Asked(SERVICE, "GET", "heartbeat", word), self._clock.boottime() - began)
        return outcome

    def _note(self, outcome: str) -> None:
        failing = outcome != "ok"
        # logged once, not at each beat
        if failing and not self._failing:
            logger.warning("syncd cannot send the heartbeat: {}", outcome)
        self._failing = failing
