"""The real transport without sockets: bytes go into a sandbox in the same process.

Everything above the place where `requests` would open a connection is the daemon's own: budget, routes,
counts, the repetition of a read on a dead connection, the classes of failures. Only that place is replaced,
and a fault of the sandbox becomes the error that a socket would raise.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ConnectionError, ReadTimeout
from requests.structures import CaseInsensitiveDict
from sqlalchemy import event
from sqlmodel import Session as LedgerSession
from urllib3.exceptions import IncompleteRead, NewConnectionError, ProtocolError

from syncd.domain.clock import Clock
from syncd.ledger.open import Ledger
from syncd.remote.errors import RemoteError
from syncd.remote.http.budget import Budget
from syncd.remote.http.deadline import Flight, Limits, current
from syncd.remote.http.failures import Secrets
from syncd.remote.http.login import Question
from syncd.remote.http.routes import Route
from syncd.remote.http.transport import Transport, _Adapter
from syncd.sandbox.cast import START
from syncd.sandbox.wire import Call
from syncd.sandbox.world import Delivery, World

_MARK = re.compile(rb'"op": ?"([0-9a-f]{16})"|syncd ([0-9a-f]{16})')


class Killed(BaseException):
    """The end of a process, at any point; nothing catches it."""


class TimedOut(Exception):
    """Raised if no complete answer arrives within the time limit of a request."""


class Line(Protocol):
    """The network between daemon and services: carries requests, and sees each step of the daemon."""

    world: World

    def open(self, service: str) -> bool:
        """Return True if connecting to the service succeeds."""
        ...

    def carry(self, service: str, call: Call, flight: Flight) -> Delivery:
        """Carry a request to the service and return its answer. Raise `TimedOut`."""
        ...

    def step(self, kind: str) -> None:
        """Record a step of the daemon. Raise `Killed` if the daemon is to end here."""
        ...

    def now(self) -> float:
        """Return the seconds since the world began."""
        ...

    def sent(self, service: str, left: float, writes: bool, marks: list[str], outcome: str) -> None:
        """Record the end of a request that left at `left`: `ok`, `not done`, `unknown` or `killed`."""
        ...


URLS = {"pagerduty": "http://127.0.0.1:1", "jira": "http://127.0.0.1:2", "chat": "http://127.0.0.1:3"}
"""Where the services of a world say that they are; nothing listens there."""


class NearServices:
    """A line to the services of a world; a service whose door is closed refuses connections."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._closed: set[str] = set()
        world.pagerduty.account.base_url, world.jira.site.base_url = URLS["pagerduty"], URLS["jira"]
        world.chat.base_url = URLS["chat"]

    def url(self, name: str) -> str:
        """Return the base URL of `pagerduty`, `jira` or `chat`."""
        return URLS[name]

    def close_door(self, name: str) -> None:
        """Refuse connections to a service from now on, and end the open ones."""
        self._closed.add(name)

    def open_door(self, name: str) -> None:
        """Take connections to a service again."""
        self._closed.discard(name)

    def open(self, service: str) -> bool:
        return server_of(service) not in self._closed

    def carry(self, service: str, call: Call, flight: Flight) -> Delivery:
        if not self.open(service):
            return Delivery(None, "reset")
        slept: list[float] = []
        delivery = self.world.answer(server_of(service), call, slept.append)
        patience = flight.limits.whole
        if slept:
            self.world.advance(min(patience, sum(slept)))
        if delivery.manner == "trickle" or sum(slept) > patience:
            raise TimedOut
        return delivery

    def step(self, kind: str) -> None:
        """Let the daemon live."""

    def now(self) -> float:
        return (self.world.clock() - START).total_seconds()

    def sent(self, service: str, left: float, writes: bool, marks: list[str], outcome: str) -> None:
        """Record nothing: the world's journal has every request."""


def server_of(service: str) -> str:
    """Return which of the world's services answers what the transport calls by this name."""
    # PagerDuty takes events at its own address, and each channel of the chat has a budget of its own
    return {"events": "pagerduty"}.get(service, service.partition(":")[0])


