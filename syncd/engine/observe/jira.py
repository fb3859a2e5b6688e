"""The fast poll of Jira: one search over the mapped projects, and a bulk read of the issues that it names.

The search window is relative, because JQL reads absolute times in the account's zone, to the minute. It
overlaps by ten minutes. A search result names issues; values come from the bulk read, since search results
may carry stale values.

Jira refuses a search as a whole where it does not show one of its projects. Then syncd searches each project
by itself, and from then on the others together. Each project keeps its own last good read: when it is back,
syncd reads all that changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from loguru import logger

from syncd.domain.operation import Kind
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.jira_knowledge.project_cache import FIT, SEARCH, project_name, refuses_search
from syncd.engine.observe.action_items import notice
from syncd.engine.observe.earlier_ledger.adopt_tickets import adopt_own
from syncd.engine.observe.earlier_ledger.proof import put_back
from syncd.engine.observe.earlier_ledger.rival_ledger import watch
from syncd.engine.observe.first_contact import look_again
from syncd.engine.observe.issues import PAGE, IssuePage, in_projects, read_page, saw_numbers, search_pages
from syncd.engine.observe.masking import storage_rules
from syncd.engine.runtime.read_lag import INDEX
from syncd.engine.runtime.reads import PAUSES
from syncd.engine.runtime.refusals import AGAIN
from syncd.ledger.open import Ledger
from syncd.ledger.store.adoptions import lost
from syncd.ledger.store.key_values import get_value, set_value
from syncd.ledger.store.lookups import issues_on_record, ticket_projects
from syncd.ledger.store.pages import store_papers, store_tickets
from syncd.ledger.store.snapshots import older
from syncd.remote.answers import Hit
from syncd.remote.errors import Cause, NotDone, RemoteError

KEY = "jira.poll"
OVERLAP_MINUTES = 10
POLL = "jira poll"
"""The subject of a refusal of the whole poll, whatever its projects."""
_REMEDY = (
    "Give the account and its token the right to read and search issues. Until then syncd makes and moves"
    " tickets, and sees what people change in Jira every 15 minutes only"
)
Mark = dict[str, Any]
"""A good read: boot id, boot time, and the wall time (`at`)."""


def rewind_jira(ledger: Ledger, projects: Iterable[str], mark: Mark) -> None:
    """Have projects read anew from an earlier good read on: what was read meanwhile lacks a team's rules."""
    stored: dict[str, Any] = {**get_value(ledger, KEY)}
    earlier: dict[str, Mark] = mark.get("late", {})
    plain = {name: value for name, value in mark.items() if name != "late"}
    late = {project: earlier.get(project, plain) for project in projects} | stored.pop("late", {})
    # a ledger that never read Jira has nothing to catch up on
    if plain and late:
        set_value(ledger, KEY, **stored, late=late)


