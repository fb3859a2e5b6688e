"""What all tests share: the log is silent, a rig is one word away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
from loguru import logger
from rig import Rig, rig


class MakeRig(Protocol):
    """Starts a rig with options."""

    def __call__(self, **options: Any) -> Rig: ...


@pytest.fixture(autouse=True)
def _silence() -> None:
    logger.remove()


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[MakeRig]:
    """Start rigs that end with the test."""
    with ExitStack() as stack:
        count = 0

        def make(**options: Any) -> Rig:
            nonlocal count
            count += 1
            folder = tmp_path / f"rig-{count}"
            folder.mkdir()
            return stack.enter_context(rig(folder, **options))

        yield make


@pytest.fixture
def house(make_rig: MakeRig) -> Rig:
    """A rig on the default world, after its first quiet cycle."""
    made = make_rig()
    made.cycle()
    return made
