"""A resync: ledger, PagerDuty and Jira compared afresh for a window or for some incidents.

It reads, and has every incident decided anew; what is repaired is what the rules want on fresh facts, so
that a second run does nothing. Beside them it only gives back what was lost: a link of ours that is gone is
decided on again. What people did since both sides agreed is listed and left (rules: "The ticket").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlmodel import Session, col, select

from syncd.domain.incident import Incident
from syncd.domain.operation import Kind, OperationState, ticket_key
from syncd.domain.ticket import Issue
from syncd.engine.context import Desk
from syncd.engine.decide.case_builder import build_case
from syncd.engine.observe.earlier_ledger.adopt_tickets import search_for
from syncd.engine.observe.incident_windows import PAGE, read_created
from syncd.engine.observe.intake import keep_incident, keep_issue
from syncd.engine.observe.unreadable import note_unread
from syncd.engine.rulebook import book_for
from syncd.engine.work_queue import Dispatcher
from syncd.ledger.store import audit, holds, outbox
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.tables import IncidentRow, OperationRow, TicketRow
from syncd.ledger.views.status_and_show import find_incident
from syncd.policy.case import Rulebook
from syncd.policy.ticket.merge import ASPECT as DUPLICATE
from syncd.policy.ticket.silence import left_in_peace
from syncd.policy.ticket.status import wanted_word
from syncd.remote.errors import Unreadable

AT_ONCE = 50
"""Incidents whose label is searched at once."""


class What(StrEnum):
    """What a resync says about one incident."""

    REPAIR = "repair"
    FOLLOW = "follow"
    LEFT = "left"


@dataclass(frozen=True)
class Found:
    """One line of a resync's account."""

    what: What
    incident: str
    ticket: str | None
    reason: str

    def data(self) -> dict[str, Any]:
        """The line as plain data."""
        return {
            "what": str(self.what),
            "incident": self.incident,
            "ticket": self.ticket,
            "reason": self.reason,
        }


@dataclass
class Account:
    """What a resync found; `looked_at` counts incidents, `in_peace` those that were over before the rules."""

    looked_at: int = 0
    in_peace: int = 0
    unclaimed: int = 0
    found: list[Found] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """The account as plain data, for a request's answer."""
        return {
            "looked_at": self.looked_at,
            "in_peace": self.in_peace,
            "unclaimed": self.unclaimed,
            "found": [one.data() for one in self.found],
        }


@dataclass(frozen=True)
class Scope:
    """Which incidents: those created since a moment, or these (id, number or ticket key)."""

    since: datetime | None = None
    incidents: tuple[str, ...] = ()

    @classmethod
    def of(cls, arguments: dict[str, Any]) -> Scope:
        """The scope of a request."""
        since = arguments.get("since")
        return cls(
            datetime.fromisoformat(str(since)) if since else None, tuple(arguments.get("incidents", ()))
        )


