"""What an earlier ledger knew of an incident's duties, asked of the issues once (`facts_in_comments`).

Asked for incidents that are older than this ledger, or than its restore, before any duty of theirs is
judged: a postmortem that stands there already must not be taken for one that nobody wrote, and a duty that
was waived or found late then is so now.
"""

from __future__ import annotations

from collections.abc import Iterable

from loguru import logger
from sqlmodel import Session

from syncd.config.masks import mask
from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import Kind, Operation
from syncd.domain.ticket import Comment, Issue
from syncd.engine.context import Desk
from syncd.engine.observe.earlier_ledger.adopt_postmortem import adopt_postmortem
from syncd.ledger.store import audit, outbox, postmortems
from syncd.ledger.store.duties import save_rebuilt
from syncd.ledger.store.postmortems import PaperRow
from syncd.ledger.store.snapshots import ticket_of
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow
from syncd.policy.case import Case, Rulebook, TicketState
from syncd.policy.notify.duty_comments import OVERDUE_LABEL
from syncd.policy.postmortem.facts_in_comments import POSTMORTEM, Statement, rebuilt, statements


def to_recall(
    session: Session, desk: Desk, row: IncidentRow, postmortem: PostmortemRow | None, book: Rulebook
) -> frozenset[str]:
    """What has to be asked before the incident's duties are judged: "postmortem", "items"."""
    if row.created_at >= desk.ledger.born:
        return frozenset()
    wanted = set()
    if _to_seek(desk, row, postmortem, book) or (postmortem is not None and _unasked(desk, postmortem)):
        wanted.add("postmortem")
    if any(_unasked(desk, item) for item in postmortems.items_of(session, row.id)):
        wanted.add("items")
    return frozenset(wanted)


def _to_seek(desk: Desk, row: IncidentRow, postmortem: PostmortemRow | None, book: Rulebook) -> bool:
    enforced = book.mapping.postmortem.mode is Mode.ENFORCE
    return postmortem is None and enforced and row.sought_for != desk.ledger.born


def _unasked(desk: Desk, paper: PaperRow) -> bool:
    born = desk.ledger.born
    if paper.recalled_for == born or paper.out_of_sight_since is not None or not paper.snapshot:
        return False
    made = Issue.model_validate(paper.snapshot).created_at
    return made is None or made < born


def seek_postmortem(desk: Desk, incident_id: str, book: Rulebook) -> None:
    """Adopt the postmortem that an earlier ledger made or a person wrote; raises `RemoteError`.

    After a restore the search is believed only when it cannot lag behind any more.
    """
    with desk.ledger.db.read() as session:
        row, ticket = session.get(IncidentRow, incident_id), ticket_of(session, incident_id)
        postmortem = session.get(PostmortemRow, incident_id)
    if row is None or row.created_at >= desk.ledger.born or not _to_seek(desk, row, postmortem, book):
        return
    issue = Issue.model_validate(ticket.snapshot) if ticket is not None and ticket.snapshot else None
    known = TicketState(issue_id=ticket.issue_id, key=ticket.key, issue=issue) if ticket else None
    case = Case(incident=Incident.model_validate(row.snapshot), ticket=known)
    if adopt_postmortem(desk, case, book) or not desk.patient:
        with desk.ledger.db.write() as session:
            sought = session.get(IncidentRow, incident_id)
            if sought is not None:
                sought.sought_for = desk.ledger.born
                session.add(sought)


def recall(desk: Desk, incident_id: str, book: Rulebook, look: frozenset[str]) -> None:
    """Read our comments on the postmortem and the action items, and keep what they state.

    Raises `RemoteError`.
    """
    with desk.ledger.db.read() as session:
        row = session.get(IncidentRow, incident_id)
        if row is None or row.created_at >= desk.ledger.born:
            return
        postmortem = session.get(PostmortemRow, incident_id) if "postmortem" in look else None
        found: list[PaperRow] = [*([postmortem] if postmortem else [])]
        found += postmortems.items_of(session, incident_id) if "items" in look else []
        wanted = [one for one in found if _unasked(desk, one)]
    ours = desk.clients.jira.myself().id if wanted else ""
    for paper in wanted:
        item = paper.issue_id if isinstance(paper, ActionItemRow) else None
        comments = desk.clients.jira.comments(paper.issue_id)
        desk.health.succeeded("jira")
        said = list(statements(comments, ours, incident_id, item or POSTMORTEM))
        with desk.ledger.db.write() as session:
            session.add(paper)
            paper.recalled_for = desk.ledger.born
            _keep(session, desk, incident_id, paper, said, book)


def _keep(
    session: Session,
    desk: Desk,
    incident_id: str,
    paper: PaperRow,
    said: Iterable[Statement | Comment],
    book: Rulebook,
) -> None:
    now, patterns = desk.clock.now(), book.mapping.redact.patterns
    believed: list[Statement] = []
    for one in said:
        if isinstance(one, Comment):
            # what it states is judged anew, as far as the services tell
            logger.warning("comment {} on {} states what nobody can vouch for: it is left", one.id, paper.key)
            data: dict[str, JsonValue] = {"comment": one.id}
            kind = "comment.not_believed"
            audit.append(session, now, kind, incident=incident_id, issue=paper.issue_id, data=data)
        else:
            believed.append(one.model_copy(update={"said": mask(one.said, patterns)}))
    item = paper.issue_id if isinstance(paper, ActionItemRow) else None
    duties, waivers = rebuilt(believed, incident_id, item)
    save_rebuilt(session, incident_id, duties, waivers, now)
    late = sorted(f"{one.kind}/{one.clock}" for one in duties)
    if late and isinstance(paper, PostmortemRow):
        # its label came with the breach: where a person took it away, it stays away
        paper.agreed = {OVERDUE_LABEL: ",".join(late), **paper.agreed}
    for one in believed:
        made = _operation(one, incident_id, item)
        outbox.note_done(session, made, one.comment.id, one.comment.created_at, now)


def _operation(one: Statement, incident_id: str, item: str | None) -> Operation:
    """The operation that wrote the comment, so that it is never written again."""
    return Operation(
        key=one.key,
        kind=Kind.SAY_ON_PAPER,
        incident=incident_id,
        object=f"{POSTMORTEM}:{incident_id}" if item is None else f"action_item:{item}",
        meaning={"subject": one.stated.what, "text": "", "value": ""},
        reason="an earlier ledger wrote it",
    )
