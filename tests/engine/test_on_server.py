"""The engine on a ledger in PostgreSQL: end-to-end tests of the engine, once more there.

Each run plays a part of them, another one after each change of the code.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from postgresql import Cluster, explained
from turns import turn

from engine import (
    test_conflicts,
    test_duties,
    test_faults,
    test_lifecycle,
    test_notices,
    test_notices_that_wait,
    test_two_ways,
)

OF = 24
"""One of so many tests is played."""
FIXTURES = {"house", "make_rig"}
MODULES = (
    test_lifecycle,
    test_two_ways,
    test_duties,
    test_conflicts,
    test_faults,
    test_notices,
    test_notices_that_wait,
)
TESTS = [
    test
    for module in MODULES
    for name, test in sorted(vars(module).items())
    if name.startswith("test_") and inspect.signature(test).parameters.keys() <= FIXTURES
]


@pytest.mark.parametrize("test", TESTS[turn(OF) :: OF], ids=lambda test: str(test.__name__))
def test_the_engine_does_the_same_on_a_server(
    test: Callable[..., None], make_rig: Any, cluster: Cluster
) -> None:
    on_server = partial(make_rig, ledger_url=cluster.empty_ledger())
    given: dict[str, Any] = {"make_rig": on_server}
    if "house" in inspect.signature(test).parameters:
        given["house"] = on_server()
        given["house"].cycle()
    test(**{name: given[name] for name in inspect.signature(test).parameters})


LARGE = {"incident", "ticket", "postmortem", "action_item", "duty", "operation", "audit_event", "mirror_link"}
"""The tables that grow with every incident."""


def test_a_quiet_cycle_reads_no_large_table_as_a_whole(make_rig: Any, cluster: Cluster) -> None:
    house = make_rig(ledger_url=cluster.empty_ledger())
    house.world.pagerduty.trigger("Alipay Integration", "Payments fail", urgency="high")
    house.settle(4)
    with explained(house.ledger) as whole:
        house.cycle()
        house.loop.tick()
    assert len(whole) > 10
    assert {statement: tables & LARGE for statement, tables in whole.items() if tables & LARGE} == {}
