"""Prove after a start that the ledger is not older than what it made; else treat it as restored.

A search shows the latest issues of our accounts, and a read by key what lies above the highest issue number
that the ledger knows: Jira's search lags behind its writes. An issue with this ledger's mark that the outbox
does not know proves that somebody put an older file back by hand. Then the ledger begins anew as after
`syncd restore`: what it decides again bears the same marks, and is looked up before it leaves.

A quiet start costs one search and one read. A ledger without a past (also one that follows a deleted one)
asks the search for the highest number and reads the keys above it.
"""

from __future__ import annotations

from collections.abc import Iterable

from loguru import logger

from syncd.domain.operation import Kind
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.jira_knowledge.project_cache import refuses_search
from syncd.engine.observe.accounts import our_accounts
from syncd.engine.observe.earlier_ledger.adopt_tickets import adopt_own
from syncd.engine.observe.earlier_ledger.created_by_us import created_by, note_marks
from syncd.engine.observe.first_contact import mind_beginning
from syncd.engine.observe.issues import PAGE, in_projects, read_pages, saw_numbers
from syncd.engine.observe.new_keys import highest_indexed, keys_from, read_keys
from syncd.engine.rulebook import projects_of
from syncd.ledger.restore import begin_anew
from syncd.ledger.store.adoptions import lost
from syncd.ledger.store.key_values import highest_number
from syncd.ledger.store.lookups import issues_on_record
from syncd.ledger.store.restored import keep_unread_above, unread_above
from syncd.remote.errors import Cause, NotDone


def prove_age(context: EngineContext) -> bool:
    """Read what is new in the projects that were not read since the start; return True if all is anew.

    Raise `RemoteError` where Jira cannot answer: until then no create, comment or note leaves.
    """
    projects = context.ledger_age.unproved(projects_read(context))
    if not projects:
        return False
    anew = False
    if context.ledger.rows_missing is not None:
        # the note beside the ledger knows a later event than the ledger itself
        put_back(context, context.ledger.rows_missing, {})
        context.ledger.began_anew()
        anew = True
    bases = _bases(context, projects)
    asked, projects = projects, set(bases)
    issues = _above(context, bases)
    # a ledger without a past has made nothing
    if any(highest_number(context.ledger, project) is not None for project in projects):
        issues += _latest(context, projects)
    anew = take(context, issues, {name: number for name, (number, _sure) in bases.items()}) or anew
    for project in projects:
        numbers = [issue.number for issue in issues if issue.key.rpartition("-")[0] == project]
        saw_numbers(context, project, [bases[project][0], *numbers])
    context.services.jira.prove_login()
    context.ledger_age.prove(asked)
    return anew


def projects_read(context: EngineContext) -> set[str]:
    """Return the projects of the running teams, restricted ones included."""
    names: set[str] = set()
    for mapping in context.mappings:
        if context.facts.refusal_of(mapping) is None:
            names |= projects_of(context, mapping.team)
    return names


def take(context: EngineContext, issues: Iterable[Issue], bases: dict[str, int]) -> bool:
    """Adopt what this ledger made and does not know; return True if it began anew for that.

    `bases` are the issue numbers above which Jira's search may not show everything yet.
    """
    marked = list(issues)
    note_marks(context, marked)
    unknown = lost(context.ledger, marked)
    if unknown:
        put_back(context, min(unknown, key=lambda issue: int(issue.id)).key, bases)
    on_record = issues_on_record(context.ledger, [issue.id for issue in marked]).tickets
    tickets = [
        issue.id
        for issue in marked
        if issue.mark is not None
        and (issue.mark.kind, issue.mark.instance) == (Kind.CREATE_TICKET, context.ledger.instance)
        and issue.id not in on_record
    ]
    for page in read_pages(context, tickets):
        adopt_own(context, page.issues, page.read_seq)
    return bool(unknown)


def put_back(context: EngineContext, proof: str, bases: dict[str, int]) -> None:
    """Let the ledger begin anew, because its file is older than what it made; `proof` shows that."""
    now = context.clock.now()
    unsent = begin_anew(context.ledger, now, context.gave_up(), proof=proof).unsent
    mind_beginning(context)
    keep_unread_above(context.ledger, bases, now)
    context.marked_issues.forget_search()
    context.search_index.check()
    backend = context.ledger.backend
    cause = "its server lost the last commits" if backend.shared else "somebody put an older file back"
    logger.error(
        "the ledger {} is older than what it made ({}): {}. syncd takes what it finds by its marks, sends no"
        " mail from before now but notices of open incidents, which may be repetitions, and makes tickets of"
        " older incidents when the settle time is over",
        context.ledger.name,
        proof,
        cause,
    )
    for line in unsent:
        logger.warning("not sent, because it may already be sent: {}", line)


def _bases(context: EngineContext, projects: set[str]) -> dict[str, tuple[int, bool]]:
    """Return for each project the number above which syncd reads keys, and if that number is sure.

    Leave out a project that Jira refuses to search: a restricted project that is not there holds nothing.
    """
    now = context.clock.now()
    kept, bases = unread_above(context.ledger, now), dict[str, tuple[int, bool]]()
    fresh: dict[str, int] = {}
    for project in sorted(projects):
        number = kept.get(project)
        stored = highest_number(context.ledger, project)
        if number is None and stored is not None:
            bases[project] = (stored, True)
            continue
        if number is None:
            try:
                number = fresh[project] = highest_indexed(context, project)
            except NotDone as error:
                if not refuses_search(error):
                    raise
                continue
        bases[project] = (number, False)
    if fresh:
        keep_unread_above(context.ledger, {**kept, **fresh}, now)
    return bases


def _above(context: EngineContext, bases: dict[str, tuple[int, bool]]) -> list[Issue]:
    """Return the issues above the known numbers; where one read shows none, there are none."""
    cloud = context.services.jira.edition == "cloud"
    sure = [project for project, (_number, is_sure) in bases.items() if is_sure]
    # Data Center reads each key alone
    share = PAGE // len(sure) if cloud and sure else 1
    keys = [f"{name}-{bases[name][0] + 1 + more}" for name in sure for more in range(share)]
    first: list[Issue] = []
    for start in range(0, len(keys), PAGE):
        first += read_keys(context, keys[start : start + PAGE])
    quiet = set(sure) - {issue.key.rpartition("-")[0] for issue in first}
    above = {issue.id: issue for issue in first}
    for project, (number, _sure) in bases.items():
        if project not in quiet:
            above |= {issue.id: issue for issue in keys_from(context, project, number, noted=False)}
    return list(above.values())


def _latest(context: EngineContext, projects: set[str]) -> list[Issue]:
    """Return the latest issues of our accounts that are not on record, page by page while there are any."""
    issues: list[Issue] = []
    for account in sorted(our_accounts(context)):
        try:
            issues += _latest_of(context, account, projects)
        except NotDone as error:
            # Jira does not know a former account any more, which is logged
            if error.cause is not Cause.REJECTED:
                raise
    return issues


def _latest_of(context: EngineContext, account: str, projects: set[str]) -> list[Issue]:
    issues: list[Issue] = []
    for hits in created_by(context, [account], in_projects(projects), "created DESC"):
        on_record = issues_on_record(context.ledger, [hit.id for hit in hits])
        unread = [hit.id for hit in hits if hit.id not in {*on_record.tickets, *on_record.duty_issues}]
        page = list(read_keys(context, unread)) if unread else []
        issues += page
        if not lost(context.ledger, page):
            break
    return issues
