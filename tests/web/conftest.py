"""The fixture of a listener over a rig."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from rig import Rig

from syncd.web.app import Secrets
from web.test_listener import SECRET, Web


@pytest.fixture
def web_of(house: Rig) -> Iterator[Callable[..., Web]]:
    made: list[Web] = []

    def make(secrets: Secrets | None = None) -> Web:
        made.append(Web(house, secrets or Secrets((SECRET,), SECRET)))
        return made[-1]

    yield make
    for web in made:
        web.listener.stop(5)
