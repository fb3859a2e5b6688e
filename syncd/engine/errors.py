"""The reasons why an operation does not leave now: no rendering, a changed basis, too early."""

from __future__ import annotations


class CannotRender(Exception):
    """syncd cannot turn an operation into a request: park the operation with this text."""


class OutOfSight(CannotRender):
    """Jira does not show the issue that an operation writes to: park it until the issue is back."""


class DecideAgain(Exception):
    """The incident or issue changed since the decision: supersede the operation and decide anew."""


class NotYet(Exception):
    """It is too early for an operation: it waits for news of its incident and is rendered anew then."""