class Resync:
    """One resync. `work` has incidents worked on and returns when they were; `say` is told the progress."""

    def __init__(
        self,
        desk: Desk,
        dispatcher: Dispatcher,
        work: Callable[[Sequence[str]], None],
        say: Callable[[str], None] = lambda _words: None,
    ) -> None:
        self._desk = desk
        self._dispatcher = dispatcher
        self._work = work
        self._say = say
        self._account = Account()
        self._keys: dict[str, str] = {}

    def run(self, scope: Scope) -> Account:
        """Read everything in scope afresh, have it decided, and give account of it.

        Raises `RemoteError` where a service cannot be read; what was read until then is kept.
        """
        ids = list(dict.fromkeys(self._incidents(scope)))
        self._account.looked_at = len(ids)
        with self._desk.ledger.db.read() as session:
            self._keys = {row.incident_id: row.key for row in _tickets_of(session, ids)}
        self._read_tickets(ids)
        self._search(ids)
        if self._desk.stop.is_set():
            return self._account
        with self._desk.ledger.db.write() as session:
            look_again(session, ids, self._desk.clock.now(), 0, "resync")
        self._say(f"deciding on {len(ids)} incidents")
        self._work(ids)
        self._tell(ids)
        return self._account

    def _incidents(self, scope: Scope) -> Iterator[str]:
        if scope.incidents:
            for wanted in scope.incidents:
                yield from self._one_incident(wanted)
            return
        desk = self._desk
        now = desk.clock.now()
        since = scope.since or now - timedelta(seconds=desk.backfill_seconds)
        count = 0
        for page, moment in read_created(desk, since, now + timedelta(seconds=1)):
            yield from self._keep(page.incidents, moment)
            self._leave_unread(page.unread)
            count += len(page.incidents)
            self._say(f"{count} incidents read")

    def _leave_unread(self, unread: Mapping[str, str]) -> None:
        if unread:
            with self._desk.ledger.db.write() as session:
                note_unread(session, self._desk, unread)
        for incident_id, why in unread.items():
            self._account.found.append(Found(What.LEFT, incident_id, None, f"it cannot be read: {why}"))

    def _one_incident(self, wanted: str) -> Iterator[str]:
        desk = self._desk
        with desk.ledger.db.read() as session:
            known = find_incident(session, wanted)
        moment = desk.ledger.moments.next()
        try:
            incident = desk.clients.pagerduty.incident(known.id if known else wanted.removeprefix("#"))
        except Unreadable as error:
            self._leave_unread({known.id if known else wanted: error.message})
            return
        if incident is None:
            why = "PagerDuty does not show it to us; nothing about it is changed"
            self._account.found.append(Found(What.LEFT, wanted, None, why))
            return
        ids = list(self._keep([incident], moment))
        if not ids:
            self._account.found.append(Found(What.LEFT, wanted, None, "no mapping claims its service"))
        yield from ids

    def _keep(self, incidents: Iterable[Incident], moment: int) -> list[str]:
        """Store what was read; return the incidents that a mapping claims."""
        desk, claimed = self._desk, []
        with desk.ledger.db.write() as session:
            for incident in incidents:
                known = session.get(IncidentRow, incident.id)
                team = desk.team_of(incident.service.id, incident.service.name)
                name = team[0].team if team else (known.team if known else None)
                if name is None:
                    self._account.unclaimed += 1
                    continue
                keep_incident(session, desk, incident, moment, name)
                claimed.append(incident.id)
        return claimed

    def _read_tickets(self, ids: Sequence[str]) -> None:
        """Read every ticket by its id; a link of ours that is gone is decided on again."""
        desk = self._desk
        with desk.ledger.db.read() as session:
            rows = {row.issue_id: row for row in _tickets_of(session, ids)}
        issue_ids = list(rows)
        for start in range(0, len(issue_ids), PAGE):
            if desk.stop.is_set():
                return
            part = issue_ids[start : start + PAGE]
            moment = desk.ledger.moments.next()
            fetched = desk.fetch(part)
            seen = {issue.id for issue in fetched.issues} | set(fetched.unread)
            with desk.ledger.db.write() as session:
                for issue in fetched.issues:
                    if issue.id in rows:
                        keep_issue(session, desk, rows[issue.id], issue, moment)
                        self._look_for_link(session, rows[issue.id].incident_id, issue)
                for issue_id in part:
                    if issue_id not in seen:
                        self._out_of_sight(session, rows[issue_id].incident_id)
            self._say(f"{min(start + PAGE, len(issue_ids))} of {len(issue_ids)} tickets read")

    def _look_for_link(self, session: Session, incident_id: str, issue: Issue) -> None:
        ticket = session.get(TicketRow, incident_id)
        target = ticket.agreed.get(DUPLICATE) if ticket else None
        other = session.get(TicketRow, str(target)) if target else None
        if ticket is None or other is None or other.out_of_sight_since is not None:
            return
        if all(link.other_id != other.issue_id for link in issue.links):
            ticket.agreed = {name: one for name, one in ticket.agreed.items() if name != DUPLICATE}
            session.add(ticket)

    def _out_of_sight(self, session: Session, incident_id: str) -> None:
        ticket = session.get(TicketRow, incident_id)
        if ticket is not None and ticket.out_of_sight_since is None:
            now = self._desk.clock.now()
            ticket.out_of_sight_since = now
            session.add(ticket)
            audit.append(session, now, "ticket.out_of_sight", incident=incident_id, issue=ticket.issue_id)

    def _search(self, ids: Sequence[str]) -> None:
        """Incidents without a ticket may have one that this ledger does not know."""
        desk = self._desk
        with desk.ledger.db.read() as session:
            missing = [row for row in _incidents_of(session, ids) if _may_be_searched(session, row)]
        for start in range(0, len(missing), AT_ONCE):
            if desk.stop.is_set():
                return
            part = missing[start : start + AT_ONCE]
            # nobody may make a ticket for them between the search and what is bound by it
            taken = set(self._dispatcher.reserve(row.id for row in part))
            try:
                with desk.ledger.db.read() as session:
                    free = [row for row in part if row.id in taken and _may_be_searched(session, row)]
                search_for(desk, free)
            finally:
                self._dispatcher.release(taken)
            self._say(f"{min(start + AT_ONCE, len(missing))} of {len(missing)} missing tickets searched for")

    def _tell(self, ids: Sequence[str]) -> None:
        desk = self._desk
        with desk.ledger.db.read() as session:
            for row in _incidents_of(session, ids):
                book = book_for(desk, row)
                if book is not None:
                    self._tell_of(session, row, book)

    def _tell_of(self, session: Session, row: IncidentRow, book: Rulebook) -> None:
        ticket = session.get(TicketRow, row.id)
        before = self._keys.get(row.id)
        key = ticket.key if ticket else None
        say = self._account.found.append
        if ticket is not None and before is None and ticket.origin == "adopted":
            say(Found(What.FOLLOW, row.id, key, "found by its label, and taken for its ticket from now on"))
        if before is not None and key != before:
            say(Found(What.FOLLOW, row.id, key, f"it was {before}, and was moved"))
        for operation in outbox.open_of(session, row.id):
            parked = operation.state == OperationState.PARKED
            reason = f"{operation.kind} is parked: {operation.error}" if parked else operation.reason
            say(Found(What.LEFT if parked else What.REPAIR, row.id, key, reason))
        if ticket is None and left_in_peace(Incident.model_validate(row.snapshot), book):
            self._account.in_peace += 1
        for why in _left(session, self._desk, row, ticket, book):
            say(Found(What.LEFT, row.id, key, why))