class WireTransport(Transport):
    """The transport of one daemon, on a line."""

    def __init__(self, clock: Clock, line: Line) -> None:
        super().__init__(clock, budget=Budget(clock))
        self.line = line

    def mount(
        self,
        session: Session,
        service: str,
        base_url: str,
        secrets: Iterable[str],
        question: Question | None = None,
        *,
        fixed: Route | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Mount as the real transport does, but with an adapter without sockets."""
        super().mount(session, service, base_url, secrets, question, fixed=fixed, limits=limits)
        adapter = _WireAdapter(self, service, base_url, Secrets(secrets), self._ca_file, question)
        adapter.fixed, adapter.limits = fixed, limits
        adapter.line, adapter.kept = self.line, False
        session.mount("https://", adapter)
        session.mount("http://", adapter)


class _LastYard(HTTPAdapter):
    """The place where bytes would leave; `kept` says that a connection is open from an earlier request."""

    line: Line
    kept: bool
    _service: str

    def send(self, request: PreparedRequest, **_: Any) -> Response:  # type: ignore[override] # as asked below
        flight = current()
        # A connection that is still open needs no new connect, so a closed port does not matter yet.
        if not self.kept and not self.line.open(self._service):
            raise ConnectionError(NewConnectionError(None, "Connection refused"))  # type: ignore[arg-type]
        flight.reused, self.kept = self.kept, False
        flight.commits()
        try:
            delivery = self.line.carry(self._service, _call(request), flight)
        except TimedOut:
            flight.expired = True
            raise ReadTimeout("timed out") from None
        if delivery.reply is None or delivery.manner == "reset":
            raise ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError("reset")))
        body = delivery.reply.body
        got = int(len(body) * delivery.keep) if delivery.manner == "cut" else len(body)
        if got < len(body):
            raise ChunkedEncodingError(ProtocolError("broken", IncompleteRead(got, len(body) - got)))
        self.kept = delivery.manner == "whole"
        return self._response(request, delivery)

    def _response(self, request: PreparedRequest, delivery: Delivery) -> Response:
        reply = delivery.reply
        assert reply
        response = Response()
        response.status_code, response.url, response.request = reply.status, request.url or "", request
        world, headers = self.line.world, dict(reply.headers)
        if self._service not in world.dateless:
            headers.setdefault("Date", format_datetime(world.clock(), usegmt=True))
        response.headers = CaseInsensitiveDict(headers)
        response._content, response._content_consumed = reply.body, True  # type: ignore[attr-defined]
        return response


class _WireAdapter(_Adapter, _LastYard):
    """The real adapter without sockets; it tells the line how each request ended."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send as the real adapter does, between two steps of the daemon."""
        self.line.step("before a request")
        outcome, left = "killed", self.line.now()
        try:
            response = super().send(request, *args, **kwargs)
            outcome = "ok"
        except RemoteError as error:
            outcome = "unknown" if type(error).__name__ == "Unknown" else "not done"
            raise
        finally:
            self.line.sent(self._service, left, _writes(request), _marks(request), outcome)
        self.line.step("after a request")
        return response


def _writes(request: PreparedRequest) -> bool:
    reads = ("/search", "/search/jql", "/bulkfetch")
    return request.method != "GET" and not urlsplit(request.url or "").path.endswith(reads)


def _marks(request: PreparedRequest) -> list[str]:
    """Return the marks of what a request creates; writing a text twice by PUT creates nothing twice."""
    if request.method != "POST":
        return []
    body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
    marks = [(in_json or in_text).decode() for in_json, in_text in _MARK.findall(body)]
    return list(dict.fromkeys(marks))


def _call(request: PreparedRequest) -> Call:
    parts = urlsplit(request.url or "")
    body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
    query = parse_qsl(parts.query, keep_blank_values=True)
    return Call(request.method or "GET", unquote(parts.path), query, dict(request.headers), body)


OUTBOX = frozenset({"operation", "ticket", "mirror_link", "request"})
"""The tables of decisions and their outcome; the other tables only store what was read."""


_WRITES_TO = re.compile(r"\s*(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", re.IGNORECASE)


class WatchedLedger(Ledger):
    """A ledger that reports each commit and every open transaction; it takes the place of `ledger`."""

    def __init__(self, ledger: Ledger, step: Callable[[str], None]) -> None:
        self.__dict__.update(ledger.__dict__)
        self._reading, self.read = ledger.read, self._counted_read  # type: ignore[assignment]
        self._step = step
        self._touched = threading.local()
        self.under_way = 0
        event.listen(self._writer, "before_cursor_execute", self._note_table)

    def _note_table(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        """Record the table that a statement writes to, from a mapped object or plain SQL."""
        table = _WRITES_TO.match(statement)
        if table is not None:
            self._touched.tables.add(table[1])

    @contextmanager
    def write(self, *, leading: bool = True) -> Iterator[LedgerSession]:
        """Open a transaction; report a step before and after its commit."""
        touched = self._touched.tables = set[str]()
        with self._counted(), super().write(leading=leading) as session:
            yield session
            session.flush()
            self._step("before a commit")
        self._step("after a commit of the outbox" if touched & OUTBOX else "after a commit")

    @contextmanager
    def _counted_read(self) -> Iterator[LedgerSession]:
        """Open a transaction for reading, and count it while it is open."""
        with self._counted(), self._reading() as session:
            yield session

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
