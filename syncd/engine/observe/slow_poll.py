"""What the fast lane cannot see, read every 15 minutes from at most a tenth of the budget.

Resolved incidents that are not finished are read by windows of their creation (PagerDuty has no filter by
update), and for three days those that are: a severity raised after the close makes a postmortem due, and no
log entry need tell of it. Notes are listed where they may still be edited or deleted, which leaves no trace
in the log.
Tickets of open and unfinished incidents are read in bulk, because an index can miss an update; so are
postmortems, and action items that live in other projects.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlmodel import Session, and_, col, or_, select

from syncd.domain.incident import Incident, IncidentStatus
from syncd.engine.context import Desk
from syncd.engine.observe.action_items import notice
from syncd.engine.observe.incident_windows import PAGE, read_created, windows_of
from syncd.engine.observe.intake import keep_incident, keep_issue, keep_notes, keep_paper
from syncd.engine.observe.masking import masked_notes
from syncd.engine.observe.unreadable import note_unread
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.postmortems import PaperRow, items_of
from syncd.ledger.store.snapshots import unreadable
from syncd.ledger.store.tables import IncidentRow, PostmortemRow, TicketRow
from syncd.policy.restricted import STUB
from syncd.remote.errors import Cause, RemoteError, Unreadable
from syncd.remote.http.budget import lane
from syncd.remote.ports import Fetched

EVERY_SECONDS = 900.0
READ_FOR = timedelta(days=3)
"""How long after the resolve an incident is still read and its notes are listed, whatever it waits for."""


class SlowLane:
    """The slow lane's reads; each raises `RemoteError` where its service cannot be read."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def run(self) -> None:
        """All six, one after the other."""
        with lane("slow"):
            self._unreadable()
            self._stubs()
            self._resolved_incidents()
            self._notes()
            self._tickets()
            self._papers()

    def _unreadable(self) -> None:
        """What could not be read is asked for again by its id."""
        desk = self._desk
        with desk.ledger.db.read() as session:
            unread = list(unreadable(session))
        if unread:
            with desk.ledger.db.write() as session:
                moment = desk.ledger.moments.next()
                look_again(session, unread, desk.clock.now(), moment, "it could not be read")

    def _stubs(self) -> None:
        """A restricted incident's stub may be given its text once our account may set the level."""
        desk = self._desk
        with desk.ledger.db.read() as session:
            query = (
                select(TicketRow)
                .join(IncidentRow, col(IncidentRow.id) == col(TicketRow.incident_id))
                .where(col(IncidentRow.restricted).is_(True))
            )
            stubs = [row.incident_id for row in session.exec(query).all() if row.agreed.get(STUB) is True]
        if stubs:
            with desk.ledger.db.write() as session:
                look_again(session, stubs, desk.clock.now(), 0, "its security level may be there by now")

    def _resolved_incidents(self) -> None:
        desk = self._desk
        limit = desk.clock.now() - READ_FOR
        with desk.ledger.db.read() as session:
            created = session.exec(
                select(IncidentRow.created_at)
                .where(
                    IncidentRow.status == IncidentStatus.RESOLVED,
                    or_(
                        col(IncidentRow.finished).is_(False),
                        and_(col(IncidentRow.team).is_not(None), col(IncidentRow.resolved_at) >= limit),
                    ),
                )
                .order_by(col(IncidentRow.created_at))
            ).all()
        for since, until in windows_of(list(created)):
            for page, moment in read_created(desk, since, until):
                with desk.ledger.db.write() as session:
                    note_unread(session, desk, page.unread)
                    for incident in page.incidents:
                        team = self._team(session, incident)
                        if team is None:
                            continue
                        now = desk.clock.now()
                        if keep_incident(session, desk, incident, moment, team) is not None:
                            look_again(session, [incident.id], now, moment, "changed since it was resolved")

    def _team(self, session: Session, incident: Incident) -> str | None:
        """Whose it is; one that was moved to a service that no team claims stays with its last team."""
        found = self._desk.team_of(incident.service.id, incident.service.name)
        if found is not None:
            return found[0].team
        row = session.get(IncidentRow, incident.id)
        return row.team if row is not None else None

    def _notes(self) -> None:
        desk = self._desk
        limit = desk.clock.now() - READ_FOR
        with desk.ledger.db.read() as session:
            rows = session.exec(
                select(IncidentRow)
                .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id))
                .where(
                    col(IncidentRow.restricted).is_(False),
                    or_(
                        IncidentRow.status != IncidentStatus.RESOLVED,
                        col(IncidentRow.resolved_at) >= limit,
                    ),
                )
            ).all()
        for row in rows:
            if desk.stop.is_set():
                return
            self._list_notes(row)

    def _list_notes(self, row: IncidentRow) -> None:
        desk = self._desk
        moment = desk.ledger.moments.next()
        try:
            notes = masked_notes(desk, row, desk.clients.pagerduty.notes(row.id))
        except Unreadable:
            return  # the notes stay as they are known
        except RemoteError as error:
            if error.cause in (Cause.MISSING, Cause.FORBIDDEN):
                return
            raise
        if [note.model_dump(mode="json") for note in notes] == (row.notes or []):
            return
        with desk.ledger.db.write() as session:
            session.add(row)
            keep_notes(session, desk, row, notes, moment)
            look_again(session, [row.id], desk.clock.now(), 0, "its notes changed")

    def _tickets(self) -> None:
        desk = self._desk
        with desk.ledger.db.read() as session:
            rows = session.exec(
                select(TicketRow)
                .join(IncidentRow, col(IncidentRow.id) == col(TicketRow.incident_id))
                .where(
                    or_(IncidentRow.status != IncidentStatus.RESOLVED, col(IncidentRow.finished).is_(False))
                )
            ).all()
        by_issue = {row.issue_id: row for row in rows}
        ids = list(by_issue)
        for start in range(0, len(ids), PAGE):
            if desk.stop.is_set():
                return
            part = ids[start : start + PAGE]
            moment = desk.ledger.moments.next()
            fetched = desk.fetch(part)
            with desk.ledger.db.write() as session:
                for issue in fetched.issues:
                    row = by_issue.get(issue.id)
                    if row is None:
                        continue
                    session.add(row)
                    if keep_issue(session, desk, row, issue, moment):
                        look_again(session, [row.incident_id], desk.clock.now(), 0, "its ticket changed")
                seen = {issue.id for issue in fetched.issues} | set(fetched.unread)
                for issue_id in part:
                    row = by_issue[issue_id]
                    if issue_id not in seen and row.out_of_sight_since is None:
                        session.add(row)
                        row.out_of_sight_since = desk.clock.now()

    def _papers(self) -> None:
        """Postmortems and action items of unfinished incidents.

        The poll reads no other projects, and that an owner has left changes nothing on their issues. With
        them, what was linked from there and was no action item when it was read: a label makes it one.
        """
        desk = self._desk
        papers: dict[str, PaperRow] = {}
        beside: dict[str, IncidentRow] = {}
        with desk.ledger.db.read() as session:
            unfinished = select(IncidentRow).where(
                col(IncidentRow.team).is_not(None), col(IncidentRow.finished).is_(False)
            )
            for incident in session.exec(unfinished).all():
                beside |= dict.fromkeys(incident.beside, incident)
                postmortem = session.get(PostmortemRow, incident.id)
                items = [one for one in items_of(session, incident.id) if one.ended_at is None]
                papers |= {one.issue_id: one for one in ([postmortem] if postmortem else []) + items}
        self._read_papers(papers)
        self._read_beside({ident: row for ident, row in beside.items() if ident not in papers})

    def _read_papers(self, papers: dict[str, PaperRow]) -> None:
        desk = self._desk
        for part, fetched, moment in self._pages(list(papers), description=True):
            seen = {issue.id for issue in fetched.issues} | set(fetched.unread)
            with desk.ledger.db.write() as session:
                for issue in fetched.issues:
                    row = papers.get(issue.id)
                    if row is None:
                        continue
                    session.add(row)
                    if keep_paper(session, desk, row, issue, moment):
                        row.changes_until = None
                        look_again(session, [row.incident_id], desk.clock.now(), 0, "it changed elsewhere")
                for issue_id in part:
                    row = papers[issue_id]
                    if issue_id not in seen and row.out_of_sight_since is None:
                        session.add(row)
                        row.out_of_sight_since = desk.clock.now()
                        look_again(session, [row.incident_id], desk.clock.now(), 0, "it is out of sight")

    def _read_beside(self, beside: dict[str, IncidentRow]) -> None:
        for _part, fetched, moment in self._pages(list(beside)):
            notice(self._desk, [one for one in fetched.issues if one.id in beside], moment)

    def _pages(
        self, ids: list[str], *, description: bool = False
    ) -> Iterator[tuple[list[str], Fetched, int]]:
        desk = self._desk
        for start in range(0, len(ids), PAGE):
            if desk.stop.is_set():
                return
            part, moment = ids[start : start + PAGE], desk.ledger.moments.next()
            yield part, desk.fetch(part, description=description), moment
