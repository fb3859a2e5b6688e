"""What an earlier ledger knew of an incident's duties, asked of the issues once (`facts_in_comments`).

Asked for incidents that are older than this ledger, or than its restore, before any duty of theirs is
judged: a postmortem that stands there already must not be taken for one that nobody wrote, and a duty that
was waived or found late then is so now.
"""

from __future__ import annotations

from collections.abc import Iterable

from loguru import logger

from syncd.config.masks import mask
from syncd.domain.incident import Incident
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import CommentOnActionItem, CommentOnPostmortem, Operation
from syncd.domain.operation.keys import object_of_action_item, object_of_postmortem
from syncd.domain.ticket import Comment, Issue
from syncd.engine.context import Desk
from syncd.engine.observe.earlier_ledger.adopt_postmortem import adopt_postmortem
from syncd.ledger.records import ActionItemRecord, DutyIssueRecord, IncidentRecord, PostmortemRecord
from syncd.ledger.store.known import load_followers
from syncd.ledger.store.rebuilding import Recalled, Written, note_sought, store_recalled
from syncd.policy.case import Case, Rulebook, TicketState
from syncd.policy.notify.duty_comments import OVERDUE_LABEL
from syncd.policy.postmortem.facts_in_comments import POSTMORTEM, Statement, rebuilt, statements


def to_recall(
    desk: Desk,
    row: IncidentRecord,
    postmortem: PostmortemRecord | None,
    items: Iterable[ActionItemRecord],
    book: Rulebook,
) -> frozenset[str]:
    """What has to be asked before the incident's duties are judged: "postmortem", "items"."""
    if row.created_at >= desk.ledger.born:
        return frozenset()
    wanted = set()
    if _to_seek(desk, row, postmortem, book) or (postmortem is not None and _unasked(desk, postmortem)):
        wanted.add("postmortem")
    if any(_unasked(desk, item) for item in items):
        wanted.add("items")
    return frozenset(wanted)


def _to_seek(desk: Desk, row: IncidentRecord, postmortem: PostmortemRecord | None, book: Rulebook) -> bool:
    enforced = book.mapping.postmortem.mode is Mode.ENFORCE
    return postmortem is None and enforced and row.sought_for != desk.ledger.born


def _unasked(desk: Desk, paper: DutyIssueRecord) -> bool:
    born = desk.ledger.born
    if paper.recalled_for == born or paper.out_of_sight_since is not None or not paper.snapshot:
        return False
    made = Issue.model_validate(paper.snapshot).created_at
    return made is None or made < born


def seek_postmortem(desk: Desk, incident_id: str, book: Rulebook) -> None:
    """Adopt the postmortem that an earlier ledger made or a person wrote; raises `RemoteError`.

    After a restore the search is believed only when it cannot lag behind any more.
    """
    known = load_followers(desk.ledger, incident_id)
    if known is None:
        return
    row, ticket = known.incident, known.ticket
    if row.created_at >= desk.ledger.born or not _to_seek(desk, row, known.postmortem, book):
        return
    issue = Issue.model_validate(ticket.snapshot) if ticket is not None and ticket.snapshot else None
    state = TicketState(issue_id=ticket.issue_id, key=ticket.key, issue=issue) if ticket else None
    case = Case(incident=Incident.model_validate(row.snapshot), ticket=state)
    if adopt_postmortem(desk, case, book) or not desk.patient:
        note_sought(desk.ledger, incident_id, desk.ledger.born)


def recall(desk: Desk, incident_id: str, book: Rulebook, look: frozenset[str]) -> None:
    """Read our comments on the postmortem and the action items, and keep what they state.

    Raises `RemoteError`.
    """
    known = load_followers(desk.ledger, incident_id)
    if known is None or known.incident.created_at >= desk.ledger.born:
        return
    papers: list[DutyIssueRecord] = []
    if "postmortem" in look and known.postmortem is not None:
        papers.append(known.postmortem)
    if "items" in look:
        papers += known.items
    wanted = [paper for paper in papers if _unasked(desk, paper)]
    ours = desk.clients.jira.myself().id if wanted else ""
    for paper in wanted:
        item = paper.issue_id if isinstance(paper, ActionItemRecord) else None
        comments = desk.clients.jira.comments(paper.issue_id)
        desk.health.succeeded("jira")
        words = list(statements(comments, ours, incident_id, item or POSTMORTEM))
        _keep(desk, incident_id, paper, words, book)


def _keep(
    desk: Desk,
    incident_id: str,
    paper: DutyIssueRecord,
    words: Iterable[Statement | Comment],
    book: Rulebook,
) -> None:
    patterns, item = book.mapping.redact.patterns, None
    if isinstance(paper, ActionItemRecord):
        item = paper.issue_id
    believed: list[Statement] = []
    doubted: list[str] = []
    for statement in words:
        if isinstance(statement, Comment):
            # what it states is judged anew, as far as the services tell
            logger.warning(
                "comment {} on {} states what nobody can vouch for: it is left", statement.id, paper.key
            )
            doubted.append(statement.id)
        else:
            believed.append(statement.model_copy(update={"said": mask(statement.said, patterns)}))
    duties, waivers = rebuilt(believed, incident_id, item)
    late = sorted(f"{duty.kind}/{duty.clock}" for duty in duties)
    store_recalled(
        desk.ledger,
        Recalled(
            incident_id=incident_id,
            issue_id=paper.issue_id,
            is_item=item is not None,
            born=desk.ledger.born,
            doubted=tuple(doubted),
            duties=tuple(duties),
            waivers=tuple(waivers),
            # its label came with the breach: where a person took it away, it stays away
            agreed={OVERDUE_LABEL: ",".join(late)} if late and item is None else {},
            written=tuple(
                Written(_operation(one, incident_id, item), one.comment.id, one.comment.created_at)
                for one in believed
            ),
        ),
        desk.clock.now(),
    )


def _operation(one: Statement, incident_id: str, item: str | None) -> Operation:
    """The operation that wrote the comment, so that it is never written again."""
    model: type[CommentOnPostmortem] | type[CommentOnActionItem]
    model = CommentOnPostmortem if item is None else CommentOnActionItem
    return model(
        key=one.key,
        incident=incident_id,
        object=object_of_postmortem(incident_id) if item is None else object_of_action_item(item),
        subject=one.stated.what,
        text="",
        value="",
        reason="an earlier ledger wrote it",
    )
