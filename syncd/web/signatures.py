"""Check that the sender of a webhook knows the secret: an HMAC over the raw bytes of the body.

The comparison takes constant time. Neither service signs a time, so a signature does not reveal a repeated
body; `syncd.web.receive` recognises it by the delivery's id.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

PAGERDUTY_HEADER = "x-pagerduty-signature"
JIRA_HEADER = "x-hub-signature"
_METHODS = ("sha256", "sha384", "sha512")


def pagerduty_signed(body: bytes, header: str, secrets: Iterable[str]) -> bool:
    """Return True if one of the `v1=` signatures matches one of the secrets.

    There are several while somebody changes the secret. PagerDuty asks receivers to ignore other versions.
    """
    given = [part.strip().removeprefix("v1=") for part in header.split(",") if part.strip().startswith("v1=")]
    matches = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        for signature in given:
            # no early end: the time must not tell which secret matched
            matches = hmac.compare_digest(expected.encode(), signature.encode()) or matches
    return matches


def jira_signed(body: bytes, header: str, secret: str) -> bool:
    """Return True if the header `method=hex` matches the secret; weak methods such as md5 never match."""
    method, _, given = header.strip().partition("=")
    # the sender chooses the method, so a forger could choose a broken one
    if method.lower() not in _METHODS:
        return False
    expected = hmac.new(secret.encode(), body, method.lower()).hexdigest()
    return hmac.compare_digest(expected.encode(), given.strip().lower().encode())
