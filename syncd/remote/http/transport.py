"""The transport: each HTTP request of both client libraries passes through here.

All threads share one `Transport`; it holds budget, counts and the skew of the services' clocks. Its `mount`
puts an adapter into a client library's session, one for each client, so that each thread keeps its own
connection. The adapter refuses other hosts, follows no redirect, repeats no request (except a read whose kept
connection is dead), ends a request that takes too long, and raises `NotDone` or `Unknown`. These are no
`requests` exceptions, and no answer other than 2xx returns into a library: so no library can repeat a request
by itself. An answer that does not prove our login may have to wait for another one (`http.login`).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock, local
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies
from urllib3.exceptions import HTTPError

from syncd.config.settings.values import is_loopback
from syncd.domain.clock import Clock
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.budget import Budget
from syncd.remote.http.connection import POOLS, tls_context
from syncd.remote.http.counts import Asked, Counts
from syncd.remote.http.deadline import Flight, Limits, read_body
from syncd.remote.http.departure import WhyNotSend, departure
from syncd.remote.http.failures import HTML, MOST_LETTERS, Secrets, Sorter
from syncd.remote.http.lanes import Lane, lane, use_prepaid
from syncd.remote.http.login import Evidence, Login, Question, undecided, with_cause
from syncd.remote.http.retry_after import http_date, rate_of, window_of
from syncd.remote.http.routes import Route, route
from syncd.remote.http.wire import Answer, TooManyPartsError

NO_CONTENT = 204
REMEMBERED = 100
"""Answers by whose looks a client knows JSON again."""
_NETWORK = (RequestException, HTTPError, OSError)


class ForeignHost(NotDone):
    """A request to another host than the configured one; neither it nor the token left."""


class Transport:
    """The budget, counts and clocks that all requests of the process share; safe to use from any thread."""

    def __init__(
        self,
        clock: Clock,
        *,
        budget: Budget | None = None,
        limits: Limits | None = None,
        ca_file: str | None = None,
        why_not_send: WhyNotSend | None = None,
    ) -> None:
        """Trust the certificates of `ca_file`, else those of `REQUESTS_CA_BUNDLE`, else certifi's.

        `why_not_send` is asked directly before the first byte of each write.
        """
        self.clock = clock
        self.budget = budget or Budget(clock)
        self.counts = Counts()
        self.limits = limits or Limits()
        self.why_not_send = why_not_send
        self._ca_file = ca_file or os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
        self._skews: dict[str, float] = {}
        self._answered: dict[str, tuple[datetime, float]] = {}
        self._logins: dict[str, Login] = {}
        self._lock = Lock()
        self._dates = local()

    def date_of(self, service: str) -> datetime | None:
        """Return the date of the service's last answer to this thread (UTC), None before one."""
        date: datetime | None = vars(self._dates).get(service)
        return date

    def now_of(self, service: str) -> datetime | None:
        """Return the present time (UTC) by the service's own clock, None before its first answer with a date.

        The boot-time clock counts on from the last answer, so a step of our wall clock changes nothing.
        """
        with self._lock:
            answered = self._answered.get(service)
        if answered is None:
            return None
        date, at = answered
        return date + timedelta(seconds=self.clock.boottime() - at)

    def skew(self, service: str) -> float | None:
        """Return by how many seconds the service's clock is ahead of ours, None before its first answer."""
        with self._lock:
            return self._skews.get(service)

    def note_skew(self, service: str, seconds: float) -> None:
        """Store the difference between a service's clock and ours."""
        with self._lock:
            self._skews[service] = seconds

    def note_date(self, service: str, date: datetime) -> None:
        """Store when an answer left the service, by its own clock (UTC)."""
        vars(self._dates)[service] = date
        with self._lock:
            self._answered[service] = date, self.clock.boottime()

    def login(self, service: str) -> Login:
        """Return our login at a service, as far as its answers prove it."""
        with self._lock:
            return self._logins.setdefault(service, Login(self.clock, service))

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
        """Make the session send through this transport, and only to `base_url`'s host.

        `secrets` are values that must not appear in an error. `question` is the read that asks for our
        account; without it each answer counts. `fixed` is the route of every request, where the path is a
        secret; `limits` replace the transport's. The environment's proxies are read once, here, and never
        used for loopback; `~/.netrc` is never read.
        """
        adapter = _Adapter(self, service, base_url, Secrets(secrets), self._ca_file, question)
        adapter.fixed, adapter.limits = fixed, limits
        session.adapters.clear()
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        # a redirect could carry a write or the token to another host
        session.max_redirects = 0
        # `~/.netrc` could replace our credentials
        session.trust_env = False
        session.proxies = {} if is_loopback(base_url) else get_environ_proxies(base_url)


