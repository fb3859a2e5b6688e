"""A ledger for each test, in SQLite and in PostgreSQL.

A test that asks for `file` is about SQLite's file, so it runs on SQLite alone. A module's `DATABASES` names
the databases of its tests.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_cast import NOW
from postgresql import WHY_SKIPPED, Cluster, programs
from writers_cast import Crowd

from syncd.ledger.open import Ledger, open_for_work

DATABASES = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that opens a ledger by its URL on every database."""
    if "database" in metafunc.fixturenames:
        on = getattr(metafunc.module, "DATABASES", DATABASES)
        on = [name for name in on if name == "sqlite" or "file" not in metafunc.fixturenames]
        metafunc.parametrize("database", on, indirect=True)


@pytest.fixture(scope="session")
def newborn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a ledger that was opened once; tests work on copies of it, because Alembic is slow."""
    file = tmp_path_factory.mktemp("newborn") / "syncd.db"
    open_for_work(f"sqlite:///{file}", "the fixture", NOW).close()
    return file


@pytest.fixture
def file(newborn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(newborn, tmp_path / "syncd.db"))


@pytest.fixture(scope="session")
def newborn_on_server(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Yield the URL of a database with a ledger that was opened once, and the SQL that makes it so again."""
    database = cluster.new()
    open_for_work(cluster.url(database), "the fixture", NOW).close()
    with cluster.connect(database) as connection:
        yield cluster.url(database), cluster.remember(connection)
    cluster.drop(database)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """Return the name of the database of this test; skip it where PostgreSQL is missing."""
    if request.param == "postgresql" and programs() is None:
        pytest.skip(WHY_SKIPPED)
    return str(request.param)


@pytest.fixture
def url(database: str, request: pytest.FixtureRequest) -> str:
    if database == "sqlite":
        return f"sqlite:///{request.getfixturevalue('file')}"
    url, again = request.getfixturevalue("newborn_on_server")
    cluster: Cluster = request.getfixturevalue("cluster")
    cluster.restore(url, again)
    return str(url)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = open_for_work(url, "the test", NOW)
    yield opened
    opened.close()


@pytest.fixture
def crowd(ledger: Ledger) -> Crowd:
    """Return the writers of a ledger."""
    return Crowd(ledger)
