from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_cast import NOW

from syncd.ledger.open import Ledger, open_for_work


@pytest.fixture(scope="session")
def newborn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a ledger that was opened once; tests work on copies of it, because Alembic is slow."""
    file = tmp_path_factory.mktemp("newborn") / "syncd.db"
    open_for_work(f"sqlite:///{file}", "the fixture", NOW).close()
    return file


@pytest.fixture
def file(newborn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(newborn, tmp_path / "syncd.db"))


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = open_for_work(url, "the test", NOW)
    yield opened
    opened.close()
