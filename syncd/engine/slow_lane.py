"""What the fast lane cannot see, read every 15 minutes from at most a tenth of the budget.

Resolved incidents that are not finished are read by windows of their creation (PagerDuty has no filter by
update). Notes are listed where they may still be edited or deleted, which leaves no trace in the log.
Tickets of open and unfinished incidents are read in bulk, because an index can miss an update.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlmodel import col, or_, select

from syncd.domain.incident import IncidentStatus
from syncd.engine.desk import Desk
from syncd.ledger.snapshots import look_again, save_incident, save_issue, save_notes
from syncd.ledger.tables import IncidentRow, TicketRow
from syncd.remote.budget import lane
from syncd.remote.errors import Cause, RemoteError

EVERY_SECONDS = 900.0
NOTES_FOR = timedelta(days=3)
"""How long after the resolve notes are still listed."""
WINDOW = timedelta(days=30)
"""Length of one window of creation; PagerDuty allows six months at most."""
PAGE = 100


class SlowLane:
    """The slow lane's reads; each raises `RemoteError` where its service cannot be read."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def run(self) -> None:
        """All three, one after the other."""
        with lane("slow"):
            self._resolved_incidents()
            self._notes()
            self._tickets()

    def _resolved_incidents(self) -> None:
        desk = self._desk
        with desk.ledger.db.read() as session:
            created = session.exec(
                select(IncidentRow.created_at)
                .where(IncidentRow.status == IncidentStatus.RESOLVED, col(IncidentRow.finished).is_(False))
                .order_by(col(IncidentRow.created_at))
            ).all()
        for since, until in _windows(list(created)):
            offset, more = 0, True
            while more and not desk.stop.is_set():
                moment = desk.ledger.moments.next()
                page = desk.clients.pagerduty.incidents(since, until, offset)
                with desk.ledger.db.write() as session:
                    for incident in page.incidents:
                        team = desk.team_of(incident.service.id, incident.service.name)
                        if team is None:
                            continue
                        now = desk.clock.now()
                        if save_incident(session, incident, moment, now, team[0].team) is not None:
                            look_again(session, [incident.id], now, moment, "changed since it was resolved")
                offset, more = offset + PAGE, page.more and bool(page.incidents)

    def _notes(self) -> None:
        desk = self._desk
        limit = desk.clock.now() - NOTES_FOR
        with desk.ledger.db.read() as session:
            rows = session.exec(
                select(IncidentRow)
                .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id))
                .where(
                    or_(
                        IncidentRow.status != IncidentStatus.RESOLVED,
                        col(IncidentRow.resolved_at) >= limit,
                    )
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
            notes = desk.clients.pagerduty.notes(row.id)
        except RemoteError as error:
            if error.cause in (Cause.MISSING, Cause.FORBIDDEN):
                return
            raise
        if [note.model_dump(mode="json") for note in notes] == (row.notes or []):
            return
        with desk.ledger.db.write() as session:
            session.add(row)
            save_notes(session, row, notes, moment)
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
            fetched = desk.clients.jira.fetch(part)
            with desk.ledger.db.write() as session:
                for issue in fetched.issues:
                    row = by_issue.get(issue.id)
                    if row is None:
                        continue
                    session.add(row)
                    if save_issue(session, row, issue, moment):
                        look_again(session, [row.incident_id], desk.clock.now(), 0, "its ticket changed")
                seen = {issue.id for issue in fetched.issues} | set(fetched.unread)
                for issue_id in part:
                    row = by_issue[issue_id]
                    if issue_id not in seen and row.out_of_sight_since is None:
                        session.add(row)
                        row.out_of_sight_since = desk.clock.now()


def _windows(created: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """The fewest windows of creation that hold all these moments."""
    start: datetime | None = None
    for moment in created:
        if start is None or moment >= start + WINDOW:
            start = moment
            last = max(one for one in created if one < start + WINDOW)
            yield start, last + timedelta(seconds=1)
