"""First contact: whose accounts these are, and that the mappings fit, before anything is decided.

A refused credential and a mapping that does not fit are raised; a service that is down is waited for.
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


def make_first_contact(context: EngineContext, wanted: Set[str]) -> set[str]:
    """Ask the wanted services who they are and claim the ledger for them; return those that answered.

    Raises `RemoteError` with `Cause.CREDENTIALS`, `LedgerNotOurs`, `MappingMismatch`.
    """
    reached: set[str] = set()
    for service in sorted(wanted):
        try:
            _claim(context, service)
        except RemoteError as error:
            context.health.failed(error.service, error)
            if error.cause is Cause.CREDENTIALS:
                raise
            if context.health.may_ask(service):  # else its health has just said so
                logger.error("{} is waited for: {}", service, error.describe())
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
    context.ledger.claim(jira=server.base_url, edition=server.edition)
    remember_ours(context, ours)
    for mapping in context.mappings:
        check_fit(context, mapping)


def check_fit(context: EngineContext, mapping: Mapping) -> None:
    """Raise `MappingMismatch` where the Jira project lacks what the mapping cannot do without.

    Raises `RemoteError` where Jira cannot be asked.
    """
    try:
        project = context.facts.resolved(mapping)
    except RemoteError as error:
        if error.not_for_us:
            said = f"project {mapping.jira.project} is not there for our account: {error.describe()}"
            raise MappingMismatch(mapping.team, [said]) from error
        raise
    _look_up_robots(context, Rulebook(mapping=mapping, section=ServiceSection(), project=project))


def _look_up_robots(context: EngineContext, book: Rulebook) -> None:
    """Look up the accounts of the robots that the mapping names by address; what cannot be asked is said."""
    for robot in book.mapping.people.robots:
        if "@" not in robot:
            continue
        try:
            account = look_up(context, robot, book)
        except RemoteError as error:
            logger.warning("people.robots: {} cannot be looked up: {}", robot, error.describe())
        else:
            if account is None:
                logger.warning("people.robots: no Jira account is known for {}: give its id", robot)
    # what was kept of them so far knows the addresses alone
    context.nobodies.clear()
