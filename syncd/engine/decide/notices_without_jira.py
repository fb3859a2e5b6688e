"""Notices have their own lane: they are decided on what is known of the incident, whatever Jira does.

Where an incident cannot be decided on as a whole, because Jira or something of it cannot be asked, its
notices still are: they rest on the incident's last snapshot and its team's mapping alone (rules: "Who hears
what").
"""

from __future__ import annotations

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from syncd.domain.history import Spell
from syncd.domain.incident import Incident
from syncd.domain.mail import MailKind
from syncd.domain.mapping.mapping import ServiceSection
from syncd.domain.operation import OperationState
from syncd.engine.context import Desk
from syncd.engine.decide.case_builder import MERGED_FROM, absorbed
from syncd.engine.notify.mail_history import mails_of, undecided, untrue
from syncd.ledger.store import outbox
from syncd.ledger.store.postmortems import ticket_state
from syncd.ledger.store.related_rows import tables_with
from syncd.ledger.store.tables import IncidentRow, OperationRow, TicketRow
from syncd.policy.case import Case
from syncd.policy.notify.notices import notices
from syncd.policy.ticket.silence import was_over_before

_OURS = (MailKind.NOTICE, MailKind.CORRECTION)


def tell(desk: Desk, incident_id: str) -> None:
    """Bring an incident's notices into line with what is known of it, and nothing else."""
    with desk.ledger.db.read() as session:
        row = session.get(IncidentRow, incident_id)
        incident = Incident.model_validate(row.snapshot) if row else None
        if row is None or incident is None:
            return
        found = desk.team_of(incident.service.id, incident.service.name)
        last = next((one for one in desk.mappings if one.team == row.team), None)
        if found is None and last is None:
            return
        mapping, section = found or (last or desk.mappings[0], ServiceSection())
        rows = [one for one in outbox.open_of(session, incident_id) if one.meaning.get("mail") in _OURS]
        case = _case(session, desk, row, incident, frozenset(undecided(rows)))
        silent = was_over_before(incident, mapping.enforce_from)
        decision = notices(case.model_copy(update={"silent": silent}), mapping, section)
        news = [op for op in decision.operations if op.key not in case.once]
        news = [op for op in news if not outbox.on_record(session, op.key)]
        if not news and not any(untrue(rows, decision)):
            return
    with desk.ledger.db.write() as session:
        now = desk.clock.now()
        outbox.add(session, news, now, mapping.version)
        waiting = [one for one in outbox.open_of(session, incident_id) if one.meaning.get("mail") in _OURS]
        for mail, why in untrue(waiting, decision):
            outbox.finish(session, mail, OperationState.DROPPED, now, why=why)


def _case(
    session: Session, desk: Desk, row: IncidentRow, incident: Incident, waiting: frozenset[str]
) -> Case:
    there, whose = tables_with(session, row.id), {"incident": row.id}
    ticket = session.get(TicketRow, row.id) if TicketRow in there else None
    keys = session.connection().scalars(_KEYS, whose).all() if OperationRow in there else ()
    sources = session.connection().scalars(MERGED_FROM, whose).all() if IncidentRow in there else ()
    case = Case(
        incident=incident,
        ticket=ticket_state(ticket) if ticket else None,
        once=frozenset(keys) - waiting,
        restricted=row.restricted,
        now=desk.clock.now(),
        merged_from=tuple(sources),
        absorbed=absorbed(session, desk, row) if sources else (),
        spells=tuple(Spell.model_validate(one) for one in row.spells),
    )
    return mails_of(session, row, case)


_KEYS = select(col(OperationRow.key)).where(col(OperationRow.incident_id) == bindparam("incident"))
