"""What changed in Jira: one search over the mapped projects, and a bulk read of what it names as changed.

The search window is relative (JQL reads absolute times in the account's zone, to the minute) and
overlaps by ten minutes. A search result names issues; values come from the bulk read.
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
"""Pairs of issue and update that are kept in memory; forgetting one costs a bulk read, nothing else."""


class JiraPoller:
    """The fast poll's one read of Jira."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._seen: dict[str, str] = {}
        self._unread: set[str] = set()

    def poll(self) -> None:
        """Read what changed since the last good read; raises `RemoteError` where Jira cannot be read."""
        context = self._context
        began = context.clock.boottime()
        known = get_value(context.ledger, KEY)
        since = f"updated >= -{self._minutes(known)}m ORDER BY updated"
        for hits in search_pages(context.services, f"{in_projects(self._projects())} AND {since}"):
            context.read_lags.seen(INDEX, [hit.id for hit in hits])
            self._read([hit for hit in hits if self._seen.get(hit.id) != hit.updated])
        if self._worth_writing(known, began):
            set_value(context.ledger, KEY, boot_id=context.clock.boot_id(), boottime=began)
        context.health.succeeded("jira")

    def _projects(self) -> set[str]:
        """The mapped projects, and those for restricted tickets as far as one stands there."""
        names = {mapping.jira.project for mapping in self._context.mappings}
        apart = {key for one in self._context.mappings if (key := one.restricted.project) is not None}
        if apart:
            names |= apart & ticket_projects(self._context.ledger)
        return names

    def _worth_writing(self, known: dict[str, object], began: float) -> bool:
        """The watermark is written once a minute: within that, the overlap covers a restart."""
        before = known.get("boottime")
        same = known.get("boot_id") == self._context.clock.boot_id() and isinstance(before, int | float)
        return not same or not isinstance(before, int | float) or began - before >= 60

    def _minutes(self, known: dict[str, object]) -> int:
        """Minutes since the last good read, and the overlap; a first read asks for the overlap alone."""
        context = self._context
        before = known.get("boottime")
        if known.get("boot_id") == context.clock.boot_id() and isinstance(before, int | float):
            return int((context.clock.boottime() - before) // 60) + 1 + OVERLAP_MINUTES
        return int(context.backfill_seconds // 60) if known else OVERLAP_MINUTES

    def _read(self, hits: list[Hit]) -> None:
        context = self._context
        for start in range(0, len(hits), PAGE):
            part = hits[start : start + PAGE]
            page = read_page(context, [hit.id for hit in part])
            known = self._store(page)
            watch(context, page.issues)
            for issue_id in set(page.unread) - self._unread:
                logger.warning("issue {} cannot be read; it is asked for again in each cycle", issue_id)
            self._unread = (self._unread | set(page.unread)) - {issue.id for issue in page.issues}
            for hit in part:
                # a bulk read may lag behind the search: what it does not show yet is asked for again
                if hit.id in known and not older(known[hit.id], hit.updated):
                    self._seen[hit.id] = hit.updated
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def _store(self, page: IssuePage) -> dict[str, str]:
        """Store what is ours; return up to when each issue is known, by its id.

        A ticket counts as known only as far as the ledger holds it: what began before our create was
        confirmed is not stored, and an issue with our mark may become a ticket of ours yet.
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
        others = [one for one in issues if one.id not in ours.tickets and one.id not in ours.duty_issues]
        notice(context, others, read_seq)
        mine = [issue for issue in issues if issue.id in ours.tickets]
        known = {
            issue.id: issue.updated
            for issue in issues
            if issue.id in ours.duty_issues or (issue.id not in ours.tickets and not _awaited(context, issue))
        }
        unknown = [one for one in issues if one.id not in known and one.id not in ours.tickets]
        strays = [one for one in unknown if _is_ticket(one)]
        if strays:
            adopt_own(context, strays, read_seq)
        if not mine:
            return known
        now, jira_now = context.clock.now(), context.date_of("jira")
        for ticket in store_tickets(context.ledger, storage_rules(context), mine, read_seq, now, jira_now):
            if ticket.news:
                logger.debug("ticket {} changed", ticket.key)
            if ticket.updated is not None:
                known[ticket.issue_id] = ticket.updated
        return known


def _awaited(context: EngineContext, issue: Issue) -> bool:
    """Whether an operation of this ledger made the issue, and does not know it yet."""
    return issue.mark is not None and issue.mark.instance == context.ledger.instance


def _is_ticket(issue: Issue) -> bool:
    return issue.mark is not None and issue.mark.kind == Kind.CREATE_TICKET
