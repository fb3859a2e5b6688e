"""`syncd backup` and `syncd restore` as people and timers call them."""

from __future__ import annotations

from pathlib import Path

from commandline import House

from syncd.ledger.database.sqlite.lock import FileLock


def test_a_backup_is_made_and_restored_and_the_ticket_is_not_made_again(house: House) -> None:
    assert house.syncd("backup").code == 1
    house.syncd("run", "--once")
    result = house.syncd("backup", "--keep", "2")
    assert result.code == 0
    assert "copied and checked" in result.out
    (copy,) = Path(".syncd/backups").iterdir()
    assert str(copy.resolve()) in result.out
    incident = house.trigger()
    house.syncd("run", "--once")
    assert len(house.tickets(incident)) == 1
    asked = house.syncd("restore")
    assert asked.code == 2
    assert "--yes" in asked.err
    result = house.syncd("restore", "--yes")
    assert result.code == 0
    assert "The copy ends at" in result.out
    assert "is now" in result.out
    house.syncd("run", "--once")
    house.syncd("run", "--once")
    assert len(house.tickets(incident)) == 1
    assert house.syncd("show", incident, "--json").json["ticket"]["key"] == house.tickets(incident)[0]["key"]
    assert house.syncd("audit", "verify").code == 0


def test_beside_a_daemon_a_backup_is_made_and_a_restore_refused(house: House) -> None:
    house.syncd("run", "--once")
    with FileLock(house.folder / ".syncd/syncd.db") as lock:
        lock.acquire("syncd run")
        assert house.syncd("backup", "--to", "elsewhere").code == 0
        result = house.syncd("restore", "--yes", str(next(Path("elsewhere").iterdir())))
    assert result.code == 75
    assert "syncd run, pid" in result.err


def test_without_a_copy_restore_says_where_it_looked(house: House) -> None:
    result = house.syncd("restore", "--yes")
    assert result.code == 2
    assert "backups" in result.err
    assert house.syncd("restore", "--yes", "nowhere.db").code == 2
