"""Rebuild an incident's duties from the comments that an earlier ledger wrote (`facts_in_comments`).

syncd does this once, for incidents older than this ledger or its restore, before it judges their duties: a
postmortem that exists must not count as missing, and a duty that was waived or late then is so now.
"""

from __future__ import annotations

from collections.abc import Iterable

from loguru import logger

from syncd.config.masks import mask
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import Operation
from syncd.domain.operation.postmortem import comment_on_duty_issue
from syncd.domain.ticket import Comment
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import our_accounts
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
    """Return the parts to read before syncd judges the incident's duties: "postmortem", "items"."""
    if not context.predates_ledger(row.created_at):
        return frozenset()
    parts = set()
    if _to_seek(context, row, postmortem, book) or (postmortem is not None and _unasked(context, postmortem)):
        parts.add("postmortem")
    if any(_unasked(context, item) for item in items):
        parts.add("items")
    return frozenset(parts)


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
    """Adopt the postmortem that an earlier ledger or a person created; raise `RemoteError`.

    After a restore an empty search counts only when Jira's index cannot lag any more.
    """
    followers = load_followers(context.ledger, incident_id)
    if followers is None:
        return
    row, ticket = followers.incident, followers.ticket
    if not context.predates_ledger(row.created_at) or not _to_seek(context, row, followers.postmortem, book):
        return
    case = Case(incident=row.as_read, ticket=ticket)
    if adopt_postmortem(context, case, book) or not context.search_index.awaited:
        note_sought(context.ledger, incident_id, context.ledger.born)


def rebuild_duties(context: EngineContext, incident_id: str, book: Rulebook, look: frozenset[str]) -> None:
    """Read our comments on the postmortem and the action items, and store the facts that they state.

    Raise `RemoteError`.
    """
    followers = load_followers(context.ledger, incident_id)
    if followers is None or not context.predates_ledger(followers.incident.created_at):
        return
    duty_issues: list[DutyIssueState] = []
    if "postmortem" in look and followers.postmortem is not None:
        duty_issues.append(followers.postmortem)
    if "items" in look:
        duty_issues += followers.items
    unasked = [duty_issue for duty_issue in duty_issues if _unasked(context, duty_issue)]
    ours = our_accounts(context)
    for duty_issue in unasked:
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
            # syncd judges these duties anew from the services' facts
            logger.warning(
                "{}: comment {} may be forged, so syncd does not believe its facts",
                duty_issue.key,
                statement.id,
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
            # the label came with the breach: if a person removed it, syncd does not add it again
            agreed={OVERDUE_LABEL: ",".join(late)} if late and item is None else {},
            written=tuple(
                Written(_operation(fact, incident_id, item), fact.comment.id, fact.comment.created_at)
                for fact in believed
            ),
        ),
        context.clock.now(),
    )


def _operation(fact: CommentFact, incident_id: str, item: str | None) -> Operation:
    """Return the operation that wrote the comment, so that syncd never writes it again."""
    return comment_on_duty_issue(
        incident_id,
        item,
        key=fact.key,
        subject=fact.stated.what,
        text="",
        value="",
        reason="an earlier ledger wrote it",
    )
