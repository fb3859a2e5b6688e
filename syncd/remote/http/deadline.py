"""How long a request may take, and what ends one that takes longer.

`requests` bounds the wait for the next byte, not the whole: a server that sends one byte a second is
waited for without end. So every request is a `Flight`, and one watchdog thread shuts the socket down
when a flight's time is over; whoever waits on that socket, in TLS or below, wakes at once.

These deadlines run on the kernel's monotonic clock and not on the injected `Clock`: they guard real
sockets, and with a clock that stands still or runs ahead there would be no deadline or no request.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time  # noqa: TID251 - deadlines of real sockets, see above
from contextlib import suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Limits:
    """Seconds: to get a connection (TLS included), and for a whole request once its first byte leaves."""

    connect: float = 5.0
    whole: float = 30.0


class Flight:
    """One request under way on this thread: its deadline, its socket, and how far it got.

    `sent` is the question that decides between not done and unknown: it is set before the first byte of
    the request is handed to the kernel. `reused` says that it travels on a connection that was kept
    from an earlier request. `expired` says that the watchdog ended it.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.sent = False
        self.reused = True
        self.expired = False
        self.landed = False
        self.deadline = float("inf")
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        _current.flight = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.flight = None
        with self._lock:
            self.landed = True
            self._socket = None

    def connects(self) -> None:
        """A connection is being made: the connect limit holds from now."""
        self.reused = False
        if not self.sent:
            self._until(time.monotonic() + self.limits.connect)

    def holds(self, wire: socket.socket) -> None:
        """Name the socket that is to be shut down at the deadline."""
        with self._lock:
            self._socket = wire
            late = self.expired
        if late:
            _shut(wire)

    def leaves(self) -> None:
        """The first byte is about to leave: the limit of the whole request holds from now."""
        if not self.sent:
            self.sent = True
            self.begins()

    def begins(self) -> None:
        """What is exchanged from now on has the limit of a whole request."""
        self._until(time.monotonic() + self.limits.whole)

    def left(self) -> float:
        """Seconds until the present deadline, never less than a millisecond (0 would mean no limit)."""
        return max(0.001, self.deadline - time.monotonic())

    def expire(self) -> None:
        """End the request, unless it landed; called by the watchdog."""
        with self._lock:
            if self.landed:
                return
            self.expired = True
            if self._socket is not None:
                _shut(self._socket)

    def _until(self, deadline: float) -> None:
        self.deadline = deadline
        _watchdog.watch(self)


class NoFlightError(RuntimeError):
    """Something tried to send without a deadline; a mistake of ours, and nothing left."""


def current() -> Flight:
    """The flight of this thread; raises `NoFlightError` where there is none, so that nothing leaves."""
    flight: Flight | None = getattr(_current, "flight", None)
    if flight is None:
        raise NoFlightError("a request without a deadline")
    return flight


def _shut(wire: socket.socket) -> None:
    # The plain socket's own shutdown: SSLSocket's would drop the TLS state under the reader's feet.
    with suppress(OSError):
        socket.socket.shutdown(wire, socket.SHUT_RDWR)


class _Watchdog:
    """One thread for all flights; it ends when nothing is left to watch and starts again when needed."""

    def __init__(self) -> None:
        self._wakes = threading.Condition()
        self._heap: list[tuple[float, int, Flight]] = []
        self._order = itertools.count()
        self._thread: threading.Thread | None = None

    def watch(self, flight: Flight) -> None:
        with self._wakes:
            heappush(self._heap, (flight.deadline, next(self._order), flight))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            elif self._heap[0][2] is flight:
                self._wakes.notify()

    def _run(self) -> None:
        with self._wakes:
            while self._heap:
                at, _, flight = self._heap[0]
                if flight.landed or flight.deadline > at:
                    heappop(self._heap)
                elif (wait := at - time.monotonic()) > 0:
                    self._wakes.wait(wait)
                else:
                    heappop(self._heap)
                    flight.expire()
            self._thread = None


_current = threading.local()
_watchdog = _Watchdog()
