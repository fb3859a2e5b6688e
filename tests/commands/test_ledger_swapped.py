"""The ledger's file is deleted, replaced or overwritten under a running daemon, or lacks its latest rows."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from commandline import House, Process
from waiting import wait_for

from syncd.sandbox import dump

Start = Callable[..., Process]
FILE = Path(".syncd/syncd.db")


def deleted(file: Path) -> None:
    file.unlink()


def replaced(file: Path) -> None:
    copy = file.with_name("copy.db")
    shutil.copyfile(file, copy)
    copy.replace(file)


def without_its_log(file: Path) -> None:
    file.with_name(file.name + "-wal").unlink()


def overwritten(file: Path) -> None:
    older = Path("older.db").read_bytes()
    with file.open("r+b") as target:
        target.write(older)
        target.truncate()


def checkpoint(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def mirrored(house: House, incident: str) -> None:
    """Wait until an incident has its ticket and its note, and the daemon has confirmed both."""

    def states() -> set[tuple[str, str]]:
        query = "SELECT kind, state FROM operation WHERE incident_id = ?"
        with closing(sqlite3.connect(f"file:{FILE}?mode=ro", uri=True)) as connection:
            return set(connection.execute(query, [incident]))

    wait_for(lambda: states() >= {("create_ticket", "done"), ("link_note", "done")})


@pytest.mark.parametrize("happens", [deleted, replaced, without_its_log, overwritten])
def test_a_daemon_whose_ledger_is_taken_away_stops_at_once_and_the_next_start_doubles_nothing(
    house: House, started: Start, happens: Callable[[Path], None]
) -> None:
    house.set("SYNCD_POLL_SECONDS", "0.2")
    house.syncd("run", "--once")
    shutil.copyfile(FILE, "older.db")
    process = started("run")
    mirrored(house, house.trigger("Before"))
    if happens is overwritten:
        checkpoint(FILE)
        # a later write of the daemon looks at the file
        mirrored(house, house.trigger("After"))
    happens(FILE)
    assert process.wait(30) == 1
    error = house.err("run")
    assert f"{FILE.resolve()}" in error
    assert "while syncd was running, so syncd stops" in error
    assert "syncd restore" in error
    assert "Traceback" not in error
    if happens is deleted:
        assert not FILE.exists()
    for _ in range(3):
        house.syncd("run", "--once")
    for incident in dump.whole(house.world)["pagerduty"]["incidents"]:
        assert len(house.tickets(incident["id"])) == 1
        notes = [note["content"] for note in incident["notes"]]
        assert len(notes) == len(set(notes)) == 1
