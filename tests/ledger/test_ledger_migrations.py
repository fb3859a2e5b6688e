"""A ledger of any release can be migrated: no row is lost, no trigger is missing, nothing is half done."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from ledger_cast import NOW, behind_its_back, create, record
from postgresql import Cluster
from released_ledgers import RELEASED
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine.interfaces import ReflectedIndex
from sqlmodel import SQLModel

from syncd.ledger.database import migrate as migrations
from syncd.ledger.database.backend import backend_of
from syncd.ledger.database.connection import Database
from syncd.ledger.database.sqlite.lock import FileLock
from syncd.ledger.database.sqlite.migrate import backup_file, migrate, revision_of
from syncd.ledger.errors import LedgerBusy, LedgerUnsafe
from syncd.ledger.open import Ledger, open_for_reading, open_for_work
from syncd.ledger.store import audit

Write = Callable[[str], None]

NEXT = '''
"""A migration as somebody might write it."""
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"

def upgrade():
{body}
'''


def rows_of(file: Path) -> dict[str, list[dict[str, object]]]:
    with behind_its_back(file) as connection:
        connection.row_factory = sqlite3.Row
        names = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        ]
        return {
            name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]  # noqa: S608 - own names
            for name in names
            if name != "alembic_version"
        }


def triggers_of(file: Path) -> dict[str, str]:
    with behind_its_back(file) as connection:
        return dict(
            connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        )


def full_ledger(file: Path, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the ledger of a release, with a row in each of its tables."""
    with monkeypatch.context() as then:
        then.setattr(migrations, "HEAD", revision)
        migrate(file, NOW)
    with behind_its_back(file) as connection:
        connection.execute("DELETE FROM audit_head")
        for table, row in RELEASED[revision].items():
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - own names
            connection.execute(statement, list(row.values()))


