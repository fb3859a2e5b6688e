"""When a failure counts as one object's own trouble, and how seldom it is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rig import Rig

from engine.cast import standing
from syncd.engine.runtime.troubles import LONGEST, READ_NOTES, Troubles
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown, Unreadable

WHOSE = "QXYZ"


def failure(cause: Cause, status: int | None = None, words: str = "") -> RemoteError:
    kind = Unknown if cause in (Cause.SERVER, Cause.BROKEN, Cause.TIMEOUT) else NotDone
    return kind("pagerduty", f"GET /incidents/{WHOSE}/notes", cause, words, status=status)


PROXY = [
    failure(Cause.FORBIDDEN, 403),
    failure(Cause.MISSING, 404),
    failure(Cause.SERVER, 502),
    failure(Cause.SERVER, 500, "Internal server error"),
    failure(Cause.TIMEOUT),
]


def fail(house: Rig, error: RemoteError) -> bool:
    return house.context.troubles.failed(WHOSE, READ_NOTES, error)


def listed(house: Rig) -> list[str]:
    return [trouble["what"] for trouble in standing(house)["troubles"]]


@pytest.mark.parametrize(
    "error",
    [
        failure(Cause.REJECTED, 400, "Bad Request"),
        failure(Cause.FORBIDDEN, 403, "Access Denied"),
        failure(Cause.MISSING, 404, "Not Found"),
        Unreadable("pagerduty", "GET /x", Cause.BROKEN, "no date"),
    ],
    ids=str,
)
def test_a_refusal_in_the_services_words_is_the_objects_own_at_once(house: Rig, error: RemoteError) -> None:
    assert fail(house, error)
    assert listed(house) == [READ_NOTES]


@pytest.mark.parametrize("error", PROXY, ids=str)
def test_any_other_failure_is_the_objects_own_after_three_while_the_service_answers(
    house: Rig, error: RemoteError
) -> None:
    assert [fail(house, error) for _ in range(5)] == [False] * 5
    house.cycle(1)
    assert fail(house, error)
    assert listed(house) == [READ_NOTES]


@pytest.mark.parametrize("error", PROXY, ids=str)
def test_two_failures_are_never_the_objects_own(house: Rig, error: RemoteError) -> None:
    fail(house, error)
    house.cycle(1)
    assert not fail(house, error)
    assert listed(house) == []


@pytest.mark.parametrize("cause", [Cause.PAUSED, Cause.UNREACHABLE, Cause.CREDENTIALS, Cause.LIMITED])
def test_an_outage_of_the_whole_service_is_no_objects(house: Rig, cause: Cause) -> None:
    for _ in range(9):
        assert not fail(house, failure(cause, None, "words"))
        house.cycle(1)
    assert house.context.troubles.wait_for(WHOSE, READ_NOTES) <= 5
    assert listed(house) == []


def test_the_waits_double_up_to_a_quarter_of_an_hour(house: Rig) -> None:
    waits = []
    for _ in range(12):
        fail(house, failure(Cause.SERVER, 500))
        waits.append(house.context.troubles.wait_for(WHOSE, READ_NOTES))
    assert waits == sorted(waits)
    assert (waits[0], waits[1], waits[-1]) == (5, 10, LONGEST)
    assert not house.context.troubles.may_try(WHOSE, READ_NOTES)
    house.world.clock.advance(LONGEST)
    assert house.context.troubles.is_due(WHOSE, READ_NOTES)


def test_a_success_ends_it_and_a_restart_does_not(house: Rig) -> None:
    fail(house, failure(Cause.FORBIDDEN, 403, "Access Denied"))
    before = standing(house)["troubles"]
    house.restart()
    assert standing(house)["troubles"] == before
    assert house.context.troubles.may_try(WHOSE, READ_NOTES)
    house.context.troubles.over(WHOSE, READ_NOTES)
    assert listed(house) == []


def test_what_nobody_tries_any_more_is_forgotten(house: Rig) -> None:
    troubles: Troubles = house.context.troubles
    fail(house, failure(Cause.FORBIDDEN, 403, "Access Denied"))
    assert troubles.try_all() == [WHOSE]
    assert listed(house) == [READ_NOTES]
    assert troubles.try_all() == []
    assert listed(house) == []
    assert house.clock.now() - house.began < timedelta(hours=1)
