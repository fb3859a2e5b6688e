"""Where what was read of the services enters the ledger: masked, and without texts where it is restricted.

Every read goes through here. Texts are masked before they are stored (rules: "The ticket"), so that nothing
later can forget it; whether an incident is restricted is found in the same transaction, so that no command
sees a title in between.
"""

from __future__ import annotations

from collections.abc import Iterable

from loguru import logger
from sqlmodel import Session

from syncd.config.masks import mask
from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident, Note
from syncd.domain.mapping.mapping import Mapping as TeamMapping
from syncd.domain.ticket import Comment, Issue
from syncd.engine.context import Desk
from syncd.engine.observe.item_membership import keep_belonging
from syncd.engine.observe.masking import _named, _patterns, _team, masked_incident, masked_issue, masked_notes
from syncd.ledger.store.postmortems import PaperRow
from syncd.ledger.store.restrict import restrict
from syncd.ledger.store.snapshots import save_incident, save_issue, save_notes
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.follow_ups.table_parser import follow_ups_in
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


__all__ = [
    "keep_comments",
    "keep_incident",
    "keep_issue",
    "keep_notes",
    "keep_paper",
    "restrict_known",
]
