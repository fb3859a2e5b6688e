"""The letter of a mail operation, from what the ledger knows at the moment when it leaves."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from syncd.domain.incident import Incident
from syncd.domain.mail import MailKind, concerns_no_incident
from syncd.domain.mapping.mapping import Mapping
from syncd.engine.context import Desk
from syncd.engine.errors import DecideAgain
from syncd.engine.notify.digests import lines_for
from syncd.engine.notify.duty_line import case_of, line_of, postponed_line, section_of
from syncd.engine.notify.operator import operator_letter
from syncd.ledger.open import get_meta
from syncd.ledger.store.tables import IncidentRow, OperationRow, TicketRow
from syncd.policy.severity import decide_severity
from syncd.report.mail import letters
from syncd.report.mail.letters import About, Letter

LATE = timedelta(minutes=10)
"""A notice that leaves so long after its severity was reached says that it is late."""


def reply_to_of(desk: Desk, row: OperationRow) -> str | None:
    """Where answers go: as the team's mapping says; None: to the sender."""
    mapping = _mapping(desk, row)
    return mapping.mails.reply_to if mapping else None


def _mapping(desk: Desk, row: OperationRow) -> Mapping | None:
    if concerns_no_incident(row.incident_id):
        team: str | None = row.incident_id.partition("/")[2]
    else:
        with desk.ledger.db.read() as session:
            known = session.get(IncidentRow, row.incident_id)
        team = known.team if known else None
    return next((one for one in desk.mappings if one.team == team), None)


def letter_of(desk: Desk, row: OperationRow) -> Letter:
    """What a mail says; raises `DecideAgain` where there is nothing left to say."""
    kind = MailKind(row.meaning["mail"])
    if kind is MailKind.OPERATOR:
        return operator_letter(row.meaning)
    mapping = _mapping(desk, row)
    if mapping is None:
        raise DecideAgain
    if kind is MailKind.DIGEST:
        return _digest(desk, row, mapping)
    with desk.ledger.db.read() as session:
        known = session.get(IncidentRow, row.incident_id)
        if known is None:
            raise DecideAgain
        if kind in (MailKind.NOTICE, MailKind.CORRECTION, MailKind.LEAD):
            return _of_incident(session, desk, kind, row, known, mapping)
        return _of_duty(session, desk, kind, row, known, mapping)


def _digest(desk: Desk, row: OperationRow, mapping: Mapping) -> Letter:
    day = datetime.fromisoformat(str(row.meaning["at"]))
    with desk.ledger.db.read() as session:
        lines = lines_for(session, desk, mapping, str(row.meaning["to"]), day)
    if not lines:
        raise DecideAgain
    late = sum(one.state == "overdue" for one in lines)
    soon = len(lines) - late
    parts = [f"{late} overdue" if late else "", f"{soon} due soon" if soon else ""]
    said = " and ".join(part for part in parts if part)
    return letters.owed(
        mapping.team,
        f"After incidents: {said}",
        "What you owe, in one mail a working day. It ends when nothing is owed any more.",
        lines,
        "these are yours",
        f"{mapping.team}: {said}",
    )


def _of_incident(
    session: Session, desk: Desk, kind: MailKind, row: OperationRow, known: IncidentRow, mapping: Mapping
) -> Letter:
    about = about_of(session, desk, known, mapping, row.meaning.get("severity"))
    why = str(row.meaning["why"])
    if kind is MailKind.LEAD:
        said = (
            f"The restricted incident #{about.number} is not sheltered as the mapping wants it:"
            f" {row.meaning['reason']}."
        )
        title = f"Restricted incident #{about.number}"
        return letters.with_links(letters.plain(mapping.team, title, (said,), (), why), about)
    since = datetime.fromisoformat(str(row.meaning["since"]))
    if kind is MailKind.CORRECTION:
        return letters.correction(about, str(row.meaning["before"]), since, why)
    return letters.notice(about, since, desk.clock.now() - since > LATE, why)


def _of_duty(
    session: Session, desk: Desk, kind: MailKind, row: OperationRow, known: IncidentRow, mapping: Mapping
) -> Letter:
    case = case_of(session, desk, known)
    section = section_of(mapping, case.incident)
    why = str(row.meaning["why"])
    if kind is MailKind.POSTPONED:
        line = postponed_line(session, case, mapping, section, str(row.meaning["issue"]), why)
        title = "Postponed for the third time"
    else:
        duty = case.duty(str(row.meaning["duty"]), str(row.meaning["subject"]))
        if duty is None or str(duty.clock) != row.meaning["clock"]:
            raise DecideAgain
        line = line_of(session, case, mapping, section, duty, why, owner=kind is MailKind.REMINDER)
        title = "Due soon" if kind is MailKind.REMINDER else "Overdue"
    if line is None:
        raise DecideAgain
    lead = {
        MailKind.REMINDER: f"It is due {line.due}.",
        MailKind.BREACH: f"It was due {line.due}, and it is not done.",
    }.get(kind, "Its date was put off for the third time.")
    return letters.owed(mapping.team, f"{title}: {line.what}", lead, (line,), why, f"{title}: {line.what}")


def about_of(
    session: Session, desk: Desk, known: IncidentRow, mapping: Mapping, severity: str | None = None
) -> About:
    """The incident as a mail tells of it; of a restricted one the ledger holds no more than its number."""
    incident = Incident.model_validate(known.snapshot)
    name = severity or decide_severity(incident, mapping, section_of(mapping, incident)).name
    section = mapping.severities.get(name)
    ticket = session.get(TicketRow, known.id)
    base = (get_meta(session, "owner.jira") or "").rstrip("/")
    return About(
        team=mapping.team,
        zone=mapping.zone,
        number=incident.number,
        title=incident.title,
        service=incident.service.name or incident.service.id,
        severity=name,
        definition=section.definition if section else "",
        status=incident.status,
        created_at=incident.created_at,
        resolved_at=incident.resolved_at,
        url=incident.html_url,
        ticket=ticket.key if ticket else "",
        ticket_url=f"{base}/browse/{ticket.key}" if ticket and base else "",
        responders=() if known.restricted else tuple(one.name for one in incident.assignees if one.name),
    )
