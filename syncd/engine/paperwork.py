"""What follows an incident, as the engine reads and keeps it: its log, postmortem, action items, duties.

Nothing is read on a schedule of its own: a decision names what it has to see first (`Decision.look`), and
what Jira's changes bring passes by here. A deadline is judged only on a changelog that reaches up to it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from syncd.config.masks import mask
from syncd.domain.base import JsonValue
from syncd.domain.duty import RUNNING
from syncd.domain.history import Change, Spell
from syncd.domain.incident import Incident
from syncd.domain.ticket import Account, Issue
from syncd.engine.belonging import neighbours, turns_known
from syncd.engine.border import keep_paper
from syncd.engine.changelogs import keep_changes
from syncd.engine.desk import Desk
from syncd.engine.follow_ups import PAGE, discover
from syncd.engine.mail_known import mails_of
from syncd.engine.people import account_of, person_key
from syncd.engine.recalling import recall, seek_postmortem, to_recall
from syncd.ledger import papers
from syncd.ledger.beside import Tables
from syncd.ledger.papers import PaperRow
from syncd.ledger.rules import earlier_values
from syncd.ledger.snapshots import look_again, ticket_of
from syncd.ledger.tables import (
    ActionItemRow,
    DutyRow,
    IncidentRow,
    PersonRow,
    PostmortemRow,
    TicketRow,
    WaiverRow,
)
from syncd.policy.case import Absorbed, Case, ClosedBy, Decision, ItemState, Rulebook
from syncd.policy.label_waiver import LABEL
from syncd.policy.met import review_field
from syncd.policy.owed import over_since
from syncd.policy.severity import decide_severity
from syncd.remote.errors import Cause, Unknown

ROUNDED_SECONDS = 1.0
"""Two moments that are so close to each other are the same."""
TEXTS = frozenset({"summary", "description"})
FIELDS_JUDGED = TEXTS | {"assignee", "duedate", "status", "resolution", "labels"}
"""Fields whose changes are kept; the mapping's review date is kept beside them."""


def extend_case(
    session: Session, desk: Desk, row: IncidentRow, case: Case, book: Rulebook, there: Tables
) -> Case:
    """The case with what follows the incident, as of this transaction; `there`: the tables to ask."""
    postmortem = session.get(PostmortemRow, row.id) if PostmortemRow in there else None
    state = papers.postmortem_state(postmortem) if postmortem else None
    items = papers.items_of(session, row.id) if ActionItemRow in there else ()
    issues = [one.issue for one in (case.ticket, state) if one is not None and one.issue is not None]
    extended = case.model_copy(
        update={
            "turns": turns_known(row, case.incident),
            "spells": tuple(Spell.model_validate(one) for one in row.spells),
            "postmortem": state,
            "items": tuple(item_state(one) for one in items),
            "duties": papers.duties_of(session, row.id) if DutyRow in there else (),
            "waivers": papers.waivers_of(session, row.id) if WaiverRow in there else (),
            "skewed": desk.skewed(),
            "absorbed": absorbed(session, desk, row) if case.merged_from else (),
            "approvers": _approvers(session, book, postmortem),
            "beside": frozenset(neighbours(session, row, issues)),
            "earlier": earlier(session, case.incident, book.mapping.team),
            "recall": to_recall(session, desk, row, postmortem, book),
            **_service_owner(session, book),
        }
    )
    return mails_of(session, row, extended)


def earlier(session: Session, incident: Incident, team: str) -> dict[str, str | None]:
    """The values of the team's rules that were changed since the incident was resolved."""
    over = over_since(Case(incident=incident))
    return {} if over is None else earlier_values(session, team, over)


def absorbed(session: Session, desk: Desk, row: IncidentRow) -> tuple[Absorbed, ...]:
    """What was merged into an incident, and into that, each judged by its own team's mapping."""
    found = []
    for source in papers.absorbed_rows(session, row.id):
        incident = Incident.model_validate(source.snapshot)
        team = desk.team_of(incident.service.id, incident.service.name)
        if team is None:
            continue
        severity = decide_severity(incident, *team)
        merged_at = incident.resolved_at or incident.status_changed_at or incident.created_at
        owes = team[0].owes_postmortem(severity.name, team[1])
        found.append(
            Absorbed(
                id=source.id,
                number=source.number,
                severity=severity.name,
                owes=owes,
                merged_at=merged_at,
            )
        )
    return tuple(found)


