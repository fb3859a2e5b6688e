"""What holds for a ledger that is younger than what was done in its name: restored, or made after a loss.

Until when creates wait, and what is not sent any more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlmodel import Session

from syncd.domain.mail import MailKind
from syncd.domain.operation import Operation, Target
from syncd.ledger.store.key_values import get_cursor, set_cursor
from syncd.ledger.store.tables import TicketRow

if TYPE_CHECKING:
    from syncd.ledger.database.connection import Database

CURSOR = "restored"
UNSENT = (Target.MAIL, Target.CHAT)
"""What nobody can look up afterwards."""
SUCCEEDS = "succeeds"
"""The cursor of a ledger in which another one's work was found: since when there is this one."""
WHY = "not sent: it lies before this ledger's beginning or restore, and may have been sent already"
APART = timedelta(minutes=2)
"""How far apart a service's clock and ours may be: what is so much younger than the restore may be older."""


def hold_left(db: Database, boot_id: str, boottime: float, settle_seconds: float) -> float:
    """Seconds until the search's silence about a ticket proves something; 0 where nothing was restored.

    `boottime` is now on the boot-time clock; over a reboot the time starts anew.
    """
    with db.read() as session:
        known = get_cursor(session, CURSOR)
    if not known or known.get("over"):
        return 0.0
    since = known.get("boottime")
    if known.get("boot_id") != boot_id or not isinstance(since, int | float):
        since, known = boottime, {**known, "boot_id": boot_id, "boottime": boottime}
        with db.write() as session:
            set_cursor(session, CURSOR, **known)
    left = max(0.0, since + settle_seconds - boottime)
    if not left:
        with db.write() as session:
            set_cursor(session, CURSOR, **{**known, "over": True})
    return left


def restored_at(session: Session) -> datetime | None:
    """When this ledger was restored last; None: never."""
    at = get_cursor(session, CURSOR).get("at")
    return datetime.fromisoformat(str(at)) if at else None


def note_succession(session: Session, born: datetime) -> bool:
    """Another ledger was lost and this one stands in its place; whether that is news."""
    if get_cursor(session, SUCCEEDS):
        return False
    set_cursor(session, SUCCEEDS, at=born.isoformat())
    return True


def _began(session: Session) -> datetime | None:
    """Before when others may have written and sent what this ledger does not know; None: nobody did."""
    at = get_cursor(session, SUCCEEDS).get("at")
    born = datetime.fromisoformat(str(at)) if at else None
    return max((one for one in (restored_at(session), born) if one is not None), default=None)


def lies_before_beginning(session: Session, op: Operation) -> bool:
    """Whether a mail or chat post speaks of a moment before the restore, or before this ledger came after a
    lost one: it is listed, and not sent.

    The moment is `meaning["moment"]` (ISO 8601), by which the rule derived the key. A notice of an incident
    for which the lost ledger made no ticket was not sent by it: it goes out.
    """
    moment = op.meaning.get("moment")
    if op.target not in UNSENT or not isinstance(moment, str):
        return False
    if op.meaning.get("mail") == MailKind.NOTICE and restored_at(session) is None:
        ticket = session.get(TicketRow, op.incident)
        if ticket is None or ticket.origin != "adopted":
            return False
    at = _began(session)
    return at is not None and datetime.fromisoformat(moment) < at
