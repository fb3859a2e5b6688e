"""Limit how long a request may take and how large its answer may be, and end a request that exceeds this.

`requests` limits the wait for the next byte, not the whole request: a server that sends one byte a second
would hold syncd for ever. So each request is a `Flight`, and one watchdog thread shuts the socket down when a
flight's time is over. The thread that waits on that socket, in TLS or below, wakes at once.

These deadlines use the kernel's monotonic clock, not the injected `Clock`: they guard real sockets, and a
test's clock may stand still or run ahead.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
import time  # noqa: TID251 - deadlines of real sockets, see above
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from io import BytesIO
from types import TracebackType
from typing import Self

from requests import Response

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of a decompressed answer. A page of a hundred issues or entries is far smaller; in memory JSON takes
up to twenty times its size in memory."""
_PIECE = 64 * 1024
_NO_LINGER = struct.pack("ii", 1, 0)


class AnswerTooLargeError(OSError):
    """An answer that is larger than `LARGEST_ANSWER`, perhaps only when it is decompressed."""


@dataclass(frozen=True)
class Limits:
    """Limits in seconds: to connect (TLS included), and for a whole request from its first byte on."""

    connect: float = 5.0
    whole: float = 30.0


class Flight:
    """One request under way on this thread: its deadline, its socket, and how far it got.

    `sent` decides between not done and unknown: it is set before the kernel gets the first byte of the
    request. `reused`: it uses a connection that was kept from an earlier request. `expired`: the watchdog
    ended it. `departs` is called directly before the first byte, and raises if it must not leave.
    """

    def __init__(self, limits: Limits, departs: Callable[[], None] | None = None) -> None:
        self.limits = limits
        self._departs = departs
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
        """Start the connect limit: a connection is being made."""
        self.reused = False
        if not self.sent:
            self._until(time.monotonic() + self.limits.connect)

    def holds(self, wire: socket.socket) -> None:
        """Register the socket that the watchdog shuts down at the deadline."""
        with self._lock:
            self._socket = wire
            late = self.expired
        if late:
            _reset(wire)

    def leaves(self) -> None:
        """Mark the request as sent and start the limit of the whole request: the first byte leaves now."""
        if not self.sent:
            self.commits()
            self.begins()

    def commits(self) -> None:
        """Mark the request as sent, or raise if it must not leave."""
        if self._departs is not None:
            self._departs()
        self.sent = True

    def begins(self) -> None:
        """Start the limit of a whole request."""
        self._until(time.monotonic() + self.limits.whole)

    def left(self) -> float:
        """Return the seconds until the deadline, at least a millisecond (0 would mean no limit)."""
        return max(0.001, self.deadline - time.monotonic())

    def expire(self) -> None:
        """End the request unless it is over; called by the watchdog."""
        with self._lock:
            if self.landed:
                return
            self.expired = True
            if self._socket is not None:
                _reset(self._socket)

    def _until(self, deadline: float) -> None:
        self.deadline = deadline
        _watchdog.watch(self)


class NoFlightError(RuntimeError):
    """A request without a deadline: a defect of syncd; nothing left."""


def read_body(response: Response, flight: Flight) -> bytes:
    """Return an answer's body, decompressed piece by piece; the answer keeps none of it.

    Raise `AnswerTooLargeError`, `TimeoutError` if the flight ends before the body, and what `requests`
    raises.
    """
    # one growing buffer: hundreds of pieces would stay in the allocator's hands, for each thread
    body = BytesIO()
    for piece in response.iter_content(_PIECE):
        if flight.expired or body.tell() + len(piece) > LARGEST_ANSWER:
            # the rest of the body must not be taken for the next answer
            response.close()
            if flight.expired:
                raise TimeoutError
            raise AnswerTooLargeError(f"the answer is larger than {LARGEST_ANSWER // 1024 // 1024} MiB")
        body.write(piece)
    # the library would keep the bytes beside the parsed answer
    response._content = b""
    return body.getvalue()


def current() -> Flight:
    """Return this thread's flight; raise `NoFlightError` where there is none, so that nothing leaves."""
    flight: Flight | None = getattr(_current, "flight", None)
    if flight is None:
        raise NoFlightError("a request without a deadline")
    return flight


def _reset(wire: socket.socket) -> None:
    """Wake the thread that waits on a socket; its close resets the connection.

    Without a reset the kernel would go on for minutes to deliver the bytes that it still holds: a request
    that syncd gave up could arrive after the settle time.
    """
    with suppress(OSError):
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    # the plain socket's shutdown: SSLSocket's would drop the TLS state while another thread reads
    with suppress(OSError):
        socket.socket.shutdown(wire, socket.SHUT_RDWR)


class _Watchdog:
    """One thread for all flights; it ends without flights and starts again when needed."""

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

    def expire_all(self) -> None:
        """End each flight that is under way."""
        with self._wakes:
            for _, _, flight in self._heap:
                flight.expire()

    def _run(self) -> None:
        with self._wakes:
            while self._heap:
                at, _, flight = self._heap[0]
                # it is over, or a later deadline of it stands further back in the heap
                if flight.landed or flight.deadline > at:
                    heappop(self._heap)
                elif (wait := at - time.monotonic()) > 0:
                    self._wakes.wait(wait)
                else:
                    heappop(self._heap)
                    flight.expire()
            self._thread = None


def end_all() -> None:
    """End all requests under way, and reset their connections; the process ends next."""
    _watchdog.expire_all()


_current = threading.local()
_watchdog = _Watchdog()
