"""First contact: before syncd decides anything, check whose accounts these are and if the mappings fit.

A refused credential raises an error; syncd waits for a service that is down. A mapping that does not fit, or
whose project Jira does not show, stops its team alone, until a later look finds that it fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

from loguru import logger

from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.engine.context import EngineContext
from syncd.engine.jira_knowledge.project_cache import SEARCH, ListRefused, hides
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.observe.accounts import look_up, remember_ours
from syncd.engine.runtime.refusals import Refusal
from syncd.ledger.restore import set_beginning_right
from syncd.policy.case import Rulebook
from syncd.remote.errors import Cause, RemoteError


def make_first_contact(context: EngineContext, services: Set[str]) -> set[str]:
    """Ask these services who they are and claim the ledger for them; return those that answered.

    Raise `RemoteError` with `Cause.CREDENTIALS`, `LedgerNotOurs`, and `MappingMismatch` where no team can
    run.
    """
    reached: set[str] = set()
    for service in sorted(services):
        try:
            _claim(context, service)
        except RemoteError as error:
            # without these answers syncd can do nothing there; a refused list names itself
            context.health.failed(error.service, error, whole=not isinstance(error, ListRefused))
            if error.cause is Cause.CREDENTIALS:
                raise
            continue
        context.health.succeeded(service)
        reached.add(service)
    return reached


def _claim(context: EngineContext, service: str) -> None:
    if service == "pagerduty":
        context.ledger.claim(pagerduty=context.services.pagerduty.identity())
        mind_beginning(context)
        return
    server, ours = context.facts.whose()
    context.ledger.claim(edition=server.edition, jira=server.base_url.rstrip("/"))
    remember_ours(context, ours)
    _fit_all(context)


def mind_beginning(context: EngineContext) -> None:
    """Set the ledger's beginning right, if our clock was wrong when it was made or restored."""
    theirs = context.transport.now_of("pagerduty")
    if theirs is not None:
        set_beginning_right(context.ledger, theirs, context.clock.now(), context.gave_up())


def _fit_all(context: EngineContext) -> None:
    """Check each mapping; raise `MappingMismatch` where no team can run, else stop those that cannot."""
    unfit: list[MappingMismatch] = []
    for mapping in context.mappings:
        refusal = context.facts.refusal_of(mapping)
        try:
            if refusal is not None and not _may_look(context, refusal):
                context.refusals.join(refusal.subject, mapping.team)
                raise MappingMismatch(mapping.team, [refusal.why])
            check_fit(context, mapping)
        except MappingMismatch as error:
            unfit.append(error)
    loaded = {mapping.team for mapping in context.loaded}
    if loaded <= {error.team for error in unfit}:
        raise MappingMismatch.of_all(unfit)


def look_again(context: EngineContext) -> Iterator[tuple[Mapping, Refusal]]:
    """Look at the stopped teams whose turn it is; yield those that run again, with what had stopped them."""
    for mapping in context.mappings:
        refusal = context.facts.refusal_of(mapping)
        if refusal is None or not _may_look(context, refusal):
            continue
        try:
            check_fit(context, mapping)
        except MappingMismatch:
            continue
        except RemoteError as error:
            context.health.failed(error.service, error)
            continue
        yield mapping, refusal


def _may_look(context: EngineContext, refusal: Refusal) -> bool:
    # the fast poll searches a project again by itself
    return refusal.question != SEARCH and context.refusals.may_ask(refusal.subject, refusal.question)


def check_fit(context: EngineContext, mapping: Mapping) -> None:
    """Raise `MappingMismatch` where the Jira project lacks something that the mapping needs.

    The team is stopped then, or runs again. Raise `RemoteError` where Jira cannot answer.
    """
    project = context.facts.look(mapping)
    _look_up_robots(context, Rulebook(mapping=mapping, section=ServiceSection(), project=project))


def would_fit(context: EngineContext, mapping: Mapping) -> None:
    """Do as `check_fit` for a mapping that is not in force: no team is stopped for it."""
    try:
        project = context.facts.fitting(mapping)
    except RemoteError as error:
        if isinstance(error, ListRefused) or not hides(error):
            raise
        problem = f"Jira does not show project {mapping.jira.project} to our account: {error.describe()}"
        raise MappingMismatch(mapping.team, [problem]) from error
    _look_up_robots(context, Rulebook(mapping=mapping, section=ServiceSection(), project=project))


def _look_up_robots(context: EngineContext, book: Rulebook) -> None:
    """Look up the accounts of the robots that the mapping names by address; log failures."""
    for robot in book.mapping.people.robots:
        if "@" not in robot:
            continue
        try:
            account = look_up(context, robot, book)
        except RemoteError as error:
            logger.warning("people.robots: syncd cannot look up {}: {}", robot, error.describe())
        else:
            if account is None:
                logger.warning(
                    "people.robots of {}: Jira shows no account for {}, so syncd takes its acts for a"
                    " person's; write its account id instead",
                    book.mapping.team,
                    robot,
                )
    # what was kept of them so far knows the addresses alone
    context.nobodies.clear()
