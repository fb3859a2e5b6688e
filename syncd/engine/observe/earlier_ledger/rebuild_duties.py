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
from syncd.domain.operation import Operation
from syncd.domain.operation.postmortem import comment_on_duty_issue
from syncd.domain.ticket import Comment
from syncd.engine.context import EngineContext
from syncd.engine.observe.earlier_ledger.adopt_postmortem import adopt_postmortem
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.earlier_ledger import Recalled, Written, note_sought, store_recalled
from syncd.ledger.store.lookups import load_followers
from syncd.policy.case import Case, DutyIssueState, ItemState, PostmortemState, Rulebook
from syncd.policy.notify.duty_comments import OVERDUE_LABEL
from syncd.policy.postmortem.facts_in_comments import POSTMORTEM, CommentFact, facts_in_comments, rebuilt


def parts_to_rebuild(
    context: EngineContext,
    row: IncidentRecord,
    postmortem: PostmortemState | None,
    items: Iterable[ItemState],
    book: Rulebook,
) -> frozenset[str]:
    """What has to be asked before the incident's duties are judged: "postmortem", "items"."""
    if not context.predates_ledger(row.created_at):
        return frozenset()
    wanted = set()
    if _to_seek(context, row, postmortem, book) or (postmortem is not None and _unasked(context, postmortem)):
        wanted.add("postmortem")
    if any(_unasked(context, item) for item in items):
        wanted.add("items")
    return frozenset(wanted)


def _to_seek(
    context: EngineContext, row: IncidentRecord, postmortem: PostmortemState | None, book: Rulebook
) -> bool:
    enforced = book.mapping.postmortem.mode is Mode.ENFORCE
    return postmortem is None and enforced and row.postmortem_searched_for != context.ledger.born


def _unasked(context: EngineContext, duty_issue: DutyIssueState) -> bool:
    born = context.ledger.born
    if duty_issue.rebuilt_for == born or not duty_issue.in_sight or duty_issue.issue is None:
        return False
    made = duty_issue.issue.created_at
    return made is None or made < born


def seek_postmortem(context: EngineContext, incident_id: str, book: Rulebook) -> None:
    """Adopt the postmortem that an earlier ledger made or a person wrote; raises `RemoteError`.

    After a restore the search is believed only when it cannot lag behind any more.
    """
    known = load_followers(context.ledger, incident_id)
    if known is None:
        return
    row, ticket = known.incident, known.ticket
    if not context.predates_ledger(row.created_at) or not _to_seek(context, row, known.postmortem, book):
        return
    case = Case(incident=Incident.model_validate(row.snapshot), ticket=ticket)
    if adopt_postmortem(context, case, book) or not context.search_index.awaited:
        note_sought(context.ledger, incident_id, context.ledger.born)


def rebuild_duties(context: EngineContext, incident_id: str, book: Rulebook, look: frozenset[str]) -> None:
    """Read our comments on the postmortem and the action items, and keep what they state.

    Raises `RemoteError`.
    """
    known = load_followers(context.ledger, incident_id)
    if known is None or not context.predates_ledger(known.incident.created_at):
        return
    duty_issues: list[DutyIssueState] = []
    if "postmortem" in look and known.postmortem is not None:
        duty_issues.append(known.postmortem)
    if "items" in look:
        duty_issues += known.items
    wanted = [duty_issue for duty_issue in duty_issues if _unasked(context, duty_issue)]
    ours = context.services.jira.myself().id if wanted else ""
    for duty_issue in wanted:
        item = duty_issue.issue_id if isinstance(duty_issue, ItemState) else None
        comments = context.services.jira.comments(duty_issue.issue_id)
        context.health.succeeded("jira")
        words = list(facts_in_comments(comments, ours, incident_id, item or POSTMORTEM))
        _keep(context, incident_id, duty_issue, words, book)


def _keep(
    context: EngineContext,
    incident_id: str,
    duty_issue: DutyIssueState,
    words: Iterable[CommentFact | Comment],
    book: Rulebook,
) -> None:
    patterns, item = book.mapping.redact.patterns, None
    if isinstance(duty_issue, ItemState):
        item = duty_issue.issue_id
    believed: list[CommentFact] = []
    doubted: list[str] = []
    for statement in words:
        if isinstance(statement, Comment):
            # what it states is judged anew, as far as the services tell
            logger.warning(
                "comment {} on {} states what nobody can vouch for: it is left", statement.id, duty_issue.key
            )
            doubted.append(statement.id)
        else:
            believed.append(statement.model_copy(update={"said": mask(statement.said, patterns)}))
    duties, waivers = rebuilt(believed, incident_id, item)
    late = sorted(f"{duty.kind}/{duty.clock}" for duty in duties)
    store_recalled(
        context.ledger,
        Recalled(
            incident_id=incident_id,
            issue_id=duty_issue.issue_id,
            is_item=item is not None,
            born=context.ledger.born,
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
        context.clock.now(),
    )


def _operation(one: CommentFact, incident_id: str, item: str | None) -> Operation:
    """The operation that wrote the comment, so that it is never written again."""
    return comment_on_duty_issue(
        incident_id,
        item,
        key=one.key,
        subject=one.stated.what,
        text="",
        value="",
        reason="an earlier ledger wrote it",
    )
