"""Finds tickets that this ledger does not know: of incidents older than the ledger's birth or restore.

Asked before the first create for such an incident, fifty incidents a search. Adopted unasked is what
bears our mark or was made by our account, and a lone candidate of the mapped type with the label;
everything else is reported and left.
"""

from __future__ import annotations

from collections.abc import Iterable

from loguru import logger
from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from syncd.config.templates.text_limits import slug_label
from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident
from syncd.domain.operation import Kind, OperationState, op_of, ticket_key
from syncd.domain.ticket import Issue
from syncd.engine.context import Desk
from syncd.engine.observe.earlier_ledger.predecessor import note_earlier_ledger
from syncd.engine.observe.intake import keep_issue
from syncd.engine.rulebook import book_for
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.snapshots import tickets_by_issue
from syncd.ledger.store.tables import IncidentRow, OperationRow, TicketRow
from syncd.policy.case import Rulebook
from syncd.policy.ticket.silence import left_in_peace

A_SEARCH = 50


def adopt_known(desk: Desk) -> set[str]:
    """Search once for each incident that may have a ticket already; return the incidents settled so.

    Raises `RemoteError` where Jira cannot be asked; nothing is made for these incidents until it was.
    """
    with desk.ledger.db.read() as session:
        rows = session.exec(_UNSEARCHED, params={"born": desk.ledger.born}).all()
    return search_for(desk, rows)


_UNSEARCHED = select(IncidentRow).where(
    IncidentRow.searched == False,  # noqa: E712 - a column, not a truth value
    IncidentRow.created_at < bindparam("born"),
    col(IncidentRow.team).is_not(None),
    col(IncidentRow.id).not_in(select(TicketRow.incident_id)),
)


def search_for(desk: Desk, rows: Iterable[IncidentRow]) -> set[str]:
    """Search once for the tickets of these incidents, which have none; return the incidents settled so.

    Raises `RemoteError` where Jira cannot be asked.
    """
    by_project: dict[str, list[tuple[IncidentRow, Rulebook]]] = {}
    for row in rows:
        incident = Incident.model_validate(row.snapshot)
        book = book_for(desk, row)
        if book is not None and not left_in_peace(incident, book):
            by_project.setdefault(book.project.key, []).append((row, book))
    settled: set[str] = set()
    for project, wanted in by_project.items():
        for start in range(0, len(wanted), A_SEARCH):
            settled |= _search(desk, project, wanted[start : start + A_SEARCH])
    return settled


def _search(desk: Desk, project: str, part: Iterable[tuple[IncidentRow, Rulebook]]) -> set[str]:
    books = {row.id: book for row, book in part}
    labels = ", ".join(f'"{slug_label(f"pd-{incident_id}")}"' for incident_id in books)
    ids: list[str] = []
    token: str | None = None
    while True:
        page = desk.clients.jira.search(f'project = "{project}" AND labels in ({labels})', token=token)
        ids += [hit.id for hit in page.hits]
        token = page.next_token
        if token is None:
            break
    issues: list[Issue] = []
    moment = desk.ledger.moments.next()
    for start in range(0, len(ids), 100):
        issues += desk.fetch(ids[start : start + 100]).issues
    with desk.ledger.db.write() as session:
        for incident_id, book in books.items():
            _settle(session, desk, incident_id, book, issues, moment)
    return set(books)


def adopt_own(desk: Desk, issues: Iterable[Issue], moment: int) -> list[str]:
    """Take up tickets that this ledger made and does not know; return their incidents.

    Only a file that was put back by hand knows less than was done in its name, so from then on everything
    older is looked for before it is done. What is under way or settling finds its ticket by itself.
    """
    known = (OperationState.IN_FLIGHT, OperationState.SETTLING, OperationState.DONE)
    taken: list[str] = []
    with desk.ledger.db.write() as session:
        for issue in issues:
            mark = issue.mark
            incident = session.get(IncidentRow, mark.incident) if mark else None
            if mark is None or incident is None or session.get(TicketRow, incident.id) is not None:
                continue
            if mark.kind != Kind.CREATE_TICKET:
                continue
            query = select(OperationRow.id).where(OperationRow.op == mark.op)
            if session.exec(query.where(col(OperationRow.state).in_([str(one) for one in known]))).first():
                continue
            if not taken:
                desk.ledger.begin_anew(session, desk.clock.now())
                logger.error("the ledger is older than what was done in its name, such as {}", issue.key)
            adopt(session, desk, incident.id, issue, moment, by="mark")
            look_again(session, [incident.id], desk.clock.now(), 0, "its ticket was found", notes=True)
            taken.append(incident.id)
    return taken


def _is_paper(issue: Issue) -> bool:
    """Whether an issue is a postmortem or an action item, which bear the incident's label, too."""
    if issue.mark is not None and issue.mark.kind in (Kind.CREATE_POSTMORTEM, Kind.CREATE_ACTION_ITEM):
        return True
    return not {"syncd-postmortem", "syncd-action-item"}.isdisjoint(issue.labels)


def _settle(
    session: Session, desk: Desk, incident_id: str, book: Rulebook, issues: list[Issue], moment: int
) -> None:
    row = session.get(IncidentRow, incident_id)
    if row is None or session.get(TicketRow, incident_id) is not None:
        return
    label = slug_label(f"pd-{incident_id}")
    taken = tickets_by_issue(session, [issue.id for issue in issues])
    candidates = [one for one in issues if label in one.labels and one.id not in taken and not _is_paper(one)]
    if desk.patient and not candidates:
        return  # the ledger was restored, and the index may lag behind what the lost one made
    row.searched = True
    session.add(row)
    marked = [one for one in candidates if one.mark and one.mark.op == op_of(ticket_key(incident_id))]
    typed = [one for one in candidates if one.type_id == book.project.incident_type.id]
    chosen = min(marked, key=lambda one: int(one.id)) if marked else (typed[0] if len(typed) == 1 else None)
    if chosen is None:
        if candidates:
            keys = [one.key for one in candidates]
            logger.warning("{}: {} carry its label and none is clearly its ticket", incident_id, keys)
            audit.append(
                session, desk.clock.now(), "candidates", incident=incident_id, data={"keys": [*keys]}
            )
        return
    adopt(session, desk, incident_id, chosen, moment, by="mark" if marked else "label")
    logger.info("{} is adopted as the ticket of {}", chosen.key, incident_id)


def adopt(
    session: Session,
    desk: Desk,
    incident_id: str,
    issue: Issue,
    moment: int,
    *,
    by: str,
    agreed: dict[str, JsonValue] | None = None,
) -> None:
    """An issue is an incident's ticket from now on; `by` says on the record what told so."""
    ticket = TicketRow(
        incident_id=incident_id,
        issue_id=issue.id,
        key=issue.key,
        project=issue.project,
        origin="adopted",
        agreed=agreed or {},
        created_at=desk.clock.now(),
    )
    keep_issue(session, desk, ticket, issue, moment)
    note_earlier_ledger(session, desk, issue)
    audit.append(
        session,
        desk.clock.now(),
        "ticket.adopted",
        incident=incident_id,
        issue=issue.id,
        data={"key": issue.key, "by": by},
    )
