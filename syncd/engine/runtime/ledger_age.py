"""Hold back what could be doubled until the ledger has proved that it is not older than what it made.

Somebody may put an older file of the ledger back while syncd is stopped. Such a ledger does not know its
latest writes. So after each start no create, comment or note leaves for a project before syncd has read what
is new there (`syncd.engine.observe.earlier_ledger.proof`); posts about the time before the start wait, too.
Mails about it wait for the first try of that read, and never for a Jira that does not answer. Notices of open
incidents do not wait: until the proof they say that they may be a repetition.

That read shows issues alone. If the lost rows are about comments and notes only, it shows nothing. So syncd
looks for each comment and note about an incident older than the start before it writes it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

from syncd.domain.clock import Clock
from syncd.domain.operation import OperationClass, PostChat, SendMail, Target
from syncd.ledger.open import Ledger
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.restored import is_open_notice, put_back_of

WAITS_FOR = "Jira to show that the ledger knows all that it made, which syncd reads after each start"


class LedgerAge:
    """The projects whose reads have proved the ledger's age since this start; safe to use from any thread."""

    def __init__(self, ledger: Ledger, clock: Clock, *, proved: bool = False) -> None:
        """Begin unproved; `proved` for an engine that sends nothing."""
        self._ledger = ledger
        self._clock = clock
        self._since = clock.now()
        self._since_boottime = clock.boottime()
        self._all = proved
        self._projects: frozenset[str] = frozenset()
        self._tried = False
        self._lock = Lock()

    def unproved(self, projects: set[str]) -> set[str]:
        """Return those of these projects that were not read since the start."""
        return set() if self._all else projects - self._projects

    def prove(self, projects: set[str]) -> None:
        """Note that the reads of these projects showed nothing that the ledger does not know by now."""
        with self._lock:
            self._projects |= projects

    def tried(self) -> None:
        """Note that the first try of the read is over: from now on no mail waits for Jira."""
        self._tried = True

    def holds(self, operation: OperationRecord, incident: IncidentRecord | None, projects: set[str]) -> bool:
        """Return True if an operation waits for the proof of its team's projects."""
        if operation.op_class != OperationClass.ONCE or not self.unproved(projects):
            return False
        if operation.target in (Target.JIRA, Target.PAGERDUTY):
            return True
        mail = operation.operation
        if not isinstance(mail, SendMail | PostChat) or mail.moment is None or mail.moment >= self._since:
            return False
        if self._tried and isinstance(mail, SendMail):
            return False
        return not is_open_notice(mail, incident.status if incident is not None else None)

    def predates(self, created_at: datetime, theirs: datetime | None) -> bool:
        """Return True if what a service created is older than this start, or may be.

        `theirs` is the present time by the service's clock (UTC), None while nobody knows it.
        """
        if theirs is None:
            return True
        ago = timedelta(seconds=self._clock.boottime() - self._since_boottime)
        return created_at < theirs - ago

    def may_be_repeated(self, moment: datetime, projects: set[str]) -> bool:
        """Return True if a notice about a moment (UTC) may have left before without a trace."""
        if self.unproved(projects) and moment < self._since:
            return True
        put_back = put_back_of(self._ledger)
        return put_back is not None and moment < put_back[0]
