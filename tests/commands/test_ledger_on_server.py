"""The commands with a ledger in PostgreSQL: the daemon's cycle, reading, the plan, backup and the move."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import pytest
from commandline import House
from postgresql import Cluster

from syncd.ledger.database.postgresql.address import ledger_url
from syncd.ledger.database.postgresql.lock import AdvisoryLock


@pytest.fixture
def server(cluster: Cluster) -> Iterator[str]:
    """Yield the URL of an empty database, with a password that no output may show."""
    database = cluster.new()
    yield cluster.url(database).replace("syncd@", "syncd:hunter2@")
    cluster.drop(database)


def test_a_ledger_moves_to_a_server_and_syncd_goes_on_there(
    house: House, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.syncd("run", "--once")
    incident = house.trigger()
    house.syncd("run", "--once")
    asked = house.syncd("ledger", "copy", "--to", server)
    assert asked.code == 2
    moved = house.syncd("ledger", "copy", "--to", server, "--yes")
    assert moved.code == 0
    assert "copied and compared" in moved.out
    refused = house.syncd("run", "--once")
    assert refused.code == 78
    assert "was moved to postgresql://syncd@" in refused.err
    assert "was moved to postgresql://syncd@" in house.syncd("status").out
    _each_reader_says_that_later_figures_are_missing(house, incident)
    _no_request_is_stored_that_no_daemon_will_answer(house, incident)
    monkeypatch.setenv("SYNCD_LEDGER_URL", server)
    another = house.trigger()
    planned = house.syncd("plan", "--json")
    kinds = [operation["kind"] for operation in planned.json["operations"]]
    assert kinds.count("create_ticket") == 1
    assert house.syncd("run", "--once").code == 0
    assert [len(house.tickets(each_incident)) for each_incident in (incident, another)] == [1, 1]
    outputs = [
        house.syncd(*line) for line in (("status",), ("show", incident), ("audit", "verify"), ("outbox",))
    ]
    assert [output.code for output in outputs] == [0, 0, 0, 0]
    outputs += [moved, refused, planned, house.syncd("status", "--json"), house.syncd("check", "--offline")]
    assert not any("hunter2" in f"{output.out}{output.err}" for output in outputs)
    assert house.syncd("status", "--json").json["disk"]["free_bytes"] is None


def _each_reader_says_that_later_figures_are_missing(house: House, incident: str) -> None:
    period = ("--from", "2026-01-01", "--to", "2026-01-31")
    words = re.compile(r"was moved to \S+ on \d{4}-\d\d-\d\d \d\d:\d\d UTC: it lacks everything later; set ")
    for line in (
        ("report",),
        ("report", "--json"),
        ("audit", "verify"),
        ("audit", "verify", "--json"),
        ("audit", "export", "--offline", *period, "--output", "evidence"),
        ("show", incident, "--json"),
        ("actions", "--json"),
        ("outbox", "--json"),
    ):
        output = house.syncd(*line)
        assert (output.code, output.err.count("was moved to")) == (0, 1), line
        assert words.search(output.err), line
        if line[-1] == "--json":
            assert output.json is not None
    for line in (("status",), ("adopt", incident, "OPS-1")):
        assert house.syncd(*line).err.count("was moved to") <= 1


def _no_request_is_stored_that_no_daemon_will_answer(house: House, incident: str) -> None:
    grounds = ("--reason", "agreed", "--by", "priya.raman@qrpay.example")
    for line in (
        ("waive", incident, "--until", "2026-11-20", *grounds),
        ("pause", "jira", "--reason", "move"),
        ("outbox", "release"),
    ):
        output = house.syncd(*line)
        assert (output.code, output.err.count("was moved to")) == (78, 1), line
    with sqlite3.connect(".syncd/syncd.db") as ledger:
        assert ledger.execute("SELECT count(*) FROM request").fetchone() == (0,)


def test_backup_and_restore_name_the_line_to_type(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCD_LEDGER_URL", "postgresql+psycopg://syncd:hunter2@db.example/syncd")
    for command, program in (("backup", "pg_dump --format=custom"), ("restore", "pg_restore --clean")):
        refused = house.syncd(command)
        assert refused.code == 78
        assert f"type: {program}" in refused.err
        assert "hunter2" not in refused.err


def test_while_a_daemon_runs_nothing_moves_and_a_server_that_is_away_is_said(
    house: House, server: str
) -> None:
    house.syncd("run", "--once")
    lock = AdvisoryLock(ledger_url(server), "the server", None)
    lock.acquire("syncd run")
    busy = house.syncd("ledger", "copy", "--to", server, "--yes")
    lock.release()
    assert busy.code == 75
    away = house.syncd("ledger", "copy", "--to", "postgresql+psycopg://x:hunter2@127.0.0.1:1/x", "--yes")
    assert away.code == 69
    assert "hunter2" not in away.err
    assert house.syncd("ledger", "copy", "--to", "mysql://x", "--yes").code == 2


def test_a_server_without_a_free_connection_gives_each_reader_one_clear_error(
    house: House, server: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCD_LEDGER_URL", server)
    assert house.syncd("run", "--once").code == 0
    database = server.partition("@/")[2].partition("?")[0]
    role = f"crowded_{database}"
    with cluster.connect(database) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 0")
        monkeypatch.setenv("SYNCD_LEDGER_URL", server.replace("syncd:hunter2@", f"{role}:hunter2@"))
        for line in (("status",), ("show", "1"), ("outbox",), ("actions",), ("report",), ("audit", "verify")):
            output = house.syncd(*line)
            assert (output.code, output.out) == (69, ""), line
            trouble, advice = output.err.splitlines()
            assert "cannot be reached" in trouble and "too many connections" in trouble, line
            assert advice.startswith("check that PostgreSQL is running"), line
            assert "hunter2" not in trouble
        connection.execute(f"DROP ROLE {role}")