class JiraPoller:
    """The fast poll's search of Jira."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._proved = True

    def look_at_stopped_teams(self) -> None:
        """Look again at the stopped teams whose turn it is, and read what their projects missed meanwhile."""
        for mapping, refusal in look_again(self._context):
            # while the mapping did not fit, syncd did not know which fields of its issues to read
            if refusal.question == FIT:
                rewind_jira(self._context.ledger, [mapping.jira.project], {"at": refusal.since.isoformat()})
                self.forget()

    def poll(self) -> None:
        """Read the issues that changed since the last good read of their project.

        Raise `RemoteError` where Jira fails, also where it lets us search no project at all.
        """
        refusals = self._context.refusals
        if not refusals.may_ask(POLL, SEARCH):
            raise NotDone("jira", "search", Cause.PAUSED, "Jira refused it, syncd asks again later")
        try:
            self._poll()
        except NotDone as error:
            # our login is good, or the cause would be another one: the refusal concerns these requests alone
            if error.cause is Cause.FORBIDDEN:
                what = "Jira does not let syncd's account search for changed issues"
                refusals.refused(POLL, SEARCH, what, error.describe(), remedy=_REMEDY, tell=True)
            elif error.refused:
                what = "syncd cannot read Jira's changed issues"
                refusals.refused(POLL, SEARCH, what, error.describe(), remedy=AGAIN, pauses=PAUSES)
            raise
        refusals.answered(POLL, SEARCH)

    def _poll(self) -> None:
        context = self._context
        began, login = context.clock.boottime(), context.transport.login("jira")
        proved_before, self._proved = login.proved_at, True
        stored: dict[str, Any] = {**get_value(context.ledger, KEY)}
        late: dict[str, Mark] = stored.pop("late", {})
        wanted, awaited = self._projects()
        together = wanted - late.keys()
        good = self._search_together(together, stored)
        for project in sorted(wanted & late.keys()):
            if not context.refusals.may_ask(project_name(project), SEARCH):
                continue
            if self._search_alone(project, late[project]) is None:
                good.add(project)
        # a dead token finds nothing: the next search reaches back to the last proof of our login
        read_up_to = began if self._proved or proved_before is None else proved_before
        now = self._mark(read_up_to)
        unread = (wanted | awaited) - good
        still_late = {project: late.get(project, stored or now) for project in unread}
        if still_late != late or self._worth_writing(stored, now):
            set_value(context.ledger, KEY, **now, **({"late": still_late} if still_late else {}))
        if not good and unread:
            raise NotDone("jira", "search", Cause.PAUSED, "Jira shows none of our projects")
        context.health.succeeded("jira")

    def forget(self) -> None:
        """Forget what was seen, so that the next read counts as news."""
        self._context.shared_reads.updates.forget()

    def _search_together(self, projects: set[str], mark: Mark) -> set[str]:
        """Search projects in one request, one by one where Jira refuses that; return those that were read."""
        if not projects:
            return set()
        try:
            self._search(projects, mark)
        except RemoteError as error:
            if not refuses_search(error):
                raise
            # the poll of one project: the same request again would be refused again
            if len(projects) == 1:
                self._refused(next(iter(projects)), error)
                return set()
            return {project for project in sorted(projects) if self._search_alone(project, mark) is None}
        return {*projects}

    def _search_alone(self, project: str, mark: Mark) -> RemoteError | None:
        """Search one project; return the refusal where Jira refuses it."""
        try:
            self._search({project}, mark)
        except RemoteError as error:
            if not refuses_search(error):
                raise
            self._refused(project, error)
            return error
        self._context.refusals.answered(project_name(project), SEARCH)
        return None

    def _search(self, projects: Iterable[str], mark: Mark) -> None:
        since = f"updated >= -{self._minutes(mark)}m ORDER BY updated"
        jql, login = f"{in_projects(projects)} AND {since}", self._context.transport.login("jira")
        for hits in search_pages(self._context.services, jql, certain=False):
            self._proved = self._proved and login.proved_by_last_answer
            self._context.read_lags.seen(INDEX, [hit.id for hit in hits])
            seen = self._context.shared_reads.updates
            self._read([hit for hit in hits if seen.of(hit.id) != hit.updated])

    def _refused(self, project: str, error: RemoteError) -> None:
        teams = [mapping.team for mapping in self._context.mappings if mapping.jira.project == project]
        self._context.facts.refuse_project(project, SEARCH, error, teams)

    def _projects(self) -> tuple[set[str], set[str]]:
        """Return the projects to read, and those that wait until a team of theirs runs again.

        Read are the mapped projects, and the restricted projects that hold a ticket.
        """
        context = self._context
        mapped = {mapping.jira.project for mapping in context.mappings}
        running = {
            mapping.jira.project
            for mapping in context.mappings
            if (refusal := context.facts.refusal_of(mapping)) is None or refusal.question == SEARCH
        }
        apart = {key for mapping in context.mappings if (key := mapping.restricted.project) is not None}
        # a restricted project may not exist yet, and a search that names it would be refused
        if apart:
            running |= apart & ticket_projects(context.ledger)
        return running, mapped - running

    def _mark(self, boottime: float) -> Mark:
        clock = self._context.clock
        at = clock.now() - timedelta(seconds=clock.boottime() - boottime)
        return {"boot_id": clock.boot_id(), "boottime": boottime, "at": at.isoformat()}

    def _worth_writing(self, before: Mark, now: Mark) -> bool:
        """Return True once a minute: the overlap covers a restart within that minute."""
        same = before.get("boot_id") == now["boot_id"]
        return not same or bool(now["boottime"] - before["boottime"] >= 60)

    def _minutes(self, mark: Mark) -> int:
        """Return the minutes since a good read plus the overlap; at a first read the overlap."""
        clock, backfill = self._context.clock, int(self._context.backfill_seconds // 60)
        if not mark:
            return OVERLAP_MINUTES
        if mark.get("boot_id") == clock.boot_id():
            return int((clock.boottime() - mark["boottime"]) // 60) + 1 + OVERLAP_MINUTES
        by_wall = clock.now() - datetime.fromisoformat(mark["at"])
        minutes = int(by_wall.total_seconds() // 60) + 1 + OVERLAP_MINUTES
        # after a reboot the boot-time clocks cannot be compared: syncd reads the backfill's days at least
        return max(backfill, minutes) if "boot_id" in mark else minutes

    def _read(self, hits: list[Hit]) -> None:
        context = self._context
        for start in range(0, len(hits), PAGE):
            part, keep = hits[start : start + PAGE], context.shared_reads.updates.keeper()
            page = read_page(context, [hit.id for hit in part])
            stored_up_to = self._store(page)
            watch(context, page.issues)
            # a bulk read may lag behind the search: the next cycle asks again for what it does not show
            keep(
                {
                    hit.id: hit.updated
                    for hit in part
                    if hit.id in stored_up_to and not older(stored_up_to[hit.id], hit.updated)
                }
            )

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
            proofs = lost(context.ledger, strays)
            if proofs:
                put_back(context, proofs[0].key, {})
            adopt_own(context, strays, read_seq)
        if not mine:
            return stored_up_to
        now, jira_now = context.clock.now(), context.transport.date_of("jira")
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
