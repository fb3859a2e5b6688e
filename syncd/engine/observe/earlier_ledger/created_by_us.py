"""Find the issues that our accounts created, now or formerly: nothing depends on their labels.

A creator never changes, and nobody can remove it. syncd searches by creator once, from the oldest incident in
question on, and reads each issue's mark once; the mark decides. Which accounts are ours, the ledger names, or
after a lost ledger `SYNCD_FORMER_ACCOUNTS`. If neither names a former account, a look at the latest tickets
of others may: their marks betray it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta

from loguru import logger

from syncd.domain.operation import Kind
from syncd.domain.ticket import Account, Issue
from syncd.engine.context import EngineContext
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.observe.accounts import our_accounts
from syncd.engine.observe.issues import PAGE, search_pages
from syncd.remote.answers import Hit
from syncd.remote.errors import Cause, NotDone, Unknown
from syncd.remote.jira.client import JiraClient

SLACK = timedelta(hours=1)
"""How much further back than asked syncd searches: the clocks of both services and ours may differ."""
LATEST = {"cloud": 100, "datacenter": 20}
"""Tickets of others that are read for a mark; Data Center has no bulk read."""


def marked_issues(context: EngineContext, ops: Iterable[str], since: datetime) -> list[str]:
    """Return the ids of issues with the mark of one of these creates, of issues created since `since` (UTC).

    Raise `RemoteError` where Jira cannot answer.
    """
    marked = context.marked_issues
    with marked.lock:
        if not marked.reach(since, context.ledger.born):
            since = min(since, context.clock.now() - timedelta(seconds=context.backfill_seconds))
            # taken before the search: what it does not show may be settled by its end
            settled = not context.search_index.awaited
            _search(context, since)
            marked.searched(since, context.ledger.born, settled=settled)
        return [issue_id for op in ops for issue_id in marked.of(op)]


def _search(context: EngineContext, since: datetime) -> None:
    ours = our_accounts(context)
    creators = ours | _found_among_others(context, ours, since)
    for hits in created_by(context, creators, created_since(context, since)):
        _read_marks(context, [hit.id for hit in hits])


def _read_marks(context: EngineContext, issue_ids: list[str]) -> None:
    unread = context.marked_issues.unread(issue_ids)
    for start in range(0, len(unread), PAGE):
        if context.stop.is_set():
            # half a search must not count as one that found nothing
            raise NotDone("jira", "bulk fetch", Cause.PAUSED, "syncd stops")
        fetched = context.services.jira.probe(unread[start : start + PAGE])
        if fetched.unread:
            words = f"{len(fetched.unread)} issues could not be read"
            raise Unknown("jira", "bulk fetch", Cause.BROKEN, words)
        note_marks(context, fetched.issues)


def note_marks(context: EngineContext, issues: Iterable[Issue]) -> None:
    """Keep the marks of issues that were read, so that no search reads them again."""
    for issue in issues:
        context.marked_issues.keep(issue.id, issue.mark.op if issue.mark is not None else None)


def created_by(
    context: EngineContext, creators: Collection[str], clause: str, order: str = "created"
) -> Iterator[tuple[Hit, ...]]:
    """Yield pages of the issues that these accounts created and that fulfil a clause of JQL.

    One search asks for one account, because Jira refuses a search that names an account which it does not
    know. Skip such an account, and raise `NotDone` only where Jira refuses all of them.
    """
    refused: NotDone | None = None
    refusals = 0
    for creator in sorted(creators):
        try:
            jql = f"creator = {_quoted(creator)} AND {clause} ORDER BY {order}"
            yield from search_pages(context.services, jql)
        except NotDone as error:
            if error.cause is not Cause.REJECTED:
                raise
            refused, refusals = error, refusals + 1
            logger.warning("Jira finds no issues that {} created: {}", creator, error.describe())
    if refused is not None and refusals == len(creators):
        raise refused


def _quoted(name: str) -> str:
    """Return a name as JQL reads it: Data Center's user names may hold a backslash."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def created_since(context: EngineContext, since: datetime) -> str:
    """Return the clause for issues created since a time (UTC).

    It is relative, because JQL reads times in our account's time zone.
    """
    now = max(filter(None, (context.clock.now(), context.transport.now_of("jira"))))
    minutes = int((now - since + SLACK).total_seconds() // 60) + 1
    return f"created >= -{max(1, minutes)}m"


def _found_among_others(context: EngineContext, ours: Collection[str], since: datetime) -> frozenset[str]:
    """Return the accounts of others that created tickets with our mark, and log them.

    A new ledger does not know the accounts that syncd had before.
    """
    creators: dict[str, Issue] = {}
    clause = created_since(context, since)
    for mapping in context.mappings:
        try:
            project = context.facts.resolved(mapping)
        except MappingMismatch:
            # its team waits until the mapping fits
            continue
        place = f'project = "{project.key}" AND issuetype = {project.incident_type.id} AND {clause}'
        for issue in tickets_of_others(context.services.jira, place, ours):
            if issue.creator is not None:
                creators.setdefault(issue.creator.id, issue)
    for issue in creators.values():
        logger.warning(
            "{}: bears syncd's mark, and {} created it: {}", issue.key, _named(issue.creator), UNNAMED
        )
    return frozenset(creators)


UNNAMED = (
    "if syncd had this account before, name it in SYNCD_FORMER_ACCOUNTS, so that syncd believes its comments"
    " and never takes its writes for a person's"
)


def tickets_of_others(jira: JiraClient, place: str, ours: Collection[str]) -> list[Issue]:
    """Return tickets with our mark that none of our accounts created, among the latest of a place (JQL).

    Raise `RemoteError` where Jira cannot answer.
    """
    names = ", ".join(map(_quoted, sorted(ours)))
    apart = f" AND creator not in ({names})" if names else ""
    try:
        page = jira.search(f"{place}{apart} ORDER BY created DESC", limit=LATEST[jira.edition])
    except NotDone as error:
        # Jira does not know a former account, or hides the project: nothing depends on this look
        if error.cause is not Cause.REJECTED and not error.not_for_us:
            raise
        return []
    if not page.hits:
        return []
    issues = jira.probe([hit.id for hit in page.hits][:PAGE]).issues
    return [issue for issue in issues if issue.mark is not None and issue.mark.kind == Kind.CREATE_TICKET]


def _named(account: Account | None) -> str:
    return f"{account.name or account.id} ({account.id})" if account is not None else "somebody"
