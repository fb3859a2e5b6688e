"""The reads of a poll: where one is refused, the others go on; it is said once and asked ever less often."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from syncd.engine.runtime.refusals import AGAIN, Refusals
from syncd.remote.errors import Cause, NotDone, RemoteError

Answer = TypeVar("Answer")

PAUSES = 5.0, 300.0
"""Seconds until syncd asks again: shorter than for other refusals, as a poll brings the news."""
_READ = "read"


class Reads:
    """The reads of one poll of a service."""

    def __init__(self, service: str, refusals: Refusals) -> None:
        self._service = service
        self._refusals = refusals
        self._first: RemoteError | None = None

    def read(self, what: str, read: Callable[[], Answer]) -> Answer | None:
        """Return the answer of a read, None where it is refused or its next try is not due.

        Raise `RemoteError` where the read fails for another reason.
        """
        subject = f"{_READ}/{what}"
        if not self._refusals.may_ask(subject, _READ):
            error = NotDone(self._service, what, Cause.PAUSED, "it was refused, and syncd asks again later")
            self._first = self._first or error
            return None
        try:
            answer = read()
        except RemoteError as error:
            if not error.refused:
                raise
            words = f"syncd cannot read {what}"
            self._refusals.refused(subject, _READ, words, error.describe(), remedy=AGAIN, pauses=PAUSES)
            self._first = self._first or error
            return None
        self._refusals.answered(subject, _READ)
        return answer

    def end(self) -> None:
        """Raise the first refusal, if any: then the poll as a whole is not good."""
        if self._first is not None:
            raise self._first


def read_alone(service: str, refusals: Refusals, what: str, read: Callable[[], None]) -> None:
    """Read a poll that is one read; raise `RemoteError` where it fails, is refused, or is not due."""
    reads = Reads(service, refusals)
    reads.read(what, read)
    reads.end()
