"""Whether a webhook's body was signed by whoever knows the secret: HMAC over the raw bytes.

Compared in constant time. Neither service signs a time, so that a copy cannot be told by its signature:
what came before is told by its id (`syncd.web.receive`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

PAGERDUTY_HEADER = "x-pagerduty-signature"
JIRA_HEADER = "x-hub-signature"
_METHODS = ("sha256", "sha384", "sha512")


def pagerduty_signed(body: bytes, header: str, secrets: Iterable[str]) -> bool:
    """Whether one of the `v1=` signatures fits one of the secrets; there are several while one is changed.

    Other versions are passed over (PagerDuty: "Webhook signatures").
    """
    given = [part.strip().removeprefix("v1=") for part in header.split(",") if part.strip().startswith("v1=")]
    found = False
    for secret in secrets:
        wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        for one in given:
            found = hmac.compare_digest(wanted.encode(), one.encode()) or found
    return found


def jira_signed(body: bytes, header: str, secret: str) -> bool:
    """Whether `method=hex` fits the secret; the method stands in the header, and only sound ones count."""
    method, _, given = header.strip().partition("=")
    if method.lower() not in _METHODS:
        return False
    wanted = hmac.new(secret.encode(), body, method.lower()).hexdigest()
    return hmac.compare_digest(wanted.encode(), given.strip().lower().encode())
