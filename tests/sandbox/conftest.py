from collections.abc import Iterator

import pytest
from sandbox_calls import Caller, basic, fields

from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY, default_world
from syncd.sandbox.server import SandboxServer
from syncd.sandbox.world import World


@pytest.fixture
def world() -> World:
    return default_world()


@pytest.fixture
def pagerduty(world: World) -> Caller:
    return Caller(world.pagerduty, {"Authorization": f"Token token={PAGERDUTY_KEY}", "From": BOT_EMAIL})


@pytest.fixture
def jira(world: World) -> Caller:
    return Caller(world.jira, {"Authorization": basic(BOT_EMAIL, JIRA_KEY)}, "/rest/api/2")


@pytest.fixture
def server(world: World) -> Iterator[SandboxServer]:
    with SandboxServer(world) as running:
        yield running


@pytest.fixture
def issue(jira: Caller) -> str:
    """The key of an incident ticket that the bot made."""
    made: str = jira.post("/issue", {"fields": fields("Checkout is down")})["key"]
    return made
