"""The heartbeat: fetched without haste, without a redirect, without its address in the log."""

from __future__ import annotations

import pytest
import responses
from loguru import logger
from waiting import wait_for

from syncd.remote.heartbeat import Heartbeat
from syncd.remote.http.counts import Asked, Counts

from .conftest import StillClock

URL = "https://heartbeat.company.example/ping/5ecret"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"status": 200}, "ok"),
        ({"status": 500}, "failed"),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example/"}}, "failed"),
        ({"body": ConnectionError(f"no way to {URL}")}, "failed"),
    ],
)
def test_a_beat_is_one_request_and_its_failure_is_said_once_without_the_address(
    answer: dict[str, object], outcome: str, clock: StillClock
) -> None:
    counts, logged = Counts(), []
    handler = logger.add(lambda message: logged.append(str(message)), level="DEBUG")
    key = Asked("heartbeat", "GET", "heartbeat", outcome)
    try:
        with responses.RequestsMock() as mock:
            if "body" in answer:
                answer = {"body": responses.ConnectionError(f"no way to {URL}")}
            mock.get(URL, **answer)  # type: ignore[arg-type]
            heart = Heartbeat(URL, counts, clock)
            for number in (1, 2):
                heart.beat()
                wait_for(lambda number=number: counts.snapshot().get(key, (0,))[0] == number)  # type: ignore[misc]
                wait_for(lambda: heart._busy.acquire(blocking=False))
                heart._busy.release()
            assert len(mock.calls) == 2
    finally:
        logger.remove(handler)
    assert len(logged) == (0 if outcome == "ok" else 1)
    assert "5ecret" not in "".join(logged)
