"""Find the PagerDuty services that the sections of the mappings stand for, and keep them by id.

A section names its service by name or id. People rename services; the id stays. So a name counts only until
it was found once: from then on the id decides, whatever the service or another one is called later.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from syncd.domain.base import UtcTime, Value
from syncd.domain.incident import PagerDutyService
from syncd.domain.mapping.mapping import Mapping as TeamMapping
from syncd.domain.mapping.services import ServiceSection


class Binding(Value):
    """The services of one section: their last names, by id.

    PagerDuty does not show them since `missing_since` (UTC); then nothing was ever found if `called` is
    empty. `namesakes` are the ids of other services with the section's name.
    """

    called: dict[str, str] = Field(default_factory=dict)
    missing_since: UtcTime | None = None
    namesakes: tuple[str, ...] = ()


Bindings = Mapping[str, Binding]
"""The bindings by the section's name, which no two mappings share."""


def bind(
    mappings: Sequence[TeamMapping],
    existing: Sequence[PagerDutyService],
    before: Bindings,
    now: dt.datetime,
) -> dict[str, Binding]:
    """Return the binding of each section, given all services of the account and the bindings so far."""
    sections = {name: section for mapping in mappings for name, section in mapping.services.items()}
    names = {service.id: service.name for service in existing}
    ids = {section.id for section in sections.values()}
    # an id in a mapping wins over a name in another
    free = {service_id: name for service_id, name in names.items() if service_id not in ids}
    by_name = {name for name, section in sections.items() if section.id is None}
    bindings = {}
    for name, section in sections.items():
        earlier = before.get(name, Binding())
        if section.id is not None:
            bound_ids, lost = [section.id], {section.id: earlier.called.get(section.id, "")}
        else:
            # a section with the present name fits better than one with an old name
            bound_ids = [
                service_id
                for service_id in earlier.called
                if service_id in free and (free[service_id] == name or free[service_id] not in by_name)
            ] or [service_id for service_id, other in free.items() if other == name]
            lost = {known: other for known, other in earlier.called.items() if known not in names}
        bindings[name] = _binding(name, section, bound_ids, lost, names, earlier.missing_since or now)
    return bindings


def _binding(
    name: str,
    section: ServiceSection,
    found: Sequence[str],
    lost: dict[str, str],
    names: Mapping[str, str],
    since: dt.datetime,
) -> Binding:
    called = {service_id: names[service_id] for service_id in found if service_id in names}
    if not called:
        return Binding(called=lost, missing_since=since)
    if section.id is not None:
        return Binding(called=called)
    others = tuple(other for other, now_called in names.items() if now_called == name and other not in called)
    return Binding(called=called, namesakes=others)


def bound(mappings: Sequence[TeamMapping], bindings: Bindings) -> tuple[TeamMapping, ...]:
    """Return the mappings with the ids of their services, so that ids decide which mapping claims one."""
    return tuple(
        mapping.model_copy(
            update={
                "services": {
                    name: section.model_copy(update={"ids": tuple(bindings[name].called)})
                    if name in bindings
                    else section
                    for name, section in mapping.services.items()
                }
            }
        )
        for mapping in mappings
    )


def remarks(mappings: Sequence[TeamMapping], bindings: Bindings) -> Iterator[str]:
    """Yield in words what people should change in the mappings, one line a service."""
    for mapping in mappings:
        for name, section in mapping.services.items():
            for words in remarks_on(name, section, bindings.get(name, Binding())):
                yield f"{mapping.team}: {words}"


def remarks_on(name: str, section: ServiceSection, binding: Binding) -> Iterator[str]:
    """Yield in words what people should change about one section."""
    if binding.missing_since is not None:
        yield missing_words(name, binding)
        return
    # beside an id the section's name is a label of the mapping's own
    if section.id is not None:
        return
    for service_id, called in binding.called.items():
        if called != name:
            yield f"the service mapped as {name} is now called {called} ({service_id}): change the mapping"
    if len(binding.called) > 1:
        ids = ", ".join(binding.called)
        yield f"several services are called {name} ({ids}) and syncd takes them all: give the id of each"
    if binding.namesakes:
        ours, others = " and ".join(binding.called), " and ".join(binding.namesakes)
        yield (
            f"another service is called {name} now ({others}), and its incidents get no ticket; syncd keeps"
            f" {ours}, which had the name before: give the ids in the mapping"
        )


def missing(mappings: Sequence[TeamMapping], bindings: Bindings) -> Iterator[tuple[str, dt.datetime, str]]:
    """Yield each section whose service PagerDuty does not show: its name, since when (UTC), and the words."""
    for mapping in mappings:
        for name in mapping.services:
            binding = bindings.get(name)
            if binding is not None and binding.missing_since is not None:
                yield name, binding.missing_since, f"{mapping.team}: {missing_words(name, binding)}"


def missing_words(name: str, binding: Binding) -> str:
    """Return the words for a section whose service PagerDuty does not show."""
    if not binding.called:
        return f"PagerDuty shows no service {name}, so it gets no tickets: check its name, or give its id"
    ids = ", ".join(binding.called)
    return f"PagerDuty no longer shows the service {name} ({ids}): remove it from the mapping if it is gone"
