"""Tickets of a batch that Jira made and hides from syncd's account."""

from __future__ import annotations

import pytest
from rig import Rig

from engine.cast import nothing_more_is_written
from engine.test_bulk import each_has_one_ticket, storm
from syncd.engine.act.unknown_outcomes import HIDDEN
from syncd.ledger.requests.answers import ask
from syncd.sandbox import faults

BULK = {"service": "jira", "method": "POST", "path": r"/issue/bulk$"}


def test_tickets_of_a_batch_that_jira_hides_from_us_are_never_made_twice(
    house: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a default security level of the project does not include our account."""
    site = type(house.world.jira.site)
    with monkeypatch.context() as level:
        level.setattr(site, "visible", lambda _site, _issue, _account: False)
        incidents = storm(house, 15, priority="P3")
        house.settle(40)
        each_has_one_ticket(house, incidents)
        parked = house.operations("parked")
        assert [operation.kind for operation in parked] == ["create_ticket"] * 15
        assert {operation.error for operation in parked} == {HIDDEN}
    ask(house.ledger, "outbox.retry", {}, "root")
    house.settle(4)
    each_has_one_ticket(house, incidents)
    assert house.operations("parked", "pending", "unknown") == []
    nothing_more_is_written(house)


@pytest.mark.parametrize("status", [403, 404])
def test_a_batch_whose_answer_a_proxy_hid_is_not_made_twice(house: Rig, status: int) -> None:
    house.world.faults.add(faults.html(status, after=True), **BULK)
    incidents = storm(house, 30, priority="P3")
    house.settle(12, 60)
    each_has_one_ticket(house, incidents)
    assert house.operations("parked", "pending", "unknown") == []
    nothing_more_is_written(house)


@pytest.mark.parametrize("status", [403, 404])
def test_a_proxy_that_lets_no_batch_through_delays_no_ticket_by_the_settle_time(
    house: Rig, status: int
) -> None:
    house.world.faults.add(faults.html(status), times=None, **BULK)
    incidents = storm(house, 30, priority="P3")
    house.settle(9, 60)
    each_has_one_ticket(house, incidents)
    nothing_more_is_written(house)
