"""Check the recipients that a mapping names: does everybody have an address that can receive mail?"""

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
    """Check that everybody whom the mapping wants to mail has an address."""
    yield from _report(mapping, loopback=loopback)
    where = f"{mapping.team}, mails"
    if mapping.mails.mode is not Mode.ENFORCE:
        message = f"mode `{mapping.mails.mode}`: syncd mails nothing but the weekly report"
        yield ok("C08", where, message, "syncd status shows what mode `enforce` would mail")
        return
    unheard = [*_unheard(mapping)]
    for message in unheard:
        yield wrong("C08", where, message, _ADD)
    # a sandbox uses the example addresses of the shipped mappings
    examples = [] if loopback else [*_examples(where, _named(mapping))]
    yield from examples
    if not unheard and not examples:
        yield ok("C08", where, "everybody who gets notices or breaches has an address")


def _report(mapping: Mapping, *, loopback: bool) -> Iterator[Finding]:
    """Check that the weekly report has recipients."""
    where, section = f"{mapping.team}, report", mapping.report
    if section.mode is not Mode.ENFORCE:
        return
    named = [*section.to, *section.over_all]
    if not named:
        yield wrong("C08", where, "the weekly report has no recipient", "add an address to `report.to`")
    if not loopback:
        yield from _examples(where, named)


def _examples(where: str, addresses: Iterable[str]) -> Iterator[Finding]:
    for address in sorted({address for address in addresses if is_reserved(address)}):
        message = f"{address} is an example address, and syncd refuses to mail it"
        yield wrong("C08", where, message, "replace it with a person's address")


def _unheard(mapping: Mapping) -> Iterator[str]:
    for name, section in mapping.services.items():
        for severity, contacts_of_severity in mapping.severities.items():
            if (
                contacts_of_severity.notify
                and not section.notify
                and not _addresses(contacts_of_severity.notify, section)
            ):
                yield f"nobody gets the notice of {severity} on {name}"
            if mapping.owes_postmortem(severity, section) and not contacts(mapping, section, severity):
                yield f"nobody hears of breaches of {severity} on {name}"


def _addresses(names: Iterable[str], section: ServiceSection) -> list[str]:
    addresses = (section.owner if name == OWNER else name for name in names)
    return [address for address in addresses if address]


def _named(mapping: Mapping) -> Iterator[str]:
    people = mapping.people
    lists = [section.notify + section.overdue for section in mapping.severities.values()]
    lists += [section.notify for section in mapping.services.values()]
    single = [section.owner for section in mapping.services.values()]
    single += [people.process_owner, people.fallback, mapping.restricted.lead]
    single += [mapping.restricted.deputy]
    yield from (name for names in lists for name in names if name != OWNER)
    yield from (section for section in single if section)
