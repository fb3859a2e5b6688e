"""A grave incident in a storm of lighter ones: until the create of its ticket and its notice have left.

A webhook tells of each grave incident. Half of them begin while the storm's tickets are made, the others
while its link notes leave.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.figure import Figure, percentile
from bench.installation import Installation, installed, wait_until
from bench.standins import StandIns
from bench.storm import DELAY, INCIDENTS, await_poll, break_loose, created
from bench.webhooks import deliver

IN_STORM, AFTER = 10, 10
GOAL, LIMIT = 1.0, DELAY
POLL_SECONDS = 10.0
"""Shorter than the default, so that polls run beside it, too."""
GIVEN_UP = 20.0
"""Seconds after which a ticket or a notice that has not left counts as missing."""
SERVICES = ("Alipay Integration", "BluBank Integration", "Yoomonea Service", "Core QRPay Web")
"""Each has another owner, who is notified: syncd bundles more than five notices to one person."""
MOMENTS = [0.15 + 0.27 * number for number in range(IN_STORM)]
"""Seconds after the storm's poll."""
PAUSES = [0.7 + 0.13 * number for number in range(AFTER)]
"""Seconds between two grave incidents after the storm's last ticket."""


@dataclass(frozen=True)
class Grave:
    """A grave incident and the time (Unix) of its webhook."""

    incident: str
    title: str
    sent: float


def _grave(services: StandIns, port: int, number: int) -> Grave:
    title = f"Gravest{number:02d}"
    service = SERVICES[number % len(SERVICES)]
    (incident,) = services.post("storm", count=1, service=service, title=title, priority="P1")["incidents"]
    sent = time.time()
    deliver(port, incident, "incident.triggered", f"GRAVE{number}", service)
    return Grave(incident, title, sent)


def _seconds(services: StandIns, grave: list[Grave]) -> tuple[list[float], list[float]]:
    """Return the seconds until create and notice left, infinity for what is missing."""
    creates, letters = created(services.lines()), services.read("letters")
    missing = float("inf")
    until_create, until_notice = [], []
    for row in grave:
        line = creates.get(row.incident)
        until_create.append(line.began - row.sent if line else missing)
        sent = [letter["at"] for letter in letters if row.title in letter["subject"]]
        until_notice.append(min(sent, default=missing) - row.sent)
    return until_create, until_notice


def _play(place: Installation, port: int) -> list[Grave]:
    services = place.services
    _, began = break_loose(place)
    grave = []
    for number, moment in enumerate(MOMENTS):
        time.sleep(max(0.0, began + moment - time.time()))
        grave.append(_grave(services, port, number))
    wait_until(
        lambda: services.read("progress")["issues"] >= INCIDENTS + IN_STORM, "the storm's tickets are missing"
    )
    for number, pause in enumerate(PAUSES, IN_STORM):
        time.sleep(pause)
        grave.append(_grave(services, port, number))
    return grave


def measure() -> Iterator[Figure]:
    """Measure all, and tell how many left late or not at all."""
    with installed(SYNCD_POLL_SECONDS=f"{POLL_SECONDS:g}") as place, place.daemon() as running:
        port = running.wait_until_up()
        await_poll(place, POLL_SECONDS)
        grave = _play(place, port)
        until = time.time() + GIVEN_UP
        while time.time() < until:
            creates, notices = _seconds(place.services, grave)
            if max(creates + notices) < float("inf"):
                break
            time.sleep(0.5)
    most = time.time() - grave[0].sent
    both = [min(most, max(pair)) for pair in zip(creates, notices, strict=True)]
    missing = sum(max(pair) == float("inf") for pair in zip(creates, notices, strict=True))
    notes = (
        (f"{missing} of {len(both)} had no ticket or no notice when the bench gave up",) if missing else ()
    )
    details = {
        "until_create_s": [None if value == float("inf") else round(value, 3) for value in creates],
        "until_notice_s": [None if value == float("inf") else round(value, 3) for value in notices],
    }
    name = "P1 in a storm: until ticket and notice have left"
    for words, part in (
        (f"99th percentile of {len(both)}", both),
        (f"worst of {IN_STORM} while tickets are made", both[:IN_STORM]),
        (f"worst of {AFTER} while link notes leave", both[IN_STORM:]),
    ):
        first = part is both
        yield Figure(
            f"{name}, {words}",
            round(percentile(part, 0.99), 2),
            "s",
            GOAL if first else None,
            LIMIT if first else None,
            notes if first else (),
            details if first else {},
        )
    yield Figure(f"{name}, median", round(percentile(both, 0.5), 2), "s")
