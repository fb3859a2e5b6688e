"""The fast poll of Jira: one search over the mapped projects, and a bulk read of the issues that it names.

The search window is relative, because JQL reads absolute times in the account's zone, to the minute. It
overlaps by ten minutes. A search result names issues; values come from the bulk read, since search results
may carry stale values.
"""

from __future__ import annotations

from loguru import logger

from syncd.domain.operation import Kind
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.observe.action_items import notice
from syncd.engine.observe.earlier_ledger.adopt_tickets import adopt_own
from syncd.engine.observe.earlier_ledger.rival_ledger import watch
from syncd.engine.observe.issues import PAGE, IssuePage, in_projects, read_page, saw_numbers, search_pages
from syncd.engine.observe.masking import storage_rules
from syncd.engine.runtime.read_lag import INDEX
from syncd.ledger.store.key_values import get_value, set_value
from syncd.ledger.store.lookups import issues_on_record, ticket_projects
from syncd.ledger.store.pages import store_papers, store_tickets
from syncd.ledger.store.snapshots import older
from syncd.remote.answers import Hit

KEY = "jira.poll"
OVERLAP_MINUTES = 10
REMEMBERED = 20_000
"""Pairs of issue and update kept in memory; a forgotten pair costs one bulk read, nothing else."""


class JiraPoller:
    """The fast poll's search of Jira."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._seen: dict[str, str] = {}
        self._unread: set[str] = set()

    def poll(self) -> None:
        """Read the issues that changed since the last good read; raise `RemoteError` where Jira fails."""
        context = self._context
        began = context.clock.boottime()
        watermark = get_value(context.ledger, KEY)
        since = f"updated >= -{self._minutes(watermark)}m ORDER BY updated"
        jql = f"{in_projects(self._projects())} AND {since}"
        login, proved = context.login("jira"), True
        proved_before = login.proved_at
        for hits in search_pages(context.services, jql, certain=False):
            proved = proved and login.proved_by_last_answer
            context.read_lags.seen(INDEX, [hit.id for hit in hits])
            self._read([hit for hit in hits if self._seen.get(hit.id) != hit.updated])
        # a dead token finds nothing: the next search reaches back to the last proof of our login
        read_up_to = began if proved or proved_before is None else proved_before
        if self._worth_writing(watermark, read_up_to):
            set_value(context.ledger, KEY, boot_id=context.clock.boot_id(), boottime=read_up_to)
        context.health.succeeded("jira")

    def _projects(self) -> set[str]:
        """Return the mapped projects, and the restricted projects that hold a ticket."""
        names = {mapping.jira.project for mapping in self._context.mappings}
        mappings = self._context.mappings
        apart = {key for mapping in mappings if (key := mapping.restricted.project) is not None}
        # a restricted project may not exist yet, and a search that names it would be refused
        if apart:
            names |= apart & ticket_projects(self._context.ledger)
        return names

    def _worth_writing(self, watermark: dict[str, object], read_up_to: float) -> bool:
        """Return True once a minute: the overlap covers a restart within that minute."""
        before = watermark.get("boottime")
        same = watermark.get("boot_id") == self._context.clock.boot_id() and isinstance(before, int | float)
        return not same or not isinstance(before, int | float) or read_up_to - before >= 60

    def _minutes(self, watermark: dict[str, object]) -> int:
        """Return the minutes since the last good read plus the overlap; at a first read the overlap."""
        context = self._context
        before = watermark.get("boottime")
        if watermark.get("boot_id") == context.clock.boot_id() and isinstance(before, int | float):
            return int((context.clock.boottime() - before) // 60) + 1 + OVERLAP_MINUTES
        # after a reboot the boot-time clocks cannot be compared, so syncd reads the backfill's days
        return int(context.backfill_seconds // 60) if watermark else OVERLAP_MINUTES

    def _read(self, hits: list[Hit]) -> None:
        context = self._context
        for start in range(0, len(hits), PAGE):
            part = hits[start : start + PAGE]
            page = read_page(context, [hit.id for hit in part])
            stored_up_to = self._store(page)
            watch(context, page.issues)
            for issue_id in set(page.unread) - self._unread:
                logger.warning("syncd cannot read issue {} and tries again in each cycle", issue_id)
            self._unread = (self._unread | set(page.unread)) - {issue.id for issue in page.issues}
            for hit in part:
                # a bulk read may lag behind the search: the next cycle asks again for what it does not show
                if hit.id in stored_up_to and not older(stored_up_to[hit.id], hit.updated):
                    self._seen[hit.id] = hit.updated
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def _store(self, page: IssuePage) -> dict[str, str]:
        """Store our issues; return for each issue (its id) the time of the update that is stored.

        A ticket counts only as far as the ledger holds it: a read that began before the create's confirmation
        is not stored, and an issue with our mark may still become a ticket of ours.
        """
        context, issues, read_seq = self._context, page.issues, page.read_seq
        by_project: dict[str, list[int]] = {}
        for issue in issues:
            by_project.setdefault(issue.project, []).append(issue.number)
        for project, numbers in by_project.items():
            saw_numbers(context, project, numbers)
        ours = issues_on_record(context.ledger, [issue.id for issue in issues])
        duty_issues = [issue for issue in issues if issue.id in ours.duty_issues]
        if duty_issues:
            why = "its postmortem changed"
            store_papers(
                context.ledger, storage_rules(context), duty_issues, read_seq, context.clock.now(), why
            )
        others = [
            issue for issue in issues if issue.id not in ours.tickets and issue.id not in ours.duty_issues
        ]
        notice(context, others, read_seq)
        mine = [issue for issue in issues if issue.id in ours.tickets]
        stored_up_to = {
            issue.id: issue.updated
            for issue in issues
            if issue.id in ours.duty_issues or (issue.id not in ours.tickets and not _awaited(context, issue))
        }
        unknown = [issue for issue in issues if issue.id not in stored_up_to and issue.id not in ours.tickets]
        # a create whose answer was lost may show here first
        strays = [issue for issue in unknown if _is_ticket(issue)]
        if strays:
            adopt_own(context, strays, read_seq)
        if not mine:
            return stored_up_to
        now, jira_now = context.clock.now(), context.date_of("jira")
        for ticket in store_tickets(context.ledger, storage_rules(context), mine, read_seq, now, jira_now):
            if ticket.news:
                logger.debug("ticket {} changed", ticket.key)
            if ticket.updated is not None:
                stored_up_to[ticket.issue_id] = ticket.updated
        return stored_up_to


def _awaited(context: EngineContext, issue: Issue) -> bool:
    """Return True if an operation of this ledger created the issue and is not confirmed yet."""
    return issue.mark is not None and issue.mark.instance == context.ledger.instance


def _is_ticket(issue: Issue) -> bool:
    return issue.mark is not None and issue.mark.kind == Kind.CREATE_TICKET
