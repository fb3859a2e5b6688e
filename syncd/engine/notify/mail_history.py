"""Tell which mails may have left, and which waiting mails are not true any more.

syncd decides a mail again before it leaves, if the mail never left or the server certainly refused it. The
mail leaves while the decision asks for it; otherwise the ledger records it as not sent, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncd.domain.mail import DECIDED
from syncd.domain.operation import Kind, OperationState, SendMail
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.operation_states import outcome_unknown
from syncd.policy.case import Decision

NOT_SENT = (OperationState.PENDING, OperationState.HELD, OperationState.PARKED)


def may_have_left(mail: OperationRecord) -> bool:
    """Return True if somebody may have received the mail."""
    return mail.state == OperationState.DONE or outcome_unknown(mail) or mail.typed(SendMail).unsure


def undecided(mails: Iterable[OperationRecord]) -> dict[str, OperationRecord]:
    """Return the mails, by key, that a decision asks for and that certainly did not leave."""
    return {
        mail.key: mail
        for mail in mails
        if mail.kind == Kind.SEND_MAIL
        and mail.state in NOT_SENT
        and mail.typed(SendMail).content.mail in DECIDED
        and not may_have_left(mail)
    }


def untrue(mails: Iterable[OperationRecord], decision: Decision) -> Iterator[tuple[OperationRecord, str]]:
    """Yield the waiting mails that the decision does not ask for any more, each with the reason."""
    decided = {op.key: op for op in decision.operations if isinstance(op, SendMail)}
    for key, mail in undecided(mails).items():
        op = decided.get(key)
        why = (op or mail.typed(SendMail)).skip
        if op is None or why:
            yield mail, f"not sent: {why or 'it is no longer true'}"
