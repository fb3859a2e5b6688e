"""The failures of requests, sorted by the only question that matters for a write: did the service carry it
out?

`NotDone`: certainly not, so syncd may send it again as it is. `Unknown`: the first byte left and no readable
answer came, so syncd looks up the outcome before it sends again. syncd never reads an unclear answer as "no".
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Self


class Cause(StrEnum):
    """The reason why a request was not done, or why its outcome is unknown."""

    PAUSED = "paused"
    """Not sent: the service was down a moment ago."""
    UNREACHABLE = "unreachable"
    """No connection."""
    CREDENTIALS = "credentials"
    """The service does not know our account, or demands a captcha: it concerns the whole service."""
    FORBIDDEN = "forbidden"
    """403 (or 402, or a 401 although the service knows our account) about this object or endpoint."""
    REJECTED = "rejected"
    """400, 405, 413, 422: the service refuses the request itself."""
    MISSING = "missing"
    """404 and 410."""
    NO_EFFECT = "answered as done, and nothing changed"
    """2xx, and a read by id shows the value from before."""
    CONFLICT = "conflict"
    """409."""
    LIMITED = "limited"
    """429: try again later."""
    REDIRECT = "redirect"
    """A redirect; syncd follows none."""
    TIMEOUT = "timeout"
    BROKEN = "broken"
    """A reset, a cut answer, or an answer that syncd cannot read."""
    SERVER = "server"
    """408 and 5xx."""


_WHOLE = (Cause.PAUSED, Cause.UNREACHABLE, Cause.CREDENTIALS, Cause.LIMITED, Cause.REDIRECT)
_CODE = re.compile(r"\[(\d+)\]$")


class RemoteError(Exception):
    """A failed request; it carries data, but never a token and never a whole foreign body.

    `message` is the service's own words cut to 256 characters, `field_errors` are Jira's by field,
    `retry_after` is in seconds from now, None where the service names none. `scope` is the reach of a
    LIMITED: `issue` (writes to this issue), `endpoint` (this method and path), `message` (this mail)
    or `service`; it is empty otherwise. `status` is None where no answer came.
    """

    def __init__(
        self,
        service: str,
        request: str,
        cause: Cause,
        message: str = "",
        *,
        status: int | None = None,
        field_errors: dict[str, str] | None = None,
        retry_after: float | None = None,
        scope: str = "",
    ) -> None:
        self.service = service
        self.request = request
        self.cause = cause
        self.message = message[:256]
        self.status = status
        self.field_errors = {key: text[:256] for key, text in (field_errors or {}).items()}
        self.retry_after = retry_after
        self.scope = scope
        super().__init__(self.describe())

    def describe(self) -> str:
        """Return one line for people: the request, the cause, and the service's own words."""
        return f"{self.service}: {self.request}: {self.answer}"

    @property
    def answer(self) -> str:
        """The service's answer in one line: the cause, the status and its own words."""
        status = f" ({self.status})" if self.status else ""
        errors = sorted(self.field_errors.items())
        fields = "; ".join(f"{name}: {text}" if text else name for name, text in errors)
        words = "; ".join(part for part in (self.message, fields) if part)
        return f"{self.cause}{status}" + (f": {words}" if words else "")

    @property
    def in_words(self) -> bool:
        """True if the service itself gives its reasons; a proxy's page or an empty body gives none."""
        return bool(self.message or self.field_errors)

    @property
    def absent(self) -> bool:
        """True if the service itself says that there is no such object.

        A 404 without the service's words comes from a proxy or a wrong address.
        """
        return self.cause is Cause.MISSING and self.in_words

    @property
    def code(self) -> int | None:
        """PagerDuty's own error code (1001: already resolved), None where it names none."""
        match = _CODE.search(self.message)
        return int(match[1]) if match else None

    @property
    def not_for_us(self) -> bool:
        """True if the service itself says that it hides this object or endpoint from our account.

        Without the service's words neither a 403 nor a 404 proves anything.
        """
        return self.cause in (Cause.MISSING, Cause.FORBIDDEN) and self.in_words

    @property
    def refused(self) -> bool:
        """True if this very request is refused, whoever refuses it."""
        refused = self.cause in (Cause.REJECTED, Cause.FORBIDDEN, Cause.MISSING, Cause.CONFLICT)
        return self.status is not None and refused

    @property
    def of_one_object(self) -> bool:
        """True if the service refuses this very request in its own words, and is healthy otherwise."""
        return self.refused and self.in_words

    @property
    def of_whole_service(self) -> bool:
        """True if the failure concerns every request to the service alike."""
        return self.cause in _WHOLE

    def with_hint(self, hint: str) -> Self:
        """Return the failure with our own words after the service's."""
        return type(self)(
            self.service,
            self.request,
            self.cause,
            "; ".join(part for part in (self.message, hint) if part),
            status=self.status,
            field_errors=self.field_errors,
            retry_after=self.retry_after,
            scope=self.scope,
        )

    def without_words(self) -> Self:
        """Return the failure without the service's words, which may quote what was sent; field names stay."""
        return type(self)(
            self.service,
            self.request,
            self.cause,
            status=self.status,
            field_errors=dict.fromkeys(self.field_errors, ""),
            retry_after=self.retry_after,
            scope=self.scope,
        )


class NotDone(RemoteError):
    """The service certainly did not carry out the request."""


class TooLate(NotDone):
    """syncd itself did not send the request: it may not write any more, or prepared it for too long."""

    def __init__(self, service: str, request: str, why: str) -> None:
        super().__init__(service, request, Cause.PAUSED, why)


class Unknown(RemoteError):
    """The service may have carried out the request; only a look-up tells."""


class Unreadable(Unknown):
    """A whole answer came, but this object in it is not as documented; the service is healthy."""

    @property
    def of_one_object(self) -> bool:
        """True: the answer came from the service, which is healthy."""
        return True
