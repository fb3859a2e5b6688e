"""Keep one object's trouble its own: what syncd cannot read or do about it holds up nothing else.

A failure belongs to one object if the service refuses it in its own words, if the object's data cannot be
parsed, or if it fails three times while the same service answers other requests. Any other failure may be an
outage of the whole service, and the caller waits for that. syncd goes on without the object, records and logs
the trouble once, and tries again ever less often: at first after seconds, at last every 15 minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from syncd.domain.clock import Clock
from syncd.engine.runtime.service_health import Health
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import troubles
from syncd.ledger.store.snapshots import is_restricted
from syncd.remote.errors import NotDone, RemoteError, Unreadable

Answer = TypeVar("Answer")

CARRY_OUT = "carry out: "
READ_ISSUE = "read the issue"
READ_CHANGELOG = "read the changelog"
READ_NOTES = "read its notes"
LOOK_UP_PEOPLE = "look up people, so tickets may lack an assignee"
LOOK_UP_PERSON = "look up a person, so tickets may lack an assignee"
READ_USERS = "look up its own user"
MAY_MOVE = "ask whether it may move issues"
READ_ALERTS = "read its alerts"
READ_COMMENTS = "read the comments on its ticket"
READ_TICKET = "read its ticket"
DECIDE = "read what it needs to decide"

PATIENCE = 3
"""Failures without the service's words after which the trouble is the object's, if the service answers."""
TRY_NOW = -1.0
"""A moment on the boot-time clock that is always over."""
LONGEST = 900.0
"""The most seconds between two tries."""
SOON, REFUSED, MALFORMED = 5.0, 60.0, 900.0
"""Seconds until the second try: a failing service, a refusal, data that cannot be parsed."""


@dataclass
class _Tries:
    """The tries in vain: their number, the first and the next on the boot-time clock."""

    first: float
    number: int = 0
    next: float = 0.0
    recorded: bool = False


class Troubles:
    """The present troubles with reads and writes, by object and part; safe to use from any thread."""

    def __init__(self, ledger: Transactions, clock: Clock, health: Health) -> None:
        """Take over the troubles that the ledger holds; each of them may be tried again at once."""
        self._ledger, self._clock, self._health = ledger, clock, health
        self._lock = Lock()
        self._tries = {
            (trouble.whose, trouble.what): _Tries(clock.boottime(), PATIENCE, recorded=True)
            for trouble in troubles.troubles(ledger)
        }

    def may_try(self, whose: str, what: str) -> bool:
        """Return True unless it failed before and its next try is not due."""
        return not self.wait_for(whose, what)

    def is_due(self, whose: str, what: str) -> bool:
        """Return True if it failed before and its next try is due."""
        with self._lock:
            known = (whose, what) in self._tries
        return known and self.may_try(whose, what)

    def wait_for(self, whose: str, what: str) -> float:
        """Return the seconds until the next try, 0 where it may be tried now."""
        with self._lock:
            tries = self._tries.get((whose, what))
        return max(0.0, tries.next - self._clock.boottime()) if tries is not None else 0.0

    def is_waiting(self, whose: str, what: str) -> bool:
        """Return True if it failed before and its next try is not due."""
        return self.wait_for(whose, what) > 0

    def next_try(self, whose: str) -> float | None:
        """Return the seconds until the first next try of an object's troubles, None where none is to come.

        What is due by now is tried in this turn; if nothing asks for it any more, it needs no turn.
        """
        now = self._clock.boottime()
        with self._lock:
            waits = [tries.next - now for key, tries in self._tries.items() if key[0] == whose]
        return min((wait for wait in waits if wait > 0), default=None)

    def ask(
        self, whose: str, what: str, question: Callable[[], Answer], *, patient: bool = False
    ) -> Answer | None:
        """Return the answer to a question about one object; None where there is none now.

        With `patient` raise `RemoteError` while the failure may be an outage of the whole service.
        """
        if not self.may_try(whose, what):
            return None
        try:
            answer = question()
        except RemoteError as error:
            if not self.failed(whose, what, error):
                if patient:
                    raise
                self._health.failed(error.service, error)
            return None
        self.over(whose, what)
        return answer

    def failed(self, whose: str, what: str, error: RemoteError) -> bool:
        """Note a failure; return True if it is the object's own trouble, False if it may be an outage."""
        now, down = self._clock.boottime(), self._health.of(error.service).down_since is not None
        with self._lock:
            tries = self._tries.setdefault((whose, what), _Tries(now))
            # an outage of the service is not this object's: it adds nothing to its wait
            if error.of_whole_service or (down and not error.of_one_object):
                tries.next = now + SOON
                return False
            tries.number += 1
            tries.next = now + _pause(_first_wait(error), tries.number)
            patience_over = tries.number >= PATIENCE and self._health.answered(error.service, tries.first)
            own = error.of_one_object or patience_over
            fresh, tries.recorded = own and not tries.recorded, tries.recorded or own
        if fresh:
            shown = error.without_words() if is_restricted(self._ledger, whose) else error
            why = f"{error.service}: {shown.answer}"
            troubles.note_trouble(self._ledger, whose, what, why, self._clock.now())
        return own

    def over(self, whose: str, what: str) -> None:
        """Note a success, and remove the trouble from the ledger if it was recorded."""
        with self._lock:
            tries = self._tries.pop((whose, what), None)
        if tries is not None and tries.recorded:
            troubles.trouble_is_over(self._ledger, whose, what)

    def note(self, whose: str, what: str, why: str) -> None:
        """Record a trouble that an answer about many objects shows."""
        now = self._clock.boottime()
        with self._lock:
            tries = self._tries.setdefault((whose, what), _Tries(now))
            fresh = not tries.recorded
            tries.number, tries.recorded = tries.number + 1, True
            tries.next = now + _pause(REFUSED, tries.number)
        if fresh:
            troubles.note_trouble(self._ledger, whose, what, why, self._clock.now())

    def keep_operations(self, whose: str, open_ones: Set[str]) -> None:
        """Remove the troubles of operations that are no longer open."""
        with self._lock:
            ended = [
                what
                for name, what in self._tries
                if name == whose and what.startswith(CARRY_OUT) and what not in open_ones
            ]
        for what in ended:
            self.over(whose, what)

    def recorded(self, whose: str, what: str) -> None:
        """Take over a trouble that the ledger's verb has just recorded; it may be tried again at once."""
        with self._lock:
            self._tries.setdefault((whose, what), _Tries(self._clock.boottime(), recorded=True))

    def whose(self, what: str) -> set[str]:
        """Return the objects that have this trouble."""
        with self._lock:
            return {key[0] for key in self._tries if key[1] == what}

    def try_now(self, whose: str) -> None:
        """Let what syncd tried in vain for one object be tried again at once."""
        with self._lock:
            for name, tries in ((key[0], tries) for key, tries in self._tries.items()):
                if name == whose:
                    tries.next = self._clock.boottime()

    def try_all(self) -> list[str]:
        """Let everything be tried again at once; return whose troubles there are.

        What nobody has tried since the last call concerns nobody any more, and its trouble is removed.
        """
        with self._lock:
            untried = [key for key, tries in self._tries.items() if tries.next == TRY_NOW]
            for tries in self._tries.values():
                tries.next = TRY_NOW
        for whose, what in untried:
            self.over(whose, what)
        with self._lock:
            return list(dict.fromkeys(whose for whose, _ in self._tries))


def _pause(first: float, number: int) -> float:
    return min(LONGEST, first * 2.0 ** min(number - 1, 10))


def _first_wait(error: RemoteError) -> float:
    if isinstance(error, Unreadable):
        return MALFORMED
    return REFUSED if isinstance(error, NotDone) and error.of_one_object else SOON
