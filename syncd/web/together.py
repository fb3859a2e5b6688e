"""Take the webhooks of one service: those that arrive while others are stored share the next transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Condition, Thread

Take = Callable[[Sequence[bytes]], list[str]]
"""Store bodies in one transaction and return their outcomes, or raise and store none of them."""
MOST_TOGETHER = 100
"""Deliveries in one transaction."""
LONGEST_REST = 60.0
"""Seconds without a delivery after which the thread ends."""
_Waiting = tuple[bytes, asyncio.Future[str]]
_Results = Sequence[str | Exception]


class Together:
    """Takes bodies in a thread of its own, which ends after a long rest.

    A body that arrives while the thread rests is stored at once. One transaction begins where the last one
    ends: the event loop may be late, and all threads share one interpreter.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._wakes = Condition()
        self._waiting: list[_Waiting] = []
        self._thread: Thread | None = None

    def take(self, body: bytes) -> asyncio.Future[str]:
        """Return the outcome of a body: it comes once the body is stored, or raises what kept it from that.

        The event loop that calls this awaits it. Raise RuntimeError where no thread can start.
        """
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        with self._wakes:
            if self._thread is None or not self._thread.is_alive():
                # the process ends without waiting for it
                thread = Thread(target=self._work, name="webhooks", daemon=True)
                thread.start()
                self._thread = thread
            self._waiting.append((body, outcome))
            self._wakes.notify()
        return outcome

    def _work(self) -> None:
        while share := self._next_share():
            results = self._results([body for body, _ in share])
            # a loop that has ended awaits nothing
            with suppress(RuntimeError):
                share[0][1].get_loop().call_soon_threadsafe(_tell, share, results)

    def _next_share(self) -> list[_Waiting]:
        """Wait for bodies and return them; return none after a long rest, when the thread ends."""
        with self._wakes:
            self._wakes.wait_for(lambda: self._waiting, LONGEST_REST)
            share, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            if not share:
                self._thread = None
            return share

    def _results(self, bodies: Sequence[bytes]) -> _Results:
        """Take bodies and return their outcomes, or what kept them from being stored."""
        try:
            return self._take(bodies)
        except Exception as error:  # noqa: BLE001 - whatever it is, their senders must hear of it
            if len(bodies) == 1:
                return [error]
        # one body that fails must take none of its neighbours along
        return [result for body in bodies for result in self._results([body])]


def _tell(share: Sequence[_Waiting], results: _Results) -> None:
    for (_, outcome), result in zip(share, results, strict=True):
        # nobody waits for it any more if it took too long
        if outcome.done():
            continue
        if isinstance(result, Exception):
            outcome.set_exception(result)
        else:
            outcome.set_result(result)
