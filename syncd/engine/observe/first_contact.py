"""First contact: before syncd decides anything, check whose accounts these are and if the mappings fit.

A refused credential or a mapping that does not fit raises an error; syncd waits for a service that is down.
"""

from __future__ import annotations

from collections.abc import Set

from loguru import logger

from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.engine.context import EngineContext
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.observe.accounts import look_up, remember_ours
from syncd.policy.case import Rulebook
from syncd.remote.errors import Cause, RemoteError


def make_first_contact(context: EngineContext, services: Set[str]) -> set[str]:
    """Ask these services who they are and claim the ledger for them; return those that answered.

    Raise `RemoteError` with `Cause.CREDENTIALS`, `LedgerNotOurs`, `MappingMismatch`.
    """
    reached: set[str] = set()
    for service in sorted(services):
        try:
            _claim(context, service)
        except RemoteError as error:
            context.health.failed(error.service, error)
            if error.cause is Cause.CREDENTIALS:
                raise
            # else its health has just logged the failure
            if context.health.may_ask(service):
                logger.error("syncd waits for {}: {}", service, error.describe())
        else:
            context.health.succeeded(service)
            reached.add(service)
    return reached


def _claim(context: EngineContext, service: str) -> None:
    if service == "pagerduty":
        context.ledger.claim(pagerduty=context.services.pagerduty.identity())
        return
    server = context.services.jira.server()
    ours = context.services.jira.myself()
    context.ledger.claim(edition=server.edition, jira=server.base_url.rstrip("/"))
    remember_ours(context, ours)
    for mapping in context.mappings:
        check_fit(context, mapping)


def check_fit(context: EngineContext, mapping: Mapping) -> None:
    """Raise `MappingMismatch` where the Jira project lacks something that the mapping needs.

    Raise `RemoteError` where Jira cannot answer.
    """
    try:
        project = context.facts.resolved(mapping)
    except RemoteError as error:
        if error.not_for_us:
            problem = f"Jira does not show project {mapping.jira.project} to our account: {error.describe()}"
            raise MappingMismatch(mapping.team, [problem]) from error
        raise
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
                logger.warning("people.robots: no Jira account is known for {}: give its id", robot)
    # what was kept of them so far knows the addresses alone
    context.nobodies.clear()
