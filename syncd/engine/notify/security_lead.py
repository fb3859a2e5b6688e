"""Tell the security lead what a restricted ticket lacks."""

from __future__ import annotations

from hashlib import sha256

from loguru import logger
from sqlmodel import Session

from syncd.domain.mail import MailKind, mail_key
from syncd.domain.operation import Kind, Operation
from syncd.engine.context import Desk
from syncd.engine.observe.masking import _named
from syncd.ledger.store import audit, outbox
from syncd.ledger.store.tables import IncidentRow


def tell_lead(session: Session, desk: Desk, incident_id: str, why: str, issue: str | None = None) -> None:
    """The security lead has to hear that a restricted ticket has no level: on record, and by mail.

    The event `restricted.untold` names the incident; nothing of its text stands there or in the log.
    """
    now = desk.clock.now()
    audit.append(session, now, "restricted.untold", incident=incident_id, issue=issue, data={"why": why})
    row = session.get(IncidentRow, incident_id)
    mapping = _named(desk, row.team) if row else None
    if mapping is not None and mapping.restricted.lead:
        outbox.add(session, [_mail_to_lead(incident_id, mapping.restricted.lead, why)], now, mapping.version)
    logger.bind(incident=incident_id).warning("the security lead has to hear of {}: {}", incident_id, why)


def _mail_to_lead(incident_id: str, lead: str, why: str) -> Operation:
    """Naming the lead in the mapping is what switches this mail on."""
    moment = sha256(why.encode()).hexdigest()[:12]
    return Operation(
        key=mail_key(MailKind.LEAD, incident_id, moment, lead),
        kind=Kind.SEND_MAIL,
        incident=incident_id,
        object=f"mail:{incident_id}",
        meaning={"mail": MailKind.LEAD, "to": lead, "why": "you are the security lead", "reason": why},
        reason="a restricted incident is not sheltered as the mapping wants it",
    )
