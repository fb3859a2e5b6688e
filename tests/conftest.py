"""What all tests share: a silent log, and fixtures for rigs."""

from __future__ import annotations

import gc
import os
import sys
import typing
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Protocol

import pytest
from cheap_ledgers import memory
from cheap_mappings import read_mappings_once
from hypothesis import settings
from loguru import logger
from loguru._better_exceptions import ExceptionFormatter
from moments import MOMENTS, in_turn
from postgresql import WHY_SKIPPED, Cluster, programs, shared_cluster
from rig import Rig, rig

from syncd.config.settings import installed
from syncd.sandbox.cast import START

settings.register_profile("suite", deadline=None)  # how long an example takes is the machine's matter
settings.load_profile("suite")
read_mappings_once()
# each new handler of the log asks Python for its folders; they stay the same
ExceptionFormatter._get_lib_dirs = staticmethod(cache(ExceptionFormatter._get_lib_dirs))
# requests asks a protocol for its names nine times a request; Python 3.12 keeps them by itself
if sys.version_info < (3, 12):
    typing._get_protocol_attrs = cache(typing._get_protocol_attrs)
# the machine's own service, if it has one, is none of the tests' business
installed.FOLDER = Path("/nonexistent/syncd")


class MakeRig(Protocol):
    """Starts a rig with options."""

    def __call__(self, **options: Any) -> Rig: ...


def pytest_configure() -> None:
    """Put the tests' folders into memory: syncd flushes each commit to the disk, and a test makes many."""
    if folder := memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", folder)
    # modules and tests stay until the end: as long as they are made, there is no garbage to look for
    gc.disable()


def pytest_collection_finish() -> None:
    """Let no later collection of garbage visit what stays until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


@pytest.fixture(autouse=True)
def _silence() -> None:
    logger.remove()


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Yield the log's lines from INFO on."""
    lines: list[str] = []
    handler = logger.add(lambda line: lines.append(line.rstrip()), format="{message}", level="INFO")
    yield lines
    logger.remove(handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests marked `any_day` at the story's start and at the moments they name, or this run's."""
    if marker := metafunc.definition.get_closest_marker("any_day"):
        moments = {"the story's start": START} | {name: MOMENTS[name] for name in marker.args or in_turn()}
        metafunc.parametrize("start", moments.values(), ids=moments.keys(), indirect=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Yield the PostgreSQL cluster of this run of the tests, which its workers share."""
    if programs() is None:
        pytest.skip(WHY_SKIPPED)
    # a socket's path is short, so the cluster does not lie among the tests' folders
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))[:12]
    with shared_cluster(Path(memory() or gettempdir()) / f"syncd-postgresql-{run}") as shared:
        yield shared


@pytest.fixture
def start(request: pytest.FixtureRequest) -> datetime:
    """Return the time at which the clocks of a test begin."""
    moment: datetime = getattr(request, "param", START)
    return moment


@pytest.fixture
def make_rig(tmp_path: Path, start: datetime) -> Iterator[MakeRig]:
    """Yield a function that starts rigs; they end with the test."""
    with ExitStack() as stack:
        count = 0

        def make(**options: Any) -> Rig:
            nonlocal count
            count += 1
            # A test may start several rigs; each has a ledger of its own.
            folder = tmp_path / f"rig-{count}"
            folder.mkdir()
            return stack.enter_context(rig(folder, **{"start": start, **options}))

        yield make


@pytest.fixture
def house(make_rig: MakeRig) -> Rig:
    """Return a rig on the default world, after its first quiet cycle."""
    made = make_rig()
    made.cycle()
    return made
