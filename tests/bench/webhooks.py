"""Webhooks: from a signed delivery to the answered create, and the answers under many deliveries.

The daemon does nothing else. Each delivery comes on a new connection and is signed as PagerDuty signs it.
"""

from __future__ import annotations

import hmac
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.figure import Figure, percentile
from bench.installation import SECRET, Installation, installed, wait_until
from bench.standins import Line
from bench.storm import POLL, created
from syncd.sandbox.cast import QRPAY

ROUNDS = 30
GOAL_MEDIAN, GOAL_FIRST = 25.0, 60.0
"""Milliseconds beyond the services' own answer times."""
RATE, SECONDS, INCIDENTS, SENDERS = 200, 30, 10, 16
GOAL_ANSWER, GOAL_LOOKS = 50.0, 1.0
LOOK = "pagerduty GET /incidents/{id}"
SERVICE_IDS = {name: f"PSVC{number:03d}" for number, name in enumerate(QRPAY, 1)}


def deliver(port: int, incident: str, kind: str, number: str, service: str = "Alipay Integration") -> int:
    """Deliver an event of an incident and return the status of the answer."""
    about = {"id": SERVICE_IDS[service], "summary": service, "type": "service_reference"}
    data = {"id": incident, "type": "incident", "service": about}
    body = json.dumps({"event": {"id": number, "event_type": kind, "data": data}}).encode()
    signature = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    head = (
        f"POST /webhooks/pagerduty HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nX-PagerDuty-Signature: v1={signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        return int(connection.recv(4096).split(b" ", 2)[1])


def _await_first_cycle(place: Installation) -> None:
    wait_until(lambda: place.services.counts()[POLL], "the daemon does not ask PagerDuty")
    time.sleep(3)


def answering(lines: list[Line], begin: float, end: float) -> float:
    """Return the seconds between two moments in which at least one service was busy with an answer."""
    spans = sorted((max(begin, line.began), min(end, line.ended)) for line in lines)
    total, until = 0.0, begin
    for began, ended in spans:
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total


def single() -> Iterator[Figure]:
    """Measure the way of one incident, many times; the first is the first since the start."""
    whole, beyond = [], []
    with installed() as place, place.daemon() as running:
        port, services = running.wait_until_up(), place.services
        _await_first_cycle(place)
        for number in range(ROUNDS + 1):
            (incident,) = services.post(
                "storm", count=1, service="Alipay Integration", title=f"Single {number}", priority="P4"
            )["incidents"]
            services.post("lines/clear")
            sent = time.time()
            deliver(port, incident, "incident.triggered", f"EV{number}")
            wait_until(lambda: created(services.lines()), "no ticket after a webhook", 0.1)
            lines = services.lines()
            ended = created(lines)[incident].ended
            whole.append((ended - sent) * 1000)
            beyond.append((ended - sent - answering(lines, sent, ended)) * 1000)
            time.sleep(0.3)
    own = percentile([all_ - ours for all_, ours in zip(whole[1:], beyond[1:], strict=True)], 0.5)
    name, note = "webhook to create answered", f"the services' own answers took {own:.1f} ms in the median"
    details = {"whole_ms": [round(value, 1) for value in whole]}
    median = round(percentile(beyond[1:], 0.5), 1)
    yield Figure(
        f"{name}, beyond the services: median of {ROUNDS}",
        median,
        "ms",
        GOAL_MEDIAN,
        notes=(note,),
        details=details,
    )
    yield Figure(f"{name}, beyond the services: the first", round(beyond[0], 1), "ms", GOAL_FIRST)
    yield Figure(f"{name}, with the services: median", round(percentile(whole[1:], 0.5), 1), "ms")


def many() -> Iterator[Figure]:
    """Deliver many events of a few incidents; measure the answers from the moment at which each was due."""
    with installed() as place, place.daemon() as running:
        port, services = running.wait_until_up(), place.services
        _await_first_cycle(place)
        incidents = services.post(
            "storm", count=INCIDENTS, service="Alipay Integration", title="Busy", priority="P4"
        )["incidents"]
        for incident in incidents:
            deliver(port, incident, "incident.triggered", f"FIRST{incident}")
        wait_until(lambda: services.read("progress")["notes"] >= INCIDENTS, "no tickets after webhooks", 0.2)
        time.sleep(2)
        services.post("lines/clear")
        before, began = running.seconds(), time.time()

        def send(number: int) -> float:
            due = began + number / RATE
            time.sleep(max(0.0, due - time.time()))
            incident = incidents[number % INCIDENTS]
            status = deliver(port, incident, "incident.acknowledged", f"MANY{number}")
            if status != 202:
                raise RuntimeError(f"a signed delivery was answered {status}")
            return (time.time() - due) * 1000

        with ThreadPoolExecutor(SENDERS) as pool:
            took = list(pool.map(send, range(RATE * SECONDS)))
        time.sleep(2)
        spent = running.seconds() - before
        looks = services.counts()[LOOK]
    name = f"{RATE} webhooks a second for {SECONDS} s"
    # a look in each second, and one after the last delivery
    share = looks / (INCIDENTS * (SECONDS + 1))
    yield Figure(f"{name}: answers, 99th percentile", round(percentile(took, 0.99), 1), "ms", GOAL_ANSWER)
    yield Figure(f"{name}: answers, median", round(percentile(took, 0.5), 1), "ms")
    yield Figure(f"{name}, {INCIDENTS} incidents: looks for each and second", round(share, 2), "", GOAL_LOOKS)
    yield Figure(f"{name}: processor time a webhook", round(spent / len(took) * 1000, 2), "ms")
