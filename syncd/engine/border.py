"""Where what was read of the services enters the ledger: masked, and without texts where it is restricted.

Every read goes through here. Texts are masked before they are stored (rules: "The ticket"), so that nothing
later can forget it; whether an incident is restricted is found in the same transaction, so that no command
sees a title in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from loguru import logger
from sqlmodel import Session

from syncd.config.masks import mask
from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident, Note
from syncd.domain.mail import MailKind, mail_key
from syncd.domain.mapping import Mapping as TeamMapping
from syncd.domain.mapping import ServiceSection
from syncd.domain.operation import Kind, Operation
from syncd.domain.ticket import Comment, Issue
from syncd.engine.belonging import keep_belonging
from syncd.engine.desk import Desk
from syncd.ledger import audit, outbox
from syncd.ledger.papers import PaperRow
from syncd.ledger.restricting import restrict
from syncd.ledger.snapshots import save_incident, save_issue, save_notes
from syncd.ledger.tables import ActionItemRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.follow_up_table import follow_ups_in
from syncd.policy.restricted import restricted_by, restricted_by_person, withheld


def keep_incident(
    session: Session, desk: Desk, incident: Incident, moment: int, team: str | None
) -> IncidentRow | None:
    """Store an incident as read; return its row if that was news, else None."""
    mapping, section = _team(desk, incident, team)

    def border(one: Incident, restricted: bool) -> tuple[Incident, str | None]:
        why = None if restricted or mapping is None else restricted_by(one, mapping, section)
        one = masked_incident(one, _patterns(mapping))
        return (withheld(one, mapping) if restricted or why else one), why

    return save_incident(session, incident, moment, desk.clock.now(), team, border)


def keep_notes(session: Session, desk: Desk, row: IncidentRow, notes: Iterable[Note], moment: int) -> None:
    """Store the notes of an incident as listed; none of a restricted one."""
    save_notes(session, row, masked_notes(desk, row, notes), moment)


def keep_issue(session: Session, desk: Desk, row: TicketRow, issue: Issue, moment: int) -> bool:
    """Store a ticket as read; return whether that was news. A person may have said that it is restricted."""
    incident = session.get(IncidentRow, row.incident_id)
    mapping = _named(desk, incident.team) if incident else None
    if incident is not None and mapping is not None and not incident.restricted:
        why = restricted_by_person(issue, mapping)
        if why is not None:
            restrict_known(session, desk, incident, mapping, why)
    masked = masked_issue(issue, _patterns(mapping))
    return save_issue(session, row, masked, moment, desk.date_of("jira"))


def keep_paper(session: Session, desk: Desk, row: PaperRow, issue: Issue, moment: int) -> bool:
    """Store a postmortem or an action item as read; return whether that was news.

    Of a description only the rows of the table of follow-ups are kept, and none of a restricted incident.
    """
    incident = session.get(IncidentRow, row.incident_id)
    mapping = _named(desk, incident.team) if incident else None
    patterns = _patterns(mapping)
    asked, text = "description" in issue.fields, issue.fields.get("description")
    fields = {name: value for name, value in issue.fields.items() if name != "description"}
    news = save_issue(
        session, row, masked_issue(issue.model_copy(update={"fields": fields}), patterns), moment
    )
    if mapping is not None and isinstance(row, ActionItemRow) and row.moment == moment:
        news = keep_belonging(session, row, issue, mapping.follow_ups, desk.clock.now()) or news
    if asked and isinstance(row, PostmortemRow) and incident is not None and row.moment == moment:
        found: list[dict[str, JsonValue]] = []
        if isinstance(text, str) and not incident.restricted:
            found = follow_ups_in(mask(text, patterns))
        if found != row.follow_ups:
            row.follow_ups, row.follow_ups_since = found, desk.clock.now()
            news = True
    return news


def keep_comments(session: Session, desk: Desk, incident_id: str, comments: Iterable[Comment]) -> None:
    """Store a ticket's comments as listed, where its snapshot still lacks them; none of a restricted one."""
    ticket, incident = session.get(TicketRow, incident_id), session.get(IncidentRow, incident_id)
    if ticket is None or incident is None or incident.restricted:
        return
    if not ticket.snapshot or ticket.snapshot.get("comments") is not None:
        return
    whole = Issue.model_validate(ticket.snapshot).model_copy(update={"comments": tuple(comments)})
    ticket.snapshot = masked_issue(whole, _patterns(_named(desk, incident.team))).model_dump(mode="json")
    session.add(ticket)


def restrict_known(session: Session, desk: Desk, row: IncidentRow, mapping: TeamMapping, why: str) -> None:
    """An incident that is on record becomes restricted."""
    kept = withheld(Incident.model_validate(row.snapshot), mapping)
    row.snapshot = kept.model_dump(mode="json")
    if restrict(session, row, why, desk.clock.now()):
        logger.bind(incident=row.id).warning("{} is restricted from now on ({})", row.id, why)


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


def masked_incident(incident: Incident, patterns: Mapping[str, str]) -> Incident:
    """The incident without card numbers, tokens, keys and what the team's patterns name."""

    def clean(value: JsonValue) -> JsonValue:
        if isinstance(value, list):
            return [clean(one) for one in value]
        return mask(value, patterns) if isinstance(value, str) else value

    fields = incident.custom_fields
    return incident.model_copy(
        update={
            "title": mask(incident.title, patterns),
            "incident_key": mask(incident.incident_key, patterns) if incident.incident_key else None,
            "custom_fields": None if fields is None else {name: clean(one) for name, one in fields.items()},
        }
    )


def masked_notes(desk: Desk, row: IncidentRow, notes: Iterable[Note]) -> tuple[Note, ...]:
    """The notes without what must not be stored."""
    patterns = _patterns(_named(desk, row.team))
    return tuple(note.model_copy(update={"text": mask(note.text, patterns)}) for note in notes)


def masked_issue(issue: Issue, patterns: Mapping[str, str]) -> Issue:
    """The ticket with its comments and summary masked; people may have typed what must not be stored."""
    comments = issue.comments
    if comments is not None:
        comments = tuple(one.model_copy(update={"body": mask(one.body, patterns)}) for one in comments)
    return issue.model_copy(update={"summary": mask(issue.summary, patterns), "comments": comments})


def _patterns(mapping: TeamMapping | None) -> Mapping[str, str]:
    return mapping.redact.patterns if mapping else {}


def _named(desk: Desk, team: str | None) -> TeamMapping | None:
    return next((one for one in desk.mappings if one.team == team), None)


def _team(desk: Desk, incident: Incident, team: str | None) -> tuple[TeamMapping | None, ServiceSection]:
    found = desk.team_of(incident.service.id, incident.service.name)
    return found or (_named(desk, team), ServiceSection())


__all__ = [
    "keep_comments",
    "keep_incident",
    "keep_issue",
    "keep_notes",
    "keep_paper",
    "restrict_known",
    "tell_lead",
]
