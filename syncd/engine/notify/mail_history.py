"""Tell which mails and posts may have left, and which waiting ones are not true any more.

syncd decides a mail or a post again before it leaves, if it never left or the server certainly refused it. It
leaves while the decision asks for it; otherwise the ledger records it as not sent, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncd.domain.mail import DECIDED
from syncd.domain.operation import UNSENT_STATES, OperationState, PostChat, SendMail, Target
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.operation_states import outcome_unknown
from syncd.policy.case import Decision


def may_have_left(mail: OperationRecord) -> bool:
    """Return True if somebody may have received the mail or the post."""
    message = mail.operation
    unsure = isinstance(message, SendMail | PostChat) and message.unsure
    return mail.state == OperationState.DONE or outcome_unknown(mail) or unsure


def undecided(mails: Iterable[OperationRecord]) -> dict[str, OperationRecord]:
    """Return the mails and posts, by key, that a decision asks for and that certainly did not leave."""
    return {
        mail.key: mail
        for mail in mails
        if mail.state in UNSENT_STATES and _is_decided(mail) and not may_have_left(mail)
    }


def _is_decided(mail: OperationRecord) -> bool:
    if mail.target not in (Target.MAIL, Target.CHAT):
        return False
    message = mail.operation
    return isinstance(message, PostChat) or (
        isinstance(message, SendMail) and message.content.mail in DECIDED
    )


def untrue(mails: Iterable[OperationRecord], decision: Decision) -> Iterator[tuple[OperationRecord, str]]:
    """Yield the waiting mails and posts that the decision does not ask for any more, with the reason."""
    decided = {op.key: op for op in decision.operations if isinstance(op, SendMail | PostChat)}
    for key, mail in undecided(mails).items():
        op, waiting = decided.get(key), mail.operation
        why = op.skip if op else waiting.skip if isinstance(waiting, SendMail | PostChat) else None
        if op is None or why:
            yield mail, f"not sent: {why or 'it is no longer true'}"
