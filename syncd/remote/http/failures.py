"""Decide what an answer or a failure means: carried out, certainly not carried out, or unknown.

Only a request that never left, or a status of the list below, means certainly not done. All else after the
first byte left (time-out, reset, 408, 5xx, an unreadable answer, an undocumented status) means unknown: syncd
must never read an unclear answer as "no". 402 is in the list, because PagerDuty documents it for accounts
that lack an ability.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from http.client import BadStatusLine
from itertools import islice
from socket import gaierror

from syncd.domain.base import JsonValue
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.retry_after import retry_after
from syncd.remote.http.routes import Route
from syncd.remote.http.wire import load

_REFUSED = {
    400: Cause.REJECTED,
    401: Cause.CREDENTIALS,
    402: Cause.FORBIDDEN,
    403: Cause.FORBIDDEN,
    404: Cause.MISSING,
    405: Cause.REJECTED,
    409: Cause.CONFLICT,
    410: Cause.MISSING,
    413: Cause.REJECTED,
    422: Cause.REJECTED,
    429: Cause.LIMITED,
}
_SCOPES = {"jira-per-issue-on-write": "issue", "jira-burst-based": "endpoint"}
NO_TLS = "it does not speak TLS on this port"
ONLY_TLS = "it speaks only https on this port"
NO_HTTP = "it does not speak HTTP on this port"
NO_NAME = "the name cannot be resolved"
NOBODY_LISTENS = "Connection refused"
HTML = "an HTML page"
TLS = "TLS: "
"""Words that name the cause of a failed first contact; `remote.advice` says what to do."""
_TLS_REASONS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
_PLAIN_TO_TLS = (b"HTTP request was sent to HTTPS port", b"plain HTTP to an SSL-enabled server port")
"""The answers of nginx and Apache to http on their port for https."""
_WORD = re.compile(rb"[a-z]+(?:_[a-z]+)+")
_PLAIN = ("XSRF check failed",)
"""The only refusals that Jira writes as plain text: any proxy can write plain text, too."""


MOST_LETTERS, MOST_FIELDS = 4_096, 100
"""Characters of a service's words and fields with errors that syncd reads."""


class Secrets:
    """Masks secret values in texts: errors carry foreign words, and those may quote ours."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = tuple(sorted({value for value in values if value}, key=len, reverse=True))

    def mask(self, text: str) -> str:
        """Return the text in one line, without any of the values."""
        for value in self._values:
            text = text.replace(value, "***")
        # errors keep 256 characters; to split megabytes takes gigabytes
        return " ".join(text[:MOST_LETTERS].split())


class Sorter:
    """Turns statuses and broken connections of one service into `NotDone` and `Unknown` errors."""

    def __init__(self, service: str, secrets: Secrets) -> None:
        self._service = service
        self._secrets = secrets

    def answer(
        self, route: Route, status: int, headers: Mapping[str, str], content: bytes, now: datetime
    ) -> RemoteError | None:
        """Return what an answer means, None for a success (2xx)."""
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return None
        message, field_errors = words(content)
        # a chat's own word, such as `channel_is_archived`
        if route.plain and _WORD.fullmatch(content.strip()[:MOST_LETTERS]):
            message = content.decode().strip()
        if status == HTTPStatus.BAD_REQUEST and any(known in content for known in _PLAIN_TO_TLS):
            message = ONLY_TLS
        pause = None
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            pause = retry_after(headers, now)
        kind: type[RemoteError] = NotDone
        scope = ""
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            cause, message = Cause.REDIRECT, f"it points to {origin(headers.get('Location', ''))}"
        elif status in _REFUSED:
            cause = _REFUSED[status]
            if cause is Cause.LIMITED:
                scope = _SCOPES.get(headers.get("RateLimit-Reason", ""), "service")
        else:
            kind = Unknown
            server = status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR
            cause = Cause.SERVER if server else Cause.BROKEN
        return kind(
            self._service,
            route.named,
            cause,
            self._secrets.mask(message),
            status=status,
            field_errors={name: self._secrets.mask(text) for name, text in field_errors.items()},
            retry_after=pause,
            scope=scope,
        )

    def unreadable(self, route: Route, status: int | None, why: str) -> Unknown:
        """Return the failure of a success whose body is not as documented."""
        return Unknown(self._service, route.named, Cause.BROKEN, self._secrets.mask(why), status=status)

    def failure(self, route: Route, error: Exception, *, sent: bool, expired: bool) -> RemoteError:
        """Return the failure of a request without an answer; `sent`: its first byte left."""
        # nothing left, so the service cannot have done anything
        if not sent:
            why = "no connection in time" if expired else root(error)
            return NotDone(self._service, route.named, Cause.UNREACHABLE, self._secrets.mask(why))
        late = expired or isinstance(_innermost(error), TimeoutError)
        cause = Cause.TIMEOUT if late else Cause.BROKEN
        why = "no complete answer in time" if late else root(error)
        return Unknown(self._service, route.named, cause, self._secrets.mask(why))


def words(content: bytes) -> tuple[str, dict[str, str]]:
    """Return the service's own words in an error's body: a message and, from Jira, errors by field.

    It reads PagerDuty's `error` (an object, or a text in old answers) and Jira's `errorMessages`, `errors`,
    `message` and `errorMessage`. HTML and plain text may come from a proxy and do not count, but for what
    Jira is known to write.
    """
    try:
        body = load(content)
    except (ValueError, RecursionError):
        text = content[:MOST_LETTERS].decode("utf-8", "replace").strip()
        return (text if text in _PLAIN else ""), {}
    # `null` or a list comes from no documented error
    if not isinstance(body, dict):
        return "", {}
    if "error" in body:
        return _pagerduty_words(body["error"]), {}
    parts = _texts(body.get("errorMessages")) or _texts([body.get("errorMessage"), body.get("message")])
    errors = body.get("errors")
    by_field = errors.items() if isinstance(errors, dict) else ()
    return "; ".join(parts), {str(name): str(text) for name, text in islice(by_field, MOST_FIELDS)}


def _pagerduty_words(error: JsonValue) -> str:
    if not isinstance(error, dict):
        return error if isinstance(error, str) else ""
    message = "; ".join(_texts([error.get("message")]) + _texts(error.get("errors")))
    code = error.get("code")
    return f"{message} [{code}]" if isinstance(code, int) else message


def _texts(value: JsonValue) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str) and item]


def origin(url: str) -> str:
    """Return scheme and host of an address, without path and query: a login page's may carry our request."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{rest.split('/')[0].rpartition('@')[2]}" if separator else "another path"


def root(error: BaseException) -> str:
    """Return the innermost reason of a broken request in a few words, without addresses or bodies."""
    inner = _innermost(error)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"{TLS}{inner.verify_message}"
    if isinstance(inner, ssl.SSLError) and inner.reason in _TLS_REASONS:
        return NO_TLS
    if isinstance(inner, BadStatusLine) and not isinstance(inner, OSError):
        return NO_HTTP
    if isinstance(inner, gaierror):
        return f"{NO_NAME} ({inner.strerror})"
    if isinstance(inner, TimeoutError):
        return "timed out"
    if isinstance(inner, OSError):
        return inner.strerror or str(inner) or type(inner).__name__
    return type(inner).__name__


def _innermost(error: BaseException) -> BaseException:
    """Follow wrapped errors down: by cause, by urllib3's `reason`, and by errors among the arguments."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        wrapped = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        error = next((inner for inner in wrapped if isinstance(inner, BaseException)), error)
    return error
