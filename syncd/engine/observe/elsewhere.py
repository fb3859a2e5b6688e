"""Notice the acts of other processes on the same ledger: a standby's webhooks, a former leader's writes."""

from __future__ import annotations

from syncd.engine.context import EngineContext
from syncd.ledger.store.change_queue import ELSEWHERE, ChangeNotice, notice_changes, noticed_elsewhere


class NoticedElsewhere:
    """The change notices that a standby stored; empty where the ledger has only one process."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._seen: set[int] = set()

    def fresh(self) -> list[str]:
        """Return the incidents with new notices, each notice once: each cycle looks at all of them."""
        if self._context.ledger.leadership is None:
            return []
        noticed = noticed_elsewhere(self._context.ledger)
        fresh = dict.fromkeys(incident for number, incident in noticed.items() if number not in self._seen)
        self._seen = set(noticed)
        return list(fresh)


def by_our_clock(context: EngineContext, notice: ChangeNotice) -> ChangeNotice:
    """Return a notice so that only a read from now on answers it, if another process stored it."""
    if notice.read_seq != ELSEWHERE:
        return notice
    return notice._replace(read_seq=context.ledger.logical_clock.next())


def read_again(context: EngineContext, incident_ids: list[str]) -> None:
    """Let syncd read what a former leader was writing to before anything is decided on it.

    Where the lock ends only with its process, nothing can still be on its way from one.
    """
    ledger = context.ledger
    if ledger.leadership is None:
        return
    for ticket in (False, True):
        read_seq, now = ledger.logical_clock.next(), context.clock.now()
        notice_changes(ledger, incident_ids, now, read_seq, "a new leader", ticket=ticket)
