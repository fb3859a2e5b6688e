"""This ledger stands in the place of one that was lost: known by the marks that the other one left.

From then on, mails about what lies before this ledger's beginning are listed and not sent: the other one may
have sent them (rules: "Start, brakes, ceilings").
"""

from __future__ import annotations

from loguru import logger
from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.domain.ticket import Issue
from syncd.engine.context import Desk
from syncd.ledger.store import audit
from syncd.ledger.store.restored import note_succession


def note_earlier_ledger(session: Session, desk: Desk, issue: Issue) -> None:
    """An issue bears another ledger's mark: that one is lost, and what it may have sent is not sent again."""
    another = issue.mark is not None and issue.mark.instance != desk.ledger.instance
    if another and note_succession(session, desk.ledger.born):
        logger.warning("an earlier ledger made {}: what it knew is rebuilt from both services", issue.key)
        data: dict[str, JsonValue] = {"born": desk.ledger.born.isoformat()}
        audit.append(session, desk.clock.now(), "ledger.succeeds", data=data)
