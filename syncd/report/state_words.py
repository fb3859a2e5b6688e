"""The lines about what holds syncd back, in the words that `syncd status` and the page of state share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from syncd.domain.clock import second_in_utc
from syncd.domain.text import counted, counts_words

Data = Mapping[str, Any]


def _second(iso: str) -> str:
    return second_in_utc(datetime.fromisoformat(iso))


def first_load_lines(counts: Mapping[str, int]) -> list[str]:
    """Return the lines about a held first load, with the counts of the operations that wait."""
    return [
        "This ledger is new and holds the work for incidents that began before its first start:"
        f" {counts_words(counts)}",
        "To let it go ahead: syncd accept",
    ]


def mass_line(held: Data) -> str:
    """Return the line about a held mass of writes."""
    return (
        f"Held since {_second(held['since'])}: writes to {counted(held['tickets'], 'ticket')} whose incidents"
        " did not change. See syncd outbox; then syncd outbox release, or syncd outbox drop --held"
    )


def brake_lines(data: Data, *, names: bool = True) -> Iterator[str]:
    """Yield a line for each brake that holds writes back, with the command that ends it.

    `data` is that of `status_data`. Without `names` no person is named.
    """
    if data["first_load"]["state"] == "held":
        yield from first_load_lines(data["first_load"]["counts"])
    if data["held"]:
        yield mass_line(data["held"])
    for target, pause in data["paused"].items():
        by = f", by {pause['by']}" if names else ""
        yield (
            f"Paused since {_second(pause['since'])}: {target}{by}, reason: {pause['reason']}."
            f" To end it: syncd resume {target}"
        )
    for rival in data["rivals"]:
        yield (
            f"Another ledger ({rival['instance']}) made tickets for the same incidents, such as"
            f" {rival['key']}, first seen {_second(rival['since'])}. "
        ) + (
            "It is older: stop one of the two daemons, then syncd resume all"
            if rival["younger"]
            else "This ledger is older: stop the other daemon"
        )
    for pair in data["duplicates"]["left"]:
        yield f"{pair['younger']} is a duplicate of {pair['older']}; left alone: {pair['reason']}"


def wait_line(wait: Data) -> str:
    """Return the line about what operations wait for."""
    number = counted(wait["operations"], "operation")
    return f"Waiting since {_second(wait['since'])}: {number} for {wait['why']}"


def service_lines(data: Data) -> Iterator[str]:
    """Yield what is wrong with the services, and the services that no mapping names."""
    yield from service_troubles(data)
    yield from limit_lines(data)


def service_troubles(data: Data) -> Iterator[str]:
    """Yield the services that are down, and what they refuse or do not show."""
    for line in data["services"]:
        yield f"Service in trouble: {line}"
    for refusal in data["refused"]:
        yield _refused(refusal)


def limit_lines(data: Data) -> Iterator[str]:
    """Yield the rate limits that last, and the services that no mapping names."""
    yield from data["limits"]
    for ident, name in data["unmapped_services"].items():
        yield f"No mapping names the service {name} ({ident}): its incidents get no ticket"


def _refused(refusal: Data) -> str:
    """Return the line about what a service does not tell, or what stops a team."""
    since, teams = _second(refusal["since"]), ", ".join(refusal["teams"])
    head = f"Stopped since {since}: {teams}, because" if teams else f"Refused since {since}:"
    return f"{head} {refusal['what']}: {refusal['why']}. {refusal['remedy']}".rstrip(". ")


def trouble_line(trouble: Data) -> str:
    """Return the line about something that syncd cannot read or do about one object."""
    number = f"#{trouble['number']}" if trouble["number"] else trouble["whose"]
    named = f"{number} {trouble['ticket']}" if trouble["ticket"] else number
    return f"{named}: syncd cannot {trouble['what']} since {_second(trouble['since'])}: {trouble['why']}"
