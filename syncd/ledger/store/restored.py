"""What holds for a ledger that is younger than what was done in its name: restored, or made after a loss.

Until when creates wait, and what is not sent any more.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from syncd.domain.mail import MailKind
from syncd.domain.operation import Operation, SendMail, Target
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in
from syncd.ledger.store.tables import TicketRow

KEY = "restored"
UNSENT = (Target.MAIL, Target.CHAT)
"""What nobody can look up afterwards."""
SUCCEEDS = "succeeds"
"""The key of a ledger in which another one's work was found: since when there is this one."""
WHY = "not sent: it lies before this ledger's beginning or restore, and may have been sent already"
APART = timedelta(minutes=2)
"""How far apart a service's clock and ours may be: what is so much younger than the restore may be older."""


def hold_left(ledger: Transactions, boot_id: str, boottime: float, settle_seconds: float) -> float:
    """Seconds until the search's silence about a ticket proves something; 0 where nothing was restored.

    `boottime` is now on the boot-time clock; over a reboot the time starts anew.
    """
    with ledger.read() as session:
        known = get_cursor_in(session, KEY)
    if not known or known.get("over"):
        return 0.0
    since = known.get("boottime")
    stamped = known.get("boot_id") == boot_id and isinstance(since, int | float)
    begun = float(str(since)) if stamped else boottime
    left = max(0.0, begun + settle_seconds - boottime)
    if not left or not stamped:
        now: dict[str, object] = {**known, "boot_id": boot_id, "boottime": begun}
        with ledger.write() as session:
            set_cursor_in(session, KEY, **now, **({} if left else {"over": True}))
    return left


def restored_at(session: Session) -> datetime | None:
    """When this ledger was restored last; None: never."""
    at = get_cursor_in(session, KEY).get("at")
    return datetime.fromisoformat(str(at)) if at else None


def note_succession(session: Session, born: datetime) -> bool:
    """Another ledger was lost and this one stands in its place; whether that is news."""
    if get_cursor_in(session, SUCCEEDS):
        return False
    set_cursor_in(session, SUCCEEDS, at=born.isoformat())
    return True


def _began(session: Session) -> datetime | None:
    """Before when others may have written and sent what this ledger does not know; None: nobody did."""
    at = get_cursor_in(session, SUCCEEDS).get("at")
    born = datetime.fromisoformat(str(at)) if at else None
    return max((one for one in (restored_at(session), born) if one is not None), default=None)


def lies_before_beginning(session: Session, op: Operation) -> bool:
    """Whether a mail or chat post speaks of a moment before the restore, or before this ledger came after a
    lost one: it is listed, and not sent.

    The moment is that by which the rule derived the key. A notice of an incident
    for which the lost ledger made no ticket was not sent by it: it goes out.
    """
    if not isinstance(op, SendMail) or op.moment is None:
        return False
    if op.content.mail is MailKind.NOTICE and restored_at(session) is None:
        ticket = session.get(TicketRow, op.incident)
        if ticket is None or ticket.origin != "adopted":
            return False
    at = _began(session)
    return at is not None and op.moment < at
