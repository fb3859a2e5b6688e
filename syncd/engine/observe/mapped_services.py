"""Know by id which PagerDuty services the mappings claim, and ask for their incidents alone.

syncd asks PagerDuty for its services at the first poll, after a reload, once a day, and when an incident
shows a service that it does not know or that has another name. The ledger keeps the ids, so a restart needs
no answer to know them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from loguru import logger

from syncd.domain.base import Reference
from syncd.domain.mapping.bindings import bind, bound, missing, remarks
from syncd.domain.mapping.mapping import Mapping
from syncd.engine.context import EngineContext
from syncd.engine.observe.incident_windows import pagerduty_now
from syncd.ledger.store.key_values import service_bindings, store_service_bindings
from syncd.ledger.store.lookups import services_with_open
from syncd.remote.errors import RemoteError

EVERY = 86400.0
"""Seconds after which syncd asks for the services again."""
RETRY = 300.0
"""Seconds after which it asks again where PagerDuty did not answer."""


class MappedServices:
    """Keeps the services of the mappings in force up to date."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._bound: tuple[Mapping, ...] | None = None
        self._due_at = 0.0
        self._listed: dict[str, str] = {}
        self._met: set[tuple[str, str]] = set()
        self._refusal = ""
        self._remarks: list[str] = []

    def resolve(self) -> bool:
        """Ask PagerDuty for its services if it is time; return True if the mappings claim others than before.

        Raise `RemoteError` where PagerDuty does not answer and no name was ever resolved.
        """
        context, rules = self._context, self._context.rules.current
        now = context.clock.boottime()
        if rules.mappings is self._bound and now < self._due_at:
            return False
        before = service_bindings(context.ledger)
        try:
            existing = context.services.pagerduty.services()
        except RemoteError as error:
            if not any(_ids_of(rules.mappings)):
                raise
            self._go_on_without(error)
            self._remarks = list(remarks(rules.mappings, before))
            self._bound, self._due_at = rules.mappings, now + RETRY
            return False
        self._refusal = ""
        bindings = bind(rules.mappings, existing, before, pagerduty_now(context)[0])
        # a file that cannot be used now keeps what it had found
        stopped = {name for file in rules.unusable for name in file.services}
        bindings |= {name: before[name] for name in stopped & before.keys() - bindings.keys()}
        # a team whose file has problems is not in force, and keeps its services until it is
        if (known := {**before, **bindings}) != before:
            store_service_bindings(context.ledger, known)
        self._remarks = list(remarks(rules.mappings, bindings))
        # the operator's alarm logs what is missing
        gone = (words for *_, words in missing(rules.mappings, bindings))
        told = {*remarks(rules.mappings, before), *gone}
        for words in self._remarks:
            if words not in told:
                logger.warning("{}", words)
        with_ids = replace(rules, mappings=bound(rules.mappings, bindings))
        # a reload may have brought other mappings meanwhile; the next poll resolves them
        if context.rules.exchange(rules, with_ids):
            self._bound, self._due_at = with_ids.mappings, now + EVERY
        self._listed = {service.id: service.name for service in existing}
        return with_ids.mappings != rules.mappings

    def meet(self, service: Reference) -> None:
        """Have the services asked for at the next poll if this one is new or has another name."""
        known = self._listed.get(service.id) == service.name
        # asked for once: an answer may lag behind, or shorten the name
        if not known and (service.id, service.name) not in self._met:
            self._met.add((service.id, service.name))
            self._due_at = 0.0

    def remarks(self) -> list[str]:
        """Return in words what is wrong with the services of the mappings."""
        return [*self._remarks, *filter(None, [self._refusal])]

    def _go_on_without(self, error: RemoteError) -> None:
        words = f"PagerDuty does not list its services, so syncd uses those that it knows: {error.describe()}"
        if words != self._refusal:
            logger.warning("{}", words)
        self._refusal = words


def services_to_ask(context: EngineContext, *more: str) -> list[str]:
    """Return the ids of the services whose incidents syncd reads, without those that are gone.

    These are the mapped ones, those of open incidents on record (a service that is no longer mapped keeps
    them), and `more`.
    """
    bindings, with_open = service_bindings(context.ledger), services_with_open(context.ledger)
    gone = {
        service_id
        for binding in bindings.values()
        if binding.missing_since is not None
        for service_id in binding.called
    }
    mapped = set(_ids_of(context.loaded)) - gone
    return sorted(mapped.union(with_open, more))


def _ids_of(mappings: Iterable[Mapping]) -> Iterator[str]:
    for mapping in mappings:
        for section in mapping.services.values():
            yield from section.ids or filter(None, [section.id])