class _Adapter(HTTPAdapter):
    """Sends one client's requests to one service; `fixed` and `limits`: see `Transport.mount`."""

    fixed: Route | None = None
    limits: Limits | None = None

    def __init__(
        self,
        transport: Transport,
        service: str,
        base_url: str,
        secrets: Secrets,
        ca_file: str,
        question: Question | None,
    ) -> None:
        self._transport = transport
        self._service = service
        self._base_url = base_url.rstrip("/")
        self._question_url = self._base_url + (question.path if question is not None else "")
        self._origin = _origin(base_url)
        self._login = transport.login(service)
        self._question = question
        self._asks = route("GET", self._question_url)
        self._evidence = Evidence()
        self._parsed: deque[bytes] = deque(maxlen=REMEMBERED)
        self._sorter = Sorter(service, secrets)
        self._ca_file = ca_file
        self._pool: Any = None
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Send one request within its deadline; return a 2xx answer, or raise `NotDone` or `Unknown`.

        The library's `timeout`, `verify` and `cert` do not count: deadlines and trust are the transport's.
        """
        asked = self.fixed or route(request.method or "GET", request.url or "")
        if _origin(request.url or "") != self._origin:
            raise ForeignHost(self._service, asked.named, Cause.REJECTED, "not the configured host")
        self._login.check(asked)
        if self._question is None or self._is_question(asked):
            return _answer(self._exchange(request, asked, proxies))
        # nothing else leaves while our login is refused
        if self._login.refusal is not None:
            self._be_known(request, asked, proxies)
        result = self._exchange(request, asked, proxies)
        error = result if isinstance(result, RemoteError) else None
        if self._login.doubts(asked, self._question, error, self._evidence):
            self._be_known(request, asked, proxies)
            # our account is known, so the refusal concerns this endpoint alone
            if isinstance(error, NotDone) and error.cause is Cause.CREDENTIALS:
                raise with_cause(error, Cause.FORBIDDEN)
        return _answer(result)

    def _is_question(self, asked: Route) -> bool:
        return self._question is not None and asked.endpoint == self._asks.endpoint

    def _be_known(self, request: PreparedRequest, asked: Route, proxies: Any) -> None:
        """Ask the service for our account, with the credentials of a request; raise unless it knows us."""
        trouble = self._login.settle(lambda: self._ask(request, asked, proxies))
        if trouble is not None:
            raise undecided(asked.named, trouble)

    def _ask(self, request: PreparedRequest, asked: Route, proxies: Any) -> RemoteError | None:
        self._login.check(asked)
        question = request.copy()
        question.method, question.url, question.body = "GET", self._question_url, None
        for name in ("Content-Length", "Content-Type", "Transfer-Encoding"):
            question.headers.pop(name, None)
        try:
            with lane(Lane.FIRST):
                self._transport.budget.take(self._service, endpoint=self._asks.endpoint)
        except NotDone as error:
            return error
        result = self._send(question, self._asks, proxies)
        return result if isinstance(result, RemoteError) else None

    def _exchange(self, request: PreparedRequest, asked: Route, proxies: Any) -> Response | RemoteError:
        if use_prepaid():
            # who took the budget did not know the endpoint
            self._transport.budget.check(self._service, asked.endpoint)
        else:
            self._transport.budget.take(self._service, issue=asked.issue, endpoint=asked.endpoint)
        return self._send(request, asked, proxies)

    def _send(self, request: PreparedRequest, asked: Route, proxies: Any) -> Response | RemoteError:
        """Send one request within its deadline; learn from its answer about our login."""
        login, number, began = self._login, self._login.begin(), self._transport.clock.boottime()
        departs = None if asked.reads else departure(self._transport.why_not_send, self._service, asked.named)
        with Flight(self.limits or self._transport.limits, departs) as flight:
            result = self._try(request, asked, flight, proxies)
            # a service may close a kept connection: a read then goes out once more on a new one
            dead_connection = flight.sent and flight.reused and not flight.expired
            if asked.reads and dead_connection and _is_break(result):
                result = self._try(request, asked, flight, proxies)
        if self._question is None:
            return result
        if isinstance(result, NotDone) and self._evidence.captcha:
            return login.demand_captcha(result, self._base_url)
        if self._is_question(asked):
            body = result if isinstance(result, RemoteError) else result.json()
            return login.learn(number, body, began) or result
        return result

    def _try(
        self, request: PreparedRequest, asked: Route, flight: Flight, proxies: Any
    ) -> Response | RemoteError:
        """Send the request once, and count it."""
        clock = self._transport.clock
        began, began_at = clock.boottime(), clock.now()
        self._evidence = Evidence()
        result: Response | RemoteError
        try:
            response = super().send(
                request,
                # of one step; the flight limits the connection and the whole request
                timeout=flight.limits.whole,
                proxies=proxies,
            )
            content = read_body(response, flight)
        # each exception: after the first byte left, any break leaves the outcome unknown
        except Exception as error:
            # a defect of syncd before anything left: raise it as it is
            if not flight.sent and not isinstance(error, _NETWORK):
                raise
            result = self._sorter.failure(asked, error, sent=flight.sent, expired=flight.expired)
        else:
            ended_at = clock.now()
            self._listen(response.headers, began_at + (ended_at - began_at) / 2)
            self._evidence = self._login.evidence(asked, response.headers, began)
            # the answer came, but after its deadline
            if flight.expired:
                late = TimeoutError()
                result = self._sorter.failure(asked, late, sent=True, expired=True)
            else:
                result = self._sort(asked, response, content, ended_at)
        outcome = result.cause.value if isinstance(result, RemoteError) else "ok"
        self._transport.counts.add(
            Asked(self._service, asked.method, asked.pattern, outcome), clock.boottime() - began
        )
        return result

    def _sort(
        self, asked: Route, response: Response, content: bytes, now: datetime
    ) -> Response | RemoteError:
        failure = self._sorter.answer(asked, response.status_code, response.headers, content, now)
        # a refusal of one object is an answer, too
        if failure is None or (isinstance(failure, NotDone) and failure.cause is not Cause.LIMITED):
            self._transport.budget.answered(self._service, issue=asked.issue, endpoint=asked.endpoint)
        if failure is not None:
            self._obey(asked, failure)
            return failure
        answer = Answer()
        answer.__dict__.update(response.__dict__)
        if asked.plain:
            answer.body = content[:MOST_LETTERS].decode("utf-8", "replace")
            return answer
        if not content.strip():
            if response.status_code == NO_CONTENT or asked.silent:
                return answer
            return self._sorter.unreadable(asked, response.status_code, "the answer is empty")
        answer.look = sha256(content).digest()
        answer.unparsed = content
        if answer.look in self._parsed:
            return answer
        try:
            answer.json()
            self._parsed.append(answer.look)
        except TooManyPartsError as error:
            return self._sorter.unreadable(asked, response.status_code, str(error))
        except (ValueError, RecursionError):
            page = content.lstrip()[:1] == b"<"
            why = f"the answer is not JSON but {HTML}" if page else "the answer is not JSON"
            return self._sorter.unreadable(asked, response.status_code, why)
        return answer

    def _listen(self, headers: Mapping[str, str], middle: datetime) -> None:
        """Learn from an answer's headers: the service's clock, and how many requests are left."""
        date = http_date(headers.get("Date"))
        if date is not None:
            self._transport.note_skew(self._service, (date - middle).total_seconds())
            self._transport.note_date(self._service, date)
        window, rate = window_of(headers), rate_of(headers)
        if window is not None:
            self._transport.budget.learn(self._service, *window)
        if rate is not None:
            self._transport.budget.learn_rate(self._service, rate)

    def _obey(self, asked: Route, failure: RemoteError) -> None:
        """Pause the issue, the endpoint or the service, as the answer asks."""
        limited = failure.cause is Cause.LIMITED
        if not limited and failure.retry_after is None:
            return
        reach = {"issue": asked.issue, "endpoint": asked.endpoint}.get(failure.scope, "")
        self._transport.budget.refused(self._service, failure.retry_after, reach)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create pools of guarded connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Create pools of guarded connections behind a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def get_connection_with_tls_context(self, request: PreparedRequest, *args: Any, **named: Any) -> Any:
        """Return the pool of connections: there is one, since the adapter sends to one host."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(request, *args, **named)
        return self._pool

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Return keys with one TLS context for all connections; it always verifies certificates."""
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        if host["scheme"] != "https":
            return host, {}
        return host, {"cert_reqs": "CERT_REQUIRED", "ssl_context": tls_context(self._ca_file)}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: the shared context holds the trusted certificates already."""


def _answer(result: Response | RemoteError) -> Response:
    if isinstance(result, RemoteError):
        raise result
    return result


def _is_break(result: Response | RemoteError) -> bool:
    return isinstance(result, Unknown) and result.cause is Cause.BROKEN and result.status is None


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or (443 if scheme == "https" else 80)
