"""The rules for a ledger that does not know all writes of the past: restored, or made after a loss.

They tell until when creates wait, and which mails and chat posts are not sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from syncd.domain.incident import IncidentStatus
from syncd.domain.mail import MailKind
from syncd.domain.operation import Operation, PostChat, SendMail, Target
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in
from syncd.ledger.store.tables import IncidentRow, TicketRow

KEY = "restored"
UNSENT = (Target.MAIL, Target.CHAT)
"""The targets at which syncd cannot look up whether a message was sent."""
SUCCEEDS = "succeeds"
"""The key under which a ledger that follows a lost one stores its own birth."""
WHY = "not sent: it lies before this ledger's beginning or restore, and may have been sent already"
PUT_BACK = "not sent: ledger was put back"
APART = timedelta(minutes=2)
"""How far a service's clock and ours may differ: what looks younger than a restore by less may be older."""


def hold_left(ledger: Transactions, boot_id: str, boottime: float, settle_seconds: float) -> float:
    """Return the seconds until a search without a result proves that there is no ticket; 0 without a restore.

    `boottime` is now on the boot-time clock, in seconds; after a reboot the time starts anew.
    """
    with ledger.read_one() as session:
        entry = get_cursor_in(session, KEY)
    if not entry or entry.get("over"):
        return 0.0
    since = entry.get("boottime")
    # the boot-time clock counts from the boot: another boot's figure says nothing
    stamped = entry.get("boot_id") == boot_id and isinstance(since, int | float)
    begun = float(str(since)) if stamped else boottime
    left = max(0.0, begun + settle_seconds - boottime)
    # store the start of the time in this boot, or that the time is over
    if not left or not stamped:
        now: dict[str, object] = {**entry, "boot_id": boot_id, "boottime": begun}
        if not stamped:
            now["rebooted"] = True
        with ledger.write() as session:
            set_cursor_in(session, KEY, **now, **({} if left else {"over": True}))
    return left


def restored_at(session: Session) -> datetime | None:
    """Return when this ledger was last restored (UTC), None if it never was."""
    at = get_cursor_in(session, KEY).get("at")
    return datetime.fromisoformat(str(at)) if at else None


def note_succession(session: Session, born: datetime) -> bool:
    """Store that this ledger, born at `born` (UTC), follows a lost one; return True if that is news."""
    if get_cursor_in(session, SUCCEEDS):
        return False
    set_cursor_in(session, SUCCEEDS, at=born.isoformat())
    return True


def _began(session: Session) -> datetime | None:
    """Return the moment (UTC) before which an earlier ledger may have sent mails, None if there was none."""
    at = get_cursor_in(session, SUCCEEDS).get("at")
    born = datetime.fromisoformat(str(at)) if at else None
    return max((moment for moment in (restored_at(session), born) if moment is not None), default=None)


def put_back_of(ledger: Transactions) -> tuple[datetime, str] | None:
    """Return when syncd saw that an older file was put back by hand (UTC), and the proof; None: never."""
    with ledger.read_one() as session:
        entry = get_cursor_in(session, KEY)
    return (datetime.fromisoformat(str(entry["at"])), str(entry["proof"])) if entry.get("proof") else None


def unread_above(ledger: Transactions, now: datetime) -> dict[str, int]:
    """Return the issue numbers, by project, above which Jira's search may not show yet what exists."""
    with ledger.read_one() as session:
        entry = get_cursor_in(session, _UNREAD)
    numbers = entry.get("numbers")
    if not isinstance(numbers, dict) or now - datetime.fromisoformat(str(entry["at"])) > LONGEST_LAG:
        return {}
    return {str(project): int(number) for project, number in numbers.items()}


def keep_unread_above(ledger: Transactions, numbers: dict[str, int], now: datetime) -> None:
    """Store the issue numbers above which each start reads the keys for a while."""
    with ledger.write() as session:
        set_cursor_in(session, _UNREAD, numbers=numbers, at=now.isoformat())


_UNREAD = "jira.unread_above"
LONGEST_LAG = timedelta(days=1)
"""After this time Jira's search has shown what existed at the beginning of a ledger."""


def is_open_notice(op: Operation, status: str | None) -> bool:
    """Return True for a notice of an incident that has this status and is still open."""
    still_open = status is not None and status != IncidentStatus.RESOLVED
    return (
        still_open
        and isinstance(op, SendMail)
        and op.content.mail in (MailKind.NOTICE, MailKind.UNACKNOWLEDGED)
    )


def why_not_sent(session: Session, op: Operation) -> str | None:
    """Return why a mail or a post is listed and not sent: its moment lies before this ledger's beginning.

    That is a restore, or the birth of a ledger that follows a lost one. The moment is the one from which the
    rule derived the key. None: it may leave.
    """
    if not isinstance(op, SendMail | PostChat) or op.moment is None:
        return None
    at = _began(session)
    if at is None or op.moment >= at:
        return None
    if get_cursor_in(session, KEY).get("proof"):
        incident = session.get(IncidentRow, op.incident)
        # it may be a repetition and says so: better twice than never
        return None if is_open_notice(op, incident.status if incident is not None else None) else PUT_BACK
    if isinstance(op, SendMail) and op.content.mail is MailKind.NOTICE and restored_at(session) is None:
        # if the lost ledger made no ticket for the incident, it did not send the notice either
        ticket = session.get(TicketRow, op.incident)
        if ticket is None or ticket.origin != "adopted":
            return None
    return WHY
