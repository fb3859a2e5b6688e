"""Tell the security lead what a restricted ticket lacks."""

from __future__ import annotations

from hashlib import sha256

from loguru import logger

from syncd.domain.mail import MailKind, mail_key
from syncd.domain.operation import SendMail
from syncd.domain.operation.mail import LeadMail
from syncd.engine.context import EngineContext
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.confirmation import Untold
from syncd.ledger.store.decisions import MailToLead


def mail_to_lead(context: EngineContext, incident: IncidentRecord, why: str) -> MailToLead | None:
    """Return the mail that tells the security lead, None where the incident's team names none."""
    mapping = context.rules.current.mapping_of(incident.team)
    if mapping is None or not mapping.restricted.lead:
        return None
    return _mail_to_lead(incident.id, mapping.restricted.lead, why), mapping.version


def _mail_to_lead(incident_id: str, lead: str, why: str) -> SendMail:
    """Naming the lead in the mapping is what switches this mail on."""
    read_seq = sha256(why.encode()).hexdigest()[:12]
    return SendMail(
        key=mail_key(MailKind.LEAD, incident_id, read_seq, lead),
        incident=incident_id,
        to=lead,
        why="you are the security lead",
        content=LeadMail(reason=why),
        reason="a restricted incident is not sheltered as the mapping wants it",
    )


def untold(context: EngineContext, why: str) -> Untold:
    """Return what is stored where the security lead has to hear that a restricted issue has no level."""
    return Untold(why, lambda incident: mail_to_lead(context, incident, why))


def warn_of_untold(incident_id: str, why: str) -> None:
    """Log that the security lead has to hear of a restricted issue."""
    logger.bind(incident=incident_id).warning("the security lead has to hear of {}: {}", incident_id, why)
