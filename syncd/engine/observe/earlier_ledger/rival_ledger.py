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
from typing import Any

from loguru import logger
from sqlmodel import Session, select

from syncd.domain.base import JsonValue
from syncd.domain.operation import Kind, Target
from syncd.domain.ticket import Issue
from syncd.engine.context import Desk
from syncd.ledger.store import audit, holds
from syncd.ledger.store.key_values import get_cursor, set_cursor
from syncd.ledger.store.tables import IncidentRow, TicketRow

CURSOR = "rivals"
OURSELVES = "syncd"
PAGE = 100


def watch(desk: Desk, issues: Iterable[Issue]) -> None:
    """Look at issues that changed for tickets of another ledger; raises `RemoteError` where Jira fails."""
    with desk.ledger.db.read() as session:
        suspects = [issue for issue in issues if _made_beside_us(session, desk, issue)]
        known = get_cursor(session, CURSOR)
        stopped = holds.pauses(session).keys() >= {str(target) for target in Target}
    fresh: dict[str, Issue] = {}
    for issue in sorted(suspects, key=lambda one: int(one.id)):
        instance = issue.mark.instance if issue.mark else ""
        before: Any = known.get(instance, {})
        if int(issue.id) > int(before.get("latest", 0)):
            fresh[instance] = issue
    for instance, issue in fresh.items():
        before = known.get(instance, {})
        first = _first_of(desk, instance, min(int(issue.id), int(before.get("first", issue.id))))
        _judge(desk, instance, issue, first, stopped)


def _made_beside_us(session: Session, desk: Desk, issue: Issue) -> bool:
    mark = issue.mark
    if mark is None or mark.instance == desk.ledger.instance or mark.kind != Kind.CREATE_TICKET:
        return False
    if issue.created_at is None or issue.created_at <= desk.ledger.born:
        return False
    incident = session.get(IncidentRow, mark.incident)
    return incident is not None and incident.team is not None


def _our_first(session: Session) -> int | None:
    ids = session.exec(select(TicketRow.issue_id).where(TicketRow.origin == "operation")).all()
    return min(map(int, ids), default=None)


def _first_of(desk: Desk, instance: str, first: int) -> int:
    """The lowest id of an issue that the other ledger made, as far as the search shows it."""
    with desk.ledger.db.read() as session:
        ours = _our_first(session)
        projects = set(session.exec(select(TicketRow.project).distinct()).all())
    if ours is None or not projects:
        return first
    names = ", ".join(f'"{project}"' for project in sorted(projects))
    token: str | None = None
    while not desk.stop.is_set():
        jql = f'project in ({names}) AND labels = "syncd" ORDER BY created'
        page = desk.clients.jira.search(jql, token=token)
        earlier = [hit.id for hit in page.hits if int(hit.id) < min(ours, first)]
        for start in range(0, len(earlier), PAGE):
            for issue in desk.clients.jira.probe(earlier[start : start + PAGE]).issues:
                if issue.mark is not None and issue.mark.instance == instance:
                    first = min(first, int(issue.id))
        token = page.next_token
        if token is None or len(earlier) < len(page.hits):
            break
    return first


def _judge(desk: Desk, instance: str, issue: Issue, first: int, stopped: bool) -> None:
    now = desk.clock.now()
    with desk.ledger.db.write() as session:
        ours = _our_first(session)
        younger = ours is None or first < ours
        known = get_cursor(session, CURSOR)
        before: Any = known.get(instance, {})
        known[instance] = {
            "first": str(first),
            "latest": issue.id,
            "key": issue.key,
            "since": before.get("since", now.isoformat()),
            "younger": younger,
        }
        set_cursor(session, CURSOR, **known)
        said = f"another ledger ({instance}) makes tickets for the same incidents, such as {issue.key}"
        if not before or before.get("younger") != younger:
            data: dict[str, JsonValue] = {"instance": instance, "key": issue.key, "younger": younger}
            audit.append(session, now, "rival.found", issue=issue.id, data=data)
        if younger and not stopped:
            reason = f"{said}, and it is older; one of the two has to end"
            holds.pause(session, list(Target), reason, OURSELVES, now)
    if younger and not stopped:
        logger.error("{}: it is older, so this one writes nothing any more", said)
    elif not younger and not before:
        logger.error("{}: this one is older and goes on; end the other", said)
