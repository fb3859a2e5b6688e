"""Detect a second ledger that creates tickets for the same incidents, and stop the younger ledger.

Two ledgers know nothing of each other, so each would create a ticket for each incident. The mark on a ticket
shows the rival: an issue that is younger than this ledger, for an incident of this ledger, with another
ledger's instance in its mark. (Older issues of other instances come from a lost ledger.)

The younger ledger is the one whose first ticket has the higher numeric id in Jira; a ledger without a ticket
is younger than any. Both ledgers reach the same answer, because both see the same tickets. The younger pauses
all its writes and logs that; `syncd resume all` ends the pause, and the rival's next ticket starts it anew.
The older goes on and logs that too.
"""

from __future__ import annotations

from collections.abc import Iterable

from loguru import logger

from syncd.domain.operation import Kind
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.observe.earlier_ledger.created_by_us import created_by
from syncd.engine.observe.issues import PAGE, in_projects
from syncd.engine.runtime.brakes import OURSELVES
from syncd.ledger.store.earlier_ledger import first_and_projects, judge_rival, rivals


def watch(context: EngineContext, issues: Iterable[Issue]) -> None:
    """Search changed issues for tickets of another ledger; raise `RemoteError` where Jira fails."""
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
        first = _first_of(context, issue, min(int(issue.id), int(before.get("first", issue.id))))
        _judge(context, instance, issue, first, on_record.stopped)


def _made_beside_us(context: EngineContext, issue: Issue) -> bool:
    mark = issue.mark
    if mark is None or mark.instance == context.ledger.instance or mark.kind != Kind.CREATE_TICKET:
        return False
    return issue.created_at is not None and issue.created_at > context.ledger.born


def _first_of(context: EngineContext, latest: Issue, first: int) -> int:
    """Return the lowest id of an issue of the ledger that created `latest`, as far as the search shows it."""
    ours, projects = first_and_projects(context.ledger)
    if ours is None or not projects:
        return first
    instance = latest.mark.instance if latest.mark is not None else ""
    # the other ledger may write with an account that is not ours, and its labels may be missing
    probed = context.services.jira.probe([latest.id]).issues
    creators = {issue.creator.id for issue in probed if issue.creator is not None}
    for hits in created_by(context, creators, in_projects(projects)):
        earlier = [hit.id for hit in hits if int(hit.id) < min(ours, first)]
        for start in range(0, len(earlier), PAGE):
            for issue in context.services.jira.probe(earlier[start : start + PAGE]).issues:
                if issue.mark is not None and issue.mark.instance == instance:
                    first = min(first, int(issue.id))
        if context.stop.is_set() or len(earlier) < len(hits):
            break
    return first


def _judge(context: EngineContext, instance: str, issue: Issue, first: int, stopped: bool) -> None:
    words = f"another ledger ({instance}) creates tickets for the same incidents, such as {issue.key}"
    pause = None if stopped else (f"{words}, and it is older; stop one of the two", OURSELVES)
    now = context.clock.now()
    verdict = judge_rival(context.ledger, instance, (issue.id, issue.key), first, pause, now)
    if verdict.younger and not stopped:
        logger.error("{}: the other is older, so this one stops writing", words)
    elif not verdict.younger and verdict.new:
        logger.error("{}: this one is older and goes on; stop the other", words)
