"""Tell the security lead that a restricted ticket lacks its security level."""

from __future__ import annotations

from hashlib import sha256

from syncd.domain.operation.mail import LeadMail
from syncd.engine.context import EngineContext
from syncd.engine.notify.compose import mail_to
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.confirmation import Untold
from syncd.ledger.store.decisions import MailToLead
from syncd.ledger.store.names import log_and_name
from syncd.policy.notify.recipients import Recipient, with_deputies
from syncd.policy.ticket.before_enforcement import was_over_before


def mail_to_lead(context: EngineContext, incident: IncidentRecord, why: str) -> MailToLead | None:
    """Return the mails that tell the security lead and their deputy; None where the team names no lead.

    None, too, where the incident was over before the rules began.
    """
    mapping = context.rules.current.mapping_of(incident.team)
    if mapping is None or not mapping.restricted.lead:
        return None
    # the first day disturbs nobody
    if was_over_before(incident.as_read, mapping):
        return None
    # naming the lead in the mapping is what switches this mail on
    lead = Recipient(address=mapping.restricted.lead, why="you are the security lead")
    mails = tuple(
        mail_to(
            recipient.address,
            content=LeadMail(reason=why),
            about=incident.id,
            moment=sha256(why.encode()).hexdigest()[:12],
            reason="a restricted incident is not protected as the mapping demands",
            why=recipient.why,
        )
        for recipient in with_deputies([lead], mapping, context.clock.now())
    )
    return mails, mapping.version


def untold(context: EngineContext, why: str) -> Untold:
    """Return what the ledger stores if the security lead has to know of an issue without a level."""
    return Untold(why, lambda incident: mail_to_lead(context, incident, why))


def warn_of_untold(ledger: Transactions, incident_id: str, why: str) -> None:
    """Log that the security lead has to know of a restricted issue."""
    log, name = log_and_name(ledger, incident_id)
    log.warning("{}: the security lead has to know: {}", name, why)
