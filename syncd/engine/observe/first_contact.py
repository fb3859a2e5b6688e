"""First contact: whose accounts these are, and that the mappings fit, before anything is decided.

A refused credential and a mapping that does not fit are raised; a service that is down is waited for.
"""

from __future__ import annotations

from collections.abc import Set

from loguru import logger

from syncd.domain.mapping.mapping import Mapping
from syncd.engine.context import Desk
from syncd.engine.jira_knowledge.resolve_names import MappingDoesNotFit
from syncd.remote.errors import Cause, RemoteError


def contact(desk: Desk, wanted: Set[str]) -> set[str]:
    """Ask the wanted services who they are and claim the ledger for them; return those that answered.

    Raises `RemoteError` with `Cause.CREDENTIALS`, `LedgerNotOurs`, `MappingDoesNotFit`.
    """
    reached: set[str] = set()
    for service in sorted(wanted):
        try:
            _claim(desk, service)
        except RemoteError as error:
            desk.health.failed(error.service, error)
            if error.cause is Cause.CREDENTIALS:
                raise
            if desk.health.may_ask(service):  # else its health has just said so
                logger.error("{} is waited for: {}", service, error.describe())
        else:
            desk.health.succeeded(service)
            reached.add(service)
    return reached


def _claim(desk: Desk, service: str) -> None:
    if service == "pagerduty":
        desk.ledger.claim(pagerduty=desk.clients.pagerduty.identity())
        return
    server = desk.clients.jira.server()
    desk.clients.jira.myself()
    desk.ledger.claim(jira=server.base_url, edition=server.edition)
    for mapping in desk.mappings:
        check_fit(desk, mapping)


def check_fit(desk: Desk, mapping: Mapping) -> None:
    """Raise `MappingDoesNotFit` where the Jira project lacks what the mapping cannot do without.

    Raises `RemoteError` where Jira cannot be asked.
    """
    try:
        desk.facts.resolved(mapping)
    except RemoteError as error:
        if error.cause in (Cause.MISSING, Cause.FORBIDDEN):
            said = f"project {mapping.jira.project} is not there for our account: {error.describe()}"
            raise MappingDoesNotFit(mapping.team, [said]) from error
        raise