def _approvers(session: Session, book: Rulebook, row: PostmortemRow | None) -> frozenset[str] | None:
    """The accounts of who may waive, as far as a label asks for them; None: one was not looked up yet."""
    wanted = book.mapping.people.approvers
    labels = (row.snapshot or {}).get("labels") or () if row else ()
    if not wanted or LABEL not in {label.casefold() for label in labels}:
        return None
    rows = [session.get(PersonRow, person_key(email, book)) for email in wanted]
    if any(one is None for one in rows):
        return None
    return frozenset(str(one.account["id"]) for one in rows if one is not None and one.account)


def _service_owner(session: Session, book: Rulebook) -> dict[str, object]:
    """Who the service's owner is in Jira, as far as that was looked up."""
    address = book.section.owner
    if address is None:
        return {}
    email, project = person_key(address, book)
    known = session.connection().execute(_ACCOUNT, {"email": email, "project": project}).first()
    account = Account.model_validate(known.account) if known and known.account else None
    return {"service_owner": account, "owner_known": known is not None}


_ACCOUNT = select(col(PersonRow.account)).where(
    col(PersonRow.email) == bindparam("email"), col(PersonRow.project) == bindparam("project")
)


def item_state(row: ActionItemRow) -> ItemState:
    """An action item's row as the rules see it."""
    return ItemState(
        issue_id=row.issue_id,
        key=row.key,
        source=row.source,
        facts=row.facts,
        issue=Issue.model_validate(row.snapshot) if row.snapshot else None,
        changes=tuple(Change.model_validate(one) for one in row.changes),
        changes_until=row.changes_until,
        gone_since=row.out_of_sight_since,
        ended_at=row.ended_at,
        first_seen_at=row.first_seen_at,
    )


def record(
    session: Session,
    row: IncidentRow,
    ticket: TicketRow | None,
    decision: Decision,
    case: Case,
    severity: str,
    now: datetime,
) -> None:
    """Keep how the duties stand, which severity holds and when to decide again, with the decision."""
    papers.save_duties(session, row.id, decision.duties, now)
    papers.save_label_waivers(session, row.id, decision.waivers, now)
    for issue_id, facts in decision.facts.items():
        item = session.get(ActionItemRow, issue_id)
        if item is not None:
            item.facts = {**item.facts, **facts}
            session.add(item)
    incident = case.incident
    papers.add_spell(row, severity, (incident.updated_at or now) if row.spells else incident.created_at)
    placed = ticket is not None and ticket.placed_status is not None
    if ticket is not None and placed and ticket.closed is not None and _moved_on(ticket, ticket.closed):
        ticket.closed = None
        session.add(ticket)
    row.due_at = None if decision.again is None else now + timedelta(seconds=decision.again)


def _moved_on(ticket: TicketRow, closed: dict[str, JsonValue]) -> bool:
    """Whether it stands elsewhere than where it was read who had moved it."""
    return ticket.snapshot is None or ticket.snapshot["status"]["id"] != closed["status"]


def news(session: Session, row: IncidentRow, case: Case, decision: Decision, now: datetime) -> bool:
    """Whether recording the decision's duties, or when to decide again, would change anything.

    `case` is as of this transaction.
    """
    again = None if decision.again is None else now + timedelta(seconds=decision.again)
    if (again is None) != (row.due_at is None):
        return True
    if again and row.due_at and abs((again - row.due_at).total_seconds()) > ROUNDED_SECONDS:
        return True
    for issue_id, facts in decision.facts.items():
        item = session.get(ActionItemRow, issue_id)
        if item is not None and {**item.facts, **facts} != item.facts:
            return True
    known = {one.place: one for one in case.duties}
    return any(known.get(one.place) != one for one in decision.duties)


def read(desk: Desk, incident_id: str, book: Rulebook, look: frozenset[str]) -> None:
    """Read what a decision has to see first; raises `RemoteError`."""
    if "approvers" in look:
        for email in book.mapping.people.approvers:
            account_of(desk, email, book)
    if "log" in look:
        read_log(desk, incident_id, book.mapping.redact.patterns)
    if "ticket" in look:
        _read_close(desk, incident_id)
    if "owner" in look and book.section.owner is not None:
        account_of(desk, book.section.owner, book)
    if "postmortem" in look:
        seek_postmortem(desk, incident_id, book)
    if "items" in look:
        discover(desk, incident_id, book)
    with desk.ledger.db.read() as session:
        postmortem = session.get(PostmortemRow, incident_id) if "postmortem" in look else None
        items = _to_read(session, desk, incident_id) if "items" in look else []
    wanted: list[PaperRow] = [*([postmortem] if postmortem else []), *items]
    if wanted:
        read_papers(desk, wanted, book, changelogs=True)
    recall(desk, incident_id, book, look)


