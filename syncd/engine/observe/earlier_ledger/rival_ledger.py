"""Notices a second ledger that makes tickets for the same incidents, and has the younger one stop.

Two ledgers know nothing of each other, so each would make a ticket for every incident. What tells is the
mark on the tickets: an issue that came to be after this ledger did, for an incident of this ledger's, with
another ledger's instance in its mark. (Older issues of other instances are those of a ledger that was lost.)

The younger is the one whose first ticket, by Jira's numeric id, is the later one; a ledger without a ticket
of its own is younger than any. Both come to the same answer from what Jira shows, whoever notices first. The
younger pauses all its writes and says so; `syncd resume all` ends that, and the next ticket of the other
begins it anew. The older goes on and says so, too.
"""

from __future__ import annotations

from collections.abc import Iterable

from loguru import logger

from syncd.domain.operation import Kind
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.observe.issues import PAGE, in_projects, search_pages
from syncd.ledger.store.earlier_ledger import first_and_projects, judge_rival, rivals

OURSELVES = "syncd"


def watch(context: EngineContext, issues: Iterable[Issue]) -> None:
    """Look at issues that changed for tickets of another ledger; raises `RemoteError` where Jira fails."""
    strangers = [issue for issue in issues if _made_beside_us(context, issue)]
    if not strangers:
        return
    on_record = rivals(context.ledger, {issue.mark.incident for issue in strangers if issue.mark})
    fresh: dict[str, Issue] = {}
    for issue in sorted(strangers, key=lambda issue: int(issue.id)):
        if issue.mark is None or issue.mark.incident not in on_record.claimed:
            continue
        before = on_record.by_instance.get(issue.mark.instance, {})
        if int(issue.id) > int(before.get("latest", 0)):
            fresh[issue.mark.instance] = issue
    for instance, issue in fresh.items():
        before = on_record.by_instance.get(instance, {})
        first = _first_of(context, instance, min(int(issue.id), int(before.get("first", issue.id))))
        _judge(context, instance, issue, first, on_record.stopped)


def _made_beside_us(context: EngineContext, issue: Issue) -> bool:
    mark = issue.mark
    if mark is None or mark.instance == context.ledger.instance or mark.kind != Kind.CREATE_TICKET:
        return False
    return issue.created_at is not None and issue.created_at > context.ledger.born


def _first_of(context: EngineContext, instance: str, first: int) -> int:
    """The lowest id of an issue that the other ledger made, as far as the search shows it."""
    ours, projects = first_and_projects(context.ledger)
    if ours is None or not projects:
        return first
    jql = f'{in_projects(projects)} AND labels = "syncd" ORDER BY created'
    for hits in search_pages(context.services, jql):
        earlier = [hit.id for hit in hits if int(hit.id) < min(ours, first)]
        for start in range(0, len(earlier), PAGE):
            for issue in context.services.jira.probe(earlier[start : start + PAGE]).issues:
                if issue.mark is not None and issue.mark.instance == instance:
                    first = min(first, int(issue.id))
        if context.stop.is_set() or len(earlier) < len(hits):
            break
    return first


def _judge(context: EngineContext, instance: str, issue: Issue, first: int, stopped: bool) -> None:
    words = f"another ledger ({instance}) makes tickets for the same incidents, such as {issue.key}"
    pause = None if stopped else (f"{words}, and it is older; one of the two has to end", OURSELVES)
    now = context.clock.now()
    verdict = judge_rival(context.ledger, instance, (issue.id, issue.key), first, pause, now)
    if verdict.younger and not stopped:
        logger.error("{}: it is older, so this one writes nothing any more", words)
    elif not verdict.younger and verdict.new:
        logger.error("{}: this one is older and goes on; end the other", words)
