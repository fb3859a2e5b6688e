"""The epoch of the leader, as the ledger has it: a leader that was replaced stores nothing any more."""

from __future__ import annotations

from sqlalchemy import select
from sqlmodel import Session, col

from syncd.ledger.database.leadership import Leadership
from syncd.ledger.errors import LeadershipLost
from syncd.ledger.store.identity import set_meta
from syncd.ledger.store.tables import MetaRow

_KEY = "leader"


def begin_epoch(session: Session, leadership: Leadership) -> None:
    """Store the epoch of a new leader; this waits for the open transactions of the former one."""
    set_meta(session, _KEY, leadership.epoch)


def check_epoch(session: Session, leadership: Leadership) -> None:
    """Raise `LeadershipLost` unless this leader leads until the end of the transaction."""
    if leadership.why_lost() is None and session.connection().scalar(_EPOCH) != leadership.epoch:
        leadership.lose("another daemon leads it")
    lost = leadership.why_lost()
    if lost is not None:
        raise LeadershipLost(lost)


# a writing transaction has all other writers wait, so no new leader can store its epoch before its end
_EPOCH = select(col(MetaRow.value)).where(col(MetaRow.key) == _KEY)
