"""Why an operation does not leave now: it cannot be rendered, its basis changed, or it is too early."""

from __future__ import annotations


class CannotRender(Exception):
    """An operation that cannot be turned into a request as things are: it is parked with this text."""


class DecideAgain(Exception):
    """What the operation was decided upon has changed: it is superseded and the incident decided anew."""


class NotYet(Exception):
    """It is not the time for an operation: it waits for news of its incident, and is rendered anew then."""