def _to_read(session: Session, desk: Desk, incident_id: str) -> list[ActionItemRow]:
    """The action items whose changelog is not known up to now where that matters."""
    now = desk.clock.now()
    due: dict[str, datetime] = {}
    for duty in papers.duties_of(session, incident_id):
        if duty.state in RUNNING and duty.due_at <= now:
            due[duty.subject] = max(duty.due_at, due.get(duty.subject, duty.due_at))
    found = []
    for row in papers.items_of(session, incident_id):
        if row.out_of_sight_since is not None:
            continue
        if row.ended_at is not None:
            wanted = "ended_by" not in row.facts
        else:
            until = row.changes_until
            wanted = until is None or not row.snapshot or until < due.get(row.issue_id, until)
        if wanted:
            found.append(row)
    return found


def read_log(desk: Desk, incident_id: str, patterns: dict[str, str]) -> None:
    """Read an incident's log and keep it, masked by the team's patterns; raises `RemoteError`."""
    moment = desk.ledger.moments.next()
    entries = desk.clients.pagerduty.incident_log(incident_id)
    desk.health.succeeded("pagerduty")
    clean = [one.model_copy(update={"summary": mask(one.summary, patterns)}) for one in entries]
    with desk.ledger.db.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is not None:
            papers.save_log(row, clean, moment)
            session.add(row)


def _read_close(desk: Desk, incident_id: str) -> None:
    """Who moved the ticket to where it stands, and from where; that nobody ever did is kept, too."""
    with desk.ledger.db.read() as session:
        ticket = ticket_of(session, incident_id)
    if ticket is None or not ticket.snapshot:
        return
    moves = [one for one in desk.clients.jira.changelog(ticket.issue_id) if one.field == "status"]
    desk.health.succeeded("jira")
    issue = Issue.model_validate(ticket.snapshot)
    closed = ClosedBy(status=issue.status.id, before="", at=issue.created_at or desk.clock.now())
    if moves:
        last = moves[-1]
        by = last.author
        closed = ClosedBy(
            status=last.after or "",
            before=last.before or "",
            before_name=last.before_words or "",
            by=by.name if by else None,
            person=ticket.placed_status is None and by is not None and _a_person(desk, by),
            ours=by is not None and by.id == desk.clients.jira.myself().id,
            at=last.at,
        )
    with desk.ledger.db.write() as session:
        session.add(ticket)
        ticket.closed = closed.model_dump(mode="json")
        if ticket.snapshot and ticket.snapshot["status"]["id"] != closed.status:
            # it was moved on meanwhile: read it again before anything is judged
            moment = desk.ledger.moments.next()
            look_again(session, [incident_id], desk.clock.now(), moment, "its ticket moved on", ticket=True)


def _a_person(desk: Desk, account: Account) -> bool:
    return account.human and account.id != desk.clients.jira.myself().id


def read_papers(desk: Desk, rows: list[PaperRow], book: Rulebook, *, changelogs: bool) -> None:
    """Read postmortems and action items afresh, with their changelogs where they are to be judged.

    Raises `RemoteError`, also where Jira could not read some of them this time.
    """
    for start in range(0, len(rows), PAGE):
        _read_page(desk, {row.issue_id: row for row in rows[start : start + PAGE]}, book, changelogs)


def _read_page(desk: Desk, by_issue: dict[str, PaperRow], book: Rulebook, changelogs: bool) -> None:
    moment, began = desk.ledger.moments.next(), desk.clock.now()
    fetched = desk.fetch(list(by_issue), description=True)
    shown = {issue.id: issue for issue in fetched.issues}
    changes = {
        ident: desk.clients.jira.changelog(ident) for ident in shown if changelogs and ident in by_issue
    }
    desk.health.succeeded("jira")
    judged = FIELDS_JUDGED | {review_field(book)}
    with desk.ledger.db.write() as session:
        for ident, row in by_issue.items():
            session.add(row)
            if ident in shown:
                keep_paper(session, desk, row, shown[ident], moment)
                if ident in changes:
                    texts_gone = [_without_texts(one) for one in changes[ident]]
                    keep_changes(session, row, texts_gone, judged, began, desk.clock.now())
            elif ident not in fetched.unread and row.out_of_sight_since is None:
                row.out_of_sight_since = desk.clock.now()
    if fetched.unread:
        said = f"{len(fetched.unread)} issues could not be read this time"
        raise Unknown("jira", "bulk fetch", Cause.BROKEN, said)


def _without_texts(change: Change) -> Change:
    """That somebody wrote on it is kept, not what."""
    if change.field not in TEXTS:
        return change
    bare = dict.fromkeys(("before", "after", "before_words", "after_words"))
    return change.model_copy(update=bare)
