"""Who would be told, and who would get no mail: out of a mapping alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.mapping.value_types import Mode
from syncd.policy.notify.recipients import OWNER, contacts
from syncd.preflight.checks.finding import Finding, ok, wrong
from syncd.report.mail.message import is_reserved

_ADD = "give the service an `owner`, or the team a `people.process_owner`"


def mails(mapping: Mapping, *, loopback: bool) -> Iterator[Finding]:
    """Whether everybody whom the mapping would tell can be written to."""
    yield from _report(mapping, loopback=loopback)
    where = f"{mapping.team}, mails"
    if mapping.mails.mode is not Mode.ENFORCE:
        said = f"mode `{mapping.mails.mode}`: nobody is mailed but by the weekly report"
        yield ok("C08", where, said, "syncd status shows what `enforce` would send")
        return
    silent = [*_unheard(mapping)]
    for said in silent:
        yield wrong("C08", where, said, _ADD)
    examples = [] if loopback else [*_examples(where, _named(mapping))]
    yield from examples
    if not silent and not examples:
        yield ok("C08", where, "whoever is to be told of notices and late paperwork has an address")


def _report(mapping: Mapping, *, loopback: bool) -> Iterator[Finding]:
    """Whether the weekly report that is mailed reaches anybody."""
    where, section = f"{mapping.team}, report", mapping.report
    if section.mode is not Mode.ENFORCE:
        return
    named = [*section.to, *section.over_all]
    if not named:
        yield wrong("C08", where, "the weekly report is mailed to nobody", "name somebody in `report.to`")
    if not loopback:
        yield from _examples(where, named)


def _examples(where: str, addresses: Iterable[str]) -> Iterator[Finding]:
    for address in sorted({one for one in addresses if is_reserved(one)}):
        said = f"{address} is an example address, and mail to it is refused"
        yield wrong("C08", where, said, "put a person's address in its place")


def _unheard(mapping: Mapping) -> Iterator[str]:
    for name, section in mapping.services.items():
        for severity, one in mapping.severities.items():
            if one.notify and not section.notify and not _addresses(one.notify, section):
                yield f"nobody gets the notice of {severity} on {name}"
            if mapping.owes_postmortem(severity, section) and not contacts(mapping, section, severity):
                yield f"nobody hears of late paperwork of {severity} on {name}"


def _addresses(names: Iterable[str], section: ServiceSection) -> list[str]:
    return [one for one in (section.owner if name == OWNER else name for name in names) if one]


def _named(mapping: Mapping) -> Iterator[str]:
    people = mapping.people
    lists = [one.notify + one.overdue for one in mapping.severities.values()]
    lists += [one.notify for one in mapping.services.values()]
    single = [one.owner for one in mapping.services.values()]
    single += [people.process_owner, people.fallback, mapping.restricted.lead]
    yield from (name for names in lists for name in names if name != OWNER)
    yield from (one for one in single if one)
