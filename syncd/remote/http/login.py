"""Decide if an answer counts: it does only if the service knew our account when it gave it.

Jira answers a dead token with 200 and empty lists, with 404, or with 400 "valid project is required"
(JRA-41559). Only `myself` answers 401 then. An answer proves the login if it names our account
(`X-AAccountId` on Cloud, `X-AUSERNAME` on Data Center). An answer without that proof counts under these
rules, and `myself` alone decides:

- A refusal counts if `myself` answers 200 after it: otherwise syncd would park writes for a dead token.
- An answer that says that nobody is logged in, or that lacks the proof that its endpoint gave before, counts
  if `myself` answers 200 after it.
- Any other read counts if a proof or `myself` is at most five minutes old.
- A write that succeeded counts: it is done.

PagerDuty answers a dead token with 401 everywhere. There only a 401 or 403 makes syncd ask: if the account's
services can be read, the refusal concerns that endpoint alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock, local
from typing import NamedTuple
from urllib.parse import unquote

from syncd.domain.base import SERVICE_NAMES, JsonValue
from syncd.domain.clock import Clock
from syncd.remote.errors import Cause, NotDone, RemoteError
from syncd.remote.http.routes import Route

TRUSTED = 300.0
"""Seconds for which a proof covers reads without one."""
REFUSED_FOR = 60.0
"""Seconds for which a refusal of our login counts without asking again: each question is a failed login."""
CAPTCHA_PAUSE = 900.0
"""Seconds without any request after Jira demanded a captcha: each request is one more failed login."""
_OPEN = frozenset({"/serverInfo"})
"""Reads that a service answers to everybody: they tell nothing of the login."""
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_ANONYMOUS = "anonymous"
_GOOD_REASON = "OK"
_SIGN_OF_NOTHING = ("", _GOOD_REASON)
_CAPTCHA = "CAPTCHA"


@dataclass(frozen=True)
class Question:
    """The read that asks a service for our account: `path` below the base URL.

    `hides`: the service answers a dead token also with empty lists, 404 and 400.
    """

    path: str
    hides: bool = False


class Evidence(NamedTuple):
    """The evidence about our login in the headers of one answer; `captcha`: the service demands one."""

    proof: bool = False
    contrary: bool = False
    captcha: bool = False


class Login:
    """Our login at one service, as far as its answers prove it; shared by all threads."""

    def __init__(self, clock: Clock, service: str) -> None:
        self._clock = clock
        self._service = service
        self._lock = Lock()
        # held while a thread asks for our account
        self._asking = Lock()
        self._accounts: frozenset[str] = frozenset()
        self._proving: set[str] = set()
        self._harmless: set[tuple[str, str]] = set()
        self._refusal: NotDone | None = None
        self._refused_at = -REFUSED_FOR
        self._begun = 0
        self._decided = 0
        self._proved_at: float | None = None
        self._captcha_until = 0.0
        self._captcha_words = ""
        self._thread = local()

    @property
    def proved_at(self) -> float | None:
        """The start of the latest request that proved the login (boottime), None before one."""
        with self._lock:
            return self._proved_at

    @property
    def proved_by_last_answer(self) -> bool:
        """True if the last answer to this thread proved the login."""
        return bool(vars(self._thread).get("proved", False))

    @property
    def refusal(self) -> NotDone | None:
        """The refusal of our login, until the service knows our account again."""
        with self._lock:
            return self._refusal

    @property
    def captcha(self) -> str:
        """The advice about the captcha that the service demands; empty if it demands none."""
        with self._lock:
            return self._captcha_words

    def evidence(self, asked: Route, headers: Mapping[str, str], began: float) -> Evidence:
        """Return what an answer's headers tell of our login, and keep it."""
        user = unquote(headers.get("X-AUSERNAME", ""))
        reason = headers.get("X-Seraph-LoginReason", _GOOD_REASON).upper()
        sign = (user.casefold(), reason)
        with self._lock:
            contrary = (sign[0] == _ANONYMOUS or reason != _GOOD_REASON) and sign not in self._harmless
            names = {headers.get("X-AAccountId", "").casefold(), user.casefold()} - {""}
            proof = not contrary and not self._accounts.isdisjoint(names)
            if proof:
                self._proving.add(asked.endpoint)
                self._prove(began)
        self._thread.proved, self._thread.sign = proof, sign
        captcha = _CAPTCHA in headers.get("X-Authentication-Denied-Reason", "").upper()
        return Evidence(proof, contrary, captcha)

    def _prove(self, began: float) -> None:
        self._proved_at = max(began, self._proved_at or began)

    def doubts(self, asked: Route, question: Question, error: RemoteError | None, evidence: Evidence) -> bool:
        """Return True if an answer (a success without `error`) counts only after the service is asked."""
        if error is not None:
            status = error.status if isinstance(error, NotDone) else None
            # a limit and a redirect tell nothing of an object
            if status is None or error.cause in (Cause.LIMITED, Cause.REDIRECT):
                return False
            if status == _UNAUTHORIZED:
                return True
            return not evidence.proof if question.hides else status == _FORBIDDEN
        if not question.hides or not asked.reads or asked.pattern in _OPEN:
            return False
        if evidence.contrary or evidence.proof:
            return evidence.contrary
        with self._lock:
            proves = asked.endpoint in self._proving
            proved_at = self._proved_at
        return proves or proved_at is None or self._clock.boottime() - proved_at > TRUSTED

    def begin(self) -> int:
        """Return the number of a doubt or of a question that begins now."""
        with self._lock:
            self._begun += 1
            return self._begun

    def settle(self, ask: Callable[[], RemoteError | None]) -> RemoteError | None:
        """Settle a doubt of now by asking for our account; return the failure, None if the service knows it.

        Of many threads that doubt at once one asks, and the others wait for its answer.
        """
        number = self.begin()
        with self._asking:
            return self.refusal if self._decided_since(number) else ask()

    def _decided_since(self, number: int) -> bool:
        """Return True if the service need not be asked for the doubt of this number.

        A question was answered that began after the doubt, or our login was refused a moment ago.
        """
        with self._lock:
            refused_for = self._clock.boottime() - self._refused_at
            return self._decided > number or (self._refusal is not None and refused_for < REFUSED_FOR)

    def learn(self, number: int, result: JsonValue | RemoteError, began: float) -> NotDone | None:
        """Keep the answer to the question of this number; return the refusal if it is one.

        `result` is the body of a success. Any failure but 401 and 403 decides nothing. Nor does a 403 that
        refuses us neither in the service's words nor in its headers: it is returned as an outage.
        """
        if isinstance(result, RemoteError):
            if not isinstance(result, NotDone) or result.status not in (_UNAUTHORIZED, _FORBIDDEN):
                return None
            sign = vars(self._thread).get("sign", _SIGN_OF_NOTHING)
            # a proxy answers so, too, and a refused login ends the daemon at its start
            if result.status == _FORBIDDEN and not result.in_words and sign == _SIGN_OF_NOTHING:
                return with_cause(result, Cause.UNREACHABLE)
            refusal = with_cause(result, Cause.CREDENTIALS)
            with self._lock:
                self._decided, self._refusal = max(number, self._decided), refusal
                self._refused_at, self._captcha_words = self._clock.boottime(), ""
            return refusal
        body = result if isinstance(result, dict) else {}
        accounts = {value for name in ("accountId", "name") if isinstance(value := body.get(name), str)}
        with self._lock:
            self._decided, self._refusal = max(number, self._decided), None
            self._captcha_words = ""
            self._accounts |= {account.casefold() for account in accounts}
            # a filter before Jira may send the same words with each answer: they tell nothing then
            self._harmless.add(vars(self._thread).get("sign", _SIGN_OF_NOTHING))
            self._prove(began)
        self._thread.proved = True
        return None

    def demand_captcha(self, error: RemoteError, url: str) -> NotDone:
        """Stop asking for 15 minutes: each request is one more failed login; return the refusal in words."""
        name = SERVICE_NAMES.get(self._service, self._service)
        words = (
            f"{name} demands a captcha after failed logins: log in once in a browser at {url}"
            f" with syncd's account, then run `syncd resume {self._service}`"
        )
        with self._lock:
            self._captcha_until = self._clock.boottime() + CAPTCHA_PAUSE
            self._captcha_words = words
        refusal = self._captcha(error.request, CAPTCHA_PAUSE, error.status)
        with self._lock:
            # after the pause the account is asked for first: one failed login instead of two
            self._refusal = refusal
        return refusal

    def check(self, asked: Route) -> None:
        """Raise the refusal while syncd waits because of a captcha."""
        with self._lock:
            left = self._captcha_until - self._clock.boottime()
        if left > 0:
            raise self._captcha(asked.named, left, None)

    def _captcha(self, request: str, seconds: float, status: int | None) -> NotDone:
        return NotDone(
            self._service,
            request,
            Cause.CREDENTIALS,
            self._captcha_words,
            status=status,
            retry_after=seconds,
        )

    def resume(self) -> None:
        """Ask again at once: a person has logged in."""
        with self._lock:
            self._captcha_until, self._refused_at = 0.0, -REFUSED_FOR


def with_cause(error: NotDone, cause: Cause) -> NotDone:
    """Return a refusal as it is, for another cause."""
    return NotDone(
        error.service,
        error.request,
        cause,
        error.message,
        status=error.status,
        field_errors=error.field_errors,
        retry_after=error.retry_after,
        scope=error.scope,
    )


def undecided(request: str, trouble: RemoteError) -> NotDone:
    """Return the failure of a request whose answer does not count, because of `trouble` with the question."""
    if isinstance(trouble, NotDone) and trouble.cause is Cause.CREDENTIALS:
        message, cause = trouble.message or "it does not know our account", Cause.CREDENTIALS
    else:
        message = f"syncd cannot ask if it is logged in: {trouble.describe()}"
        limited = isinstance(trouble, NotDone) and trouble.cause is Cause.LIMITED
        cause = Cause.LIMITED if limited else Cause.UNREACHABLE
    return NotDone(
        trouble.service,
        request,
        cause,
        message,
        status=trouble.status,
        retry_after=trouble.retry_after,
        scope=trouble.scope,
    )
