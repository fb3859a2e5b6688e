"""Which mails may have left, and which of those that wait are not true any more.

A mail that never left, or was certainly not taken, is decided again before it leaves: it goes out as long as
the decision asks for it, and is on record as not sent, with the reason, when it does so no more (rules:
"Before anything leaves, the truth is read again").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncd.domain.mail import DECIDED
from syncd.domain.operation import Kind, OperationState, SendMail
from syncd.ledger.records import OperationRecord
from syncd.policy.case import Decision

NOT_SENT = (OperationState.PENDING, OperationState.HELD, OperationState.PARKED)


def may_have_left(mail: OperationRecord) -> bool:
    """Whether somebody may have received the mail."""
    left = (OperationState.DONE, OperationState.IN_FLIGHT, OperationState.UNKNOWN)
    return mail.state in left or mail.typed(SendMail).unsure


def undecided(mails: Iterable[OperationRecord]) -> dict[str, OperationRecord]:
    """Of an incident's rows, the mails that a decision asks for and that certainly did not leave, by key."""
    return {
        mail.key: mail
        for mail in mails
        if mail.kind == Kind.SEND_MAIL
        and mail.state in NOT_SENT
        and mail.typed(SendMail).content.mail in DECIDED
        and not mail.typed(SendMail).unsure
    }


def untrue(mails: Iterable[OperationRecord], decision: Decision) -> Iterator[tuple[OperationRecord, str]]:
    """The mails that wait and are not to be sent any more, each with the reason."""
    wanted = {op.key: op for op in decision.operations if isinstance(op, SendMail)}
    for key, mail in undecided(mails).items():
        op = wanted.get(key)
        why = (op or mail.typed(SendMail)).skip
        if op is None or why:
            yield mail, f"not sent: {why or 'it is no longer true'}"