def _incidents_of(session: Session, ids: Sequence[str]) -> list[IncidentRow]:
    return [row for one in ids if (row := session.get(IncidentRow, one)) is not None]


def _tickets_of(session: Session, ids: Sequence[str]) -> list[TicketRow]:
    return [row for one in ids if (row := session.get(TicketRow, one)) is not None]


def _may_be_searched(session: Session, row: IncidentRow) -> bool:
    """Whether an incident has no ticket, and none of ours whose outcome is unknown."""
    if session.get(TicketRow, row.id) is not None:
        return False
    create = _create_of(session, row.id)
    return create is None or create.state not in (OperationState.IN_FLIGHT, OperationState.SETTLING)


def _create_of(session: Session, incident_id: str) -> OperationRow | None:
    return session.exec(
        select(OperationRow).where(
            OperationRow.key == ticket_key(incident_id), col(OperationRow.kind) == Kind.CREATE_TICKET
        )
    ).first()


def _left(
    session: Session, desk: Desk, row: IncidentRow, ticket: TicketRow | None, book: Rulebook
) -> Iterator[str]:
    """What differs from what the rules want and is not ours to repair, with the reason."""
    if ticket is None:
        create = _create_of(session, row.id)
        if row.silence:
            yield f"the noise rule {row.silence} keeps its ticket back"
        elif create is not None and create.state == OperationState.DROPPED:
            yield "its ticket was given up by a person"
        return
    if ticket.out_of_sight_since is not None:
        yield "its ticket is out of our sight (deleted, moved or secured) and is not made again"
        return
    if not ticket.snapshot:
        return
    case = build_case(session, desk, row, book, ({}, None))
    if ticket.agreed.get("state") != case.incident.state:
        return
    issue = Issue.model_validate(ticket.snapshot)
    word = wanted_word(case, book)
    ids = {book.project.statuses[word].id, *(one.id for one in book.project.instead.get(word, ()))}
    if issue.status.id not in ids:
        yield f"it stands at {issue.status.name}: not our doing since both sides agreed on {row.status}"


def state_in_words(session: Session) -> list[str]:
    """What keeps a resync's repairs from leaving now."""
    lines = []
    if holds.first_load(session) is holds.FirstLoad.HELD:
        lines.append("a first load waits to be accepted: syncd accept")
    if holds.mass_since(session):
        lines.append(
            "too many tickets of unchanged incidents at once, so they are held: syncd outbox release"
        )
    for target, one in holds.pauses(session).items():
        lines.append(f"{target} is paused ({one['reason']}): syncd resume {target}")
    return lines
