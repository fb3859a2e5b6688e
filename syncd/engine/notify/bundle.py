"""Decide which notices to one person leave in one mail, and when: those beyond five in ten minutes.

The mail leaves at most ten minutes after the decision on its first notice. It is the mail of one of the
notices, the carrier, under the carrier's own key: the notice that syncd tries first when they are due. The
transaction that claims the carrier binds the others to it, and they end as it ends. A notice graver than all
of the last ten minutes leaves at once by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from syncd.domain.mail import MailKind
from syncd.domain.operation import UNSURE_STATES, OperationState, SendMail
from syncd.domain.operation.mail import NoticeMail
from syncd.domain.operation.rendered import RenderedMail
from syncd.engine.context import EngineContext
from syncd.engine.notify.compose import mapping_of_mail
from syncd.engine.notify.mail_history import may_have_left
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.mails import mail_kind, mails_to
from syncd.policy.notify.notices import BUNDLED_FOR

AT_MOST = 5
"""The most notices that one person gets in mails of their own within `WINDOW`."""
WINDOW = BUNDLED_FOR
NOTICES = frozenset({MailKind.NOTICE, MailKind.CORRECTION})
MOST = 40
"""The most notices in one mail: a template's output is limited. The others leave at once in the next mail."""


def is_notice(operation: OperationRecord) -> bool:
    """Return True if the operation is a mail that may leave together with others."""
    return mail_kind(operation) in NOTICES


def bundle_due(
    context: EngineContext, operation: OperationRecord, leaving: Iterable[OperationRecord]
) -> datetime | None:
    """Return when a notice leaves together with others; None where it leaves by itself, now.

    `leaving` are the notices that other workers have begun to send.
    """
    mail = operation.typed(SendMail)
    # it may have left, and a second sending must be the very same message
    if mail.unsure:
        return None
    others = [other for other in _notices_to(context, mail) if other.id != operation.id]
    waiting = [other for other in others if _waits(other)]
    if not mail.bundled:
        now = context.clock.now()
        recent = [other for other in others if _counts(other, now - WINDOW, now)]
        counted = {other.id for other in recent}
        begun = [
            other for other in leaving if other.typed(SendMail).to == mail.to and other.id not in counted
        ]
        if not _is_beyond(context, operation, [*recent, *begun]):
            return None
    first, now = min(other.decided_at for other in (operation, *waiting)), context.clock.now()
    # a decision of the future was made before the clock was set back: nobody knows how long it waited
    return first + WINDOW if first <= now else now


def told_with(context: EngineContext, operation: OperationRecord) -> list[OperationRecord]:
    """Return the notices that leave in the mail of this one.

    While it never left, they are those that wait; afterwards those that were bound to it then.
    """
    mail = operation.typed(SendMail)
    if not mail.bundled:
        return []
    if mail.unsure:
        return bound_to(context, operation)
    waiting = [other for other in _notices_to(context, mail) if _waits(other) and other.id != operation.id]
    return waiting[: MOST - 1]


def bound_to(context: EngineContext, operation: OperationRecord) -> list[OperationRecord]:
    """Return the notices that end as this one's mail does."""
    others = _notices_to(context, operation.typed(SendMail))
    return [other for other in others if carrier_of(other) == operation.key]


def carrier_of(operation: OperationRecord) -> str | None:
    """Return the key of the mail that tells a notice which is under way; None where it has its own mail."""
    rendered = operation.rendering if operation.state in UNSURE_STATES else None
    return rendered.told_by or None if isinstance(rendered, RenderedMail) else None


def freed(operation: OperationRecord) -> bool:
    """Return True if the mail did not leave and lists notices that were freed then: it is written anew."""
    rendered = operation.rendering
    listed = isinstance(rendered, RenderedMail) and bool(rendered.tells)
    return listed and not operation.typed(SendMail).unsure


def rank(context: EngineContext, operation: OperationRecord) -> int:
    """Return the place of a notice's severity in its team's mapping: 0 is the gravest, and an unknown one."""
    mapping, content = mapping_of_mail(context, operation), operation.typed(SendMail).content
    names = list(mapping.severities) if mapping else []
    if isinstance(content, NoticeMail):
        return names.index(content.severity) if content.severity in names else 0
    # a lowering is never grave
    return len(names)


def _notices_to(context: EngineContext, mail: SendMail) -> list[OperationRecord]:
    since = context.clock.now() - WINDOW
    return [other for other in mails_to(context.ledger, mail.to, since) if is_notice(other)]


def _waits(notice: OperationRecord) -> bool:
    mail = notice.typed(SendMail)
    # a stored message of its own has to leave as it is
    alone = notice.rendering is not None
    return notice.state == OperationState.PENDING and mail.bundled and not mail.unsure and not alone


def _counts(notice: OperationRecord, since: datetime, until: datetime) -> bool:
    """Return True if a notice left in (since, until], or was decided then and waits for its bundle."""
    if _waits(notice):
        return since < notice.decided_at <= until
    return may_have_left(notice) and notice.claimed_at is not None and since < notice.claimed_at <= until


def _is_beyond(context: EngineContext, notice: OperationRecord, recent: list[OperationRecord]) -> bool:
    if len(recent) < AT_MOST:
        return False
    return rank(context, notice) >= min(rank(context, other) for other in recent)