@pytest.fixture
def tomorrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that makes a body of code the next migration."""
    scripts = tmp_path / "migrations"
    shutil.copytree(migrations._SCRIPTS, scripts)
    before = migrations.HEAD

    def write(body: str) -> None:
        text = NEXT.format(revision="tomorrow", before=before, body=body)
        (scripts / "versions" / "tomorrow.py").write_text(text)
        monkeypatch.setattr(migrations, "_SCRIPTS", scripts)
        monkeypatch.setattr(migrations, "HEAD", "tomorrow")
        monkeypatch.setattr(migrations, "_KNOWN", (*migrations._KNOWN, "tomorrow"))

    return write


def backups(file: Path) -> list[Path]:
    return sorted(file.parent.glob("syncd.db.before-*"))


@pytest.mark.parametrize("revision", sorted(RELEASED))
def test_a_full_ledger_of_every_release_has_a_row_in_each_of_its_tables(
    revision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "syncd.db"
    full_ledger(file, revision, monkeypatch)
    assert {name: len(rows) for name, rows in rows_of(file).items()} == dict.fromkeys(RELEASED[revision], 1)


@pytest.mark.parametrize("revision", sorted(RELEASED))
def test_a_full_ledger_of_every_release_comes_through_all_migrations(
    revision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "syncd.db"
    full_ledger(file, revision, monkeypatch)
    before, triggers = rows_of(file), triggers_of(file)
    assert migrate(file, NOW) == revision
    after = rows_of(file)
    for table, rows in before.items():
        assert [{name: row[name] for name in rows[0]} for row in after[table]] == rows
    assert triggers.items() <= triggers_of(file).items()
    database = Database(f"sqlite:///{file}")
    with database.read() as session:
        assert audit.verify(session) is None
    database.close()
    opened = open_for_work(f"sqlite:///{file}", "the test", NOW)
    with opened.write() as session:
        record(session, create("P2"), incident="P2")
    opened.close()


def test_head_is_the_last_migration_and_every_migration_is_known() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations._SCRIPTS))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == migrations.HEAD
    assert {script.revision for script in scripts.walk_revisions()} == set(migrations._KNOWN)
    assert set(RELEASED) <= set(migrations._KNOWN)


def test_the_migrations_make_what_the_tables_say(
    ledger: Ledger, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if database == "sqlite":
        # an engine opens no file that is missing
        (tmp_path / "declared.db").touch()
        url = f"sqlite:///{tmp_path / 'declared.db'}"
        with ledger.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        url = cluster.url(cluster.new())
    reading, writing = backend_of(url).engines()
    with writing.begin() as connection:
        SQLModel.metadata.create_all(connection)
    # the ledger's own dialect makes tables and cannot describe them
    declared, migrated = create_engine(url), create_engine(ledger.url)
    are, should_be = inspect(migrated), inspect(declared)
    for table in SQLModel.metadata.tables:
        # autogenerate does not compare the conditions of partial indexes
        assert _indexes(are.get_indexes(table)) == _indexes(should_be.get_indexes(table))
        assert are.get_pk_constraint(table) == should_be.get_pk_constraint(table)
        assert str(are.get_columns(table)) == str(should_be.get_columns(table))
    assert {*are.get_table_names()} == {*should_be.get_table_names(), "alembic_version"}
    for engine in (reading, declared, migrated):
        engine.dispose()


def _indexes(indexes: Sequence[ReflectedIndex]) -> dict[str, str]:
    return {str(index["name"]): _plain(dict(index)) for index in indexes}


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return str(sorted((key, _plain(part)) for key, part in value.items()))
    return str(value)


def test_a_ledger_of_today_is_neither_migrated_nor_copied(url: str, file: Path) -> None:
    open_for_work(url, "the test", NOW).close()
    assert backups(file) == []


def test_a_ledger_is_copied_before_its_migration(url: str, file: Path, tomorrow: Write) -> None:
    tomorrow("    op.add_column('audit_event', sa.Column('more', sa.String))")
    rows = rows_of(file)
    before = migrations._KNOWN[0]
    open_for_work(url, "the test", NOW).close()
    (backup,) = backups(file)
    assert backup.name == "syncd.db.before-tomorrow-20261122T090000Z"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert (revision_of(backup), revision_of(file)) == (before, "tomorrow")
    assert rows_of(backup) == rows


def test_a_copy_is_whole_while_the_ledger_is_written(ledger: Ledger, file: Path, tmp_path: Path) -> None:
    with ledger.write() as session:
        record(session, create())
    with ledger.write() as session:
        record(session, create("P2"), incident="P2")
        backup_file(file, tmp_path / "copy.db")
    keys = [row["key"] for row in rows_of(tmp_path / "copy.db")["operation"]]
    assert keys == ["ticket/P1"]


def test_a_damaged_ledger_is_not_migrated(url: str, file: Path, tomorrow: Write) -> None:
    tomorrow("    op.add_column('audit_event', sa.Column('more', sa.String))")
    with behind_its_back(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_operation_key'"
        ).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    data = bytearray(file.read_bytes())
    data[(page - 1) * size : page * size] = b"\xff" * size
    file.write_bytes(bytes(data))
    with pytest.raises(LedgerUnsafe, match="damaged"):
        open_for_work(url, "the test", NOW)
    assert revision_of(file) == migrations._KNOWN[0]


def test_a_rebuilt_table_keeps_its_rows_and_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tomorrow: Write
) -> None:
    file = tmp_path / "syncd.db"
    full_ledger(file, migrations.HEAD, monkeypatch)
    before, triggers = rows_of(file), triggers_of(file)
    tomorrow(
        "    with op.batch_alter_table('incident', recreate='always') as batch:\n"
        "        batch.add_column(sa.Column('more', sa.String))\n"
        "    op.add_column('audit_event', sa.Column('more', sa.String))"
    )
    migrate(file, NOW)
    after = rows_of(file)
    assert after["incident"] == [{**before["incident"][0], "more": None}]
    assert after["ticket"] == before["ticket"]
    assert triggers_of(file) == triggers
    database = open_for_reading(f"sqlite:///{file}")
    with database.read() as session:
        assert session.connection().exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert audit.verify(session) is None
    database.close()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("    op.execute('DELETE FROM incident')", "would break 2 references"),
        (
            "    with op.batch_alter_table('audit_event', recreate='always') as batch:\n"
            "        batch.add_column(sa.Column('more', sa.String))",
            "audit_event_no_delete, audit_event_no_replace are missing",
        ),
        (
            "    op.create_table('half', sa.Column('id', sa.Integer))\n    raise LedgerUnsafe('broke')",
            "broke",
        ),
    ],
    ids=["references", "triggers", "half"],
)
def test_a_migration_that_would_do_harm_changes_nothing(
    body: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tomorrow: Write
) -> None:
    file = tmp_path / "syncd.db"
    full_ledger(file, migrations.HEAD, monkeypatch)
    before, triggers, revision = rows_of(file), triggers_of(file), revision_of(file)
    tomorrow("    from syncd.ledger.errors import LedgerUnsafe\n" + body)
    for _ in range(2):
        with pytest.raises(LedgerUnsafe, match=why):
            open_for_work(f"sqlite:///{file}", "the test", NOW)
    assert (rows_of(file), triggers_of(file), revision_of(file)) == (before, triggers, revision)


def test_a_first_ledger_that_could_not_be_made_is_made_the_next_time(tmp_path: Path, tomorrow: Write) -> None:
    url = f"sqlite:///{tmp_path / 'syncd.db'}"
    tomorrow("    raise RuntimeError('the disk is full')")
    with pytest.raises(RuntimeError, match="the disk is full"):
        open_for_work(url, "the test", NOW)
    tomorrow("    pass")
    open_for_work(url, "the test", NOW).close()


def test_nothing_is_migrated_without_the_lock(url: str, file: Path, tomorrow: Write) -> None:
    tomorrow("    op.add_column('audit_event', sa.Column('more', sa.String))")
    with FileLock(file) as lock:
        lock.acquire("the daemon")
        with pytest.raises(LedgerBusy):
            open_for_work(url, "the test", NOW)
    assert revision_of(file) == migrations._KNOWN[0]
    assert backups(file) == []
