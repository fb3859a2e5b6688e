"""How a request can fail, sorted by the only question that matters for a write: was it done?

`NotDone`: certainly not carried out, may be sent again as it is. `Unknown`: the first byte left and no
readable answer came; it must be looked up (design: exactly one). An answer that is not understood is
never read as "no".
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Self


class Cause(StrEnum):
    """Why a request was not done, or why that is not known."""

    PAUSED = "paused"
    """Not even asked: the service was not usable a moment ago."""
    UNREACHABLE = "unreachable"
    """Never connected."""
    CREDENTIALS = "credentials"
    """401, or 403 on what our account may never do: the whole service is affected."""
    FORBIDDEN = "forbidden"
    """403 about this object."""
    REJECTED = "rejected"
    """400, 405, 413, 422: the request itself will not do."""
    MISSING = "missing"
    """404 and 410."""
    CONFLICT = "conflict"
    """409."""
    LIMITED = "limited"
    """429: later."""
    REDIRECT = "redirect"
    """A redirect, never followed."""
    TIMEOUT = "timeout"
    BROKEN = "broken"
    """Reset, cut short, or an answer that cannot be read."""
    SERVER = "server"
    """408 and 5xx."""


_CODE = re.compile(r"\[(\d+)\]$")


class RemoteError(Exception):
    """A request that did not end well; carries data, never a token, never a whole foreign body.

    `message` is the service's own words cut to 256 characters, `field_errors` are Jira's by field,
    `retry_after` is in seconds from now and None where the service named none. `scope` says how far a
    LIMITED reaches: `issue` (writes to this issue), `endpoint` (this method and path), `message` (this mail)
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
        """One line for people: what was asked, what was answered, in the service's own words."""
        status = f" ({self.status})" if self.status else ""
        errors = sorted(self.field_errors.items())
        fields = "; ".join(f"{name}: {text}" if text else name for name, text in errors)
        words = "; ".join(part for part in (self.message, fields) if part)
        return f"{self.service}: {self.request}: {self.cause}{status}" + (f": {words}" if words else "")

    @property
    def absent(self) -> bool:
        """Whether the service itself says that there is no such object.

        A 404 without its words is somebody else's: a proxy's, or a wrong address's.
        """
        return self.cause is Cause.MISSING and bool(self.message)

    @property
    def code(self) -> int | None:
        """PagerDuty's own number for what is wrong (1001: already resolved), None where it named none."""
        found = _CODE.search(self.message)
        return int(found[1]) if found else None

    @property
    def not_for_us(self) -> bool:
        """Return True if the object or the endpoint is not there for our account; the service is usable."""
        return self.cause in (Cause.MISSING, Cause.FORBIDDEN)

    def without_words(self) -> Self:
        """The same failure without the service's words, which may quote what was sent; fields are named."""
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
    """The request was certainly not carried out."""


class Unknown(RemoteError):
    """The request may have been carried out; only looking tells."""


class Unreadable(Unknown):
    """A whole answer came, and what it says of this object is not as documented; the service is well."""
