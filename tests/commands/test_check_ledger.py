"""What `syncd check` says about the ledger, in a file and in PostgreSQL, without a lock or a trace."""

from __future__ import annotations

from pathlib import Path

import pytest
from commandline import House
from postgresql import Cluster

from syncd.ledger.database import room
from syncd.ledger.database.backend import backend_of
from syncd.ledger.database.sqlite import connection

CODE = "C14"


def findings(house: House) -> list[tuple[str, str, str]]:
    all_findings = house.syncd("check", "--json").json["findings"]
    return [
        (finding["level"], finding["message"], finding["hint"])
        for finding in all_findings
        if finding["code"] == CODE
    ]


@pytest.fixture
def kept(house: House) -> tuple[House, Path]:
    """Return a house whose ledger lies in a folder of its own, which exists, and that folder."""
    folder = house.folder / "kept"
    folder.mkdir()
    house.set("SYNCD_LEDGER_URL", f"sqlite:///{folder}/syncd.db")
    return house, folder


def test_a_place_without_a_ledger_is_tried_and_left_empty(kept: tuple[House, Path]) -> None:
    house, folder = kept
    ((level, message, _),) = findings(house)
    assert (level, message) == ("ok", f"{folder}/syncd.db holds no ledger yet: the daemon makes it")
    assert list(folder.iterdir()) == []


def test_a_ledger_can_be_used_also_while_a_daemon_holds_its_lock(kept: tuple[House, Path]) -> None:
    house, folder = kept
    house.syncd("run", "--once")
    lock = backend_of(f"sqlite:///{folder}/syncd.db").lock()
    lock.acquire("syncd run")
    ((level, message, _),) = findings(house)
    lock.release()
    assert (level, message) == ("ok", f"{folder}/syncd.db can be used")
    assert not list(folder.glob(".syncd-check-*"))


def test_a_folder_that_takes_no_ledger_is_wrong(
    kept: tuple[House, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, folder = kept
    with monkeypatch.context() as strict:
        strict.setattr(connection, "PRAGMAS", {"synchronous": 9})
        ((level, message, hint),) = findings(house)
    assert level == "wrong"
    assert "the ledger refuses synchronous=9" in message
    assert "local disk" in hint
    (folder / "syncd.db").mkdir()
    ((level, message, hint),) = findings(house)
    assert level == "wrong"
    assert "takes no ledger: [Errno 21] Is a directory" in message
    assert "give the folder and the file to the daemon's user" in hint


def test_a_disk_on_another_machine_is_in_doubt(
    kept: tuple[House, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, folder = kept
    monkeypatch.setattr(room, "disk_of", lambda _: Path("/srv/with blank"))
    mounts = folder.parent / "mounts"
    mounts.write_text("/dev/a / ext4 rw 0 0\nserver:/x /srv/with\\040blank nfs4 rw 0 0\n")
    monkeypatch.setattr(room, "MOUNTS", mounts)
    (fine, (level, message, hint)) = findings(house)
    assert fine[0] == "ok"
    assert level == "unknown"
    assert message.startswith("/srv/with blank is a disk on another machine (nfs4)")
    assert "disk of this machine" in hint


def test_a_server_is_checked_as_at_a_start(house: House, cluster: Cluster) -> None:
    database = cluster.new()
    url = cluster.url(database)
    house.set("SYNCD_LEDGER_URL", url.replace("syncd@", "syncd:hunter2@"))
    ((level, message, _),) = findings(house)
    assert level == "ok"
    assert "holds no ledger yet" in message
    assert backend_of(url).tables() == []
    backend_of(url).migrate(house.clock.now())
    ((level, message, _),) = findings(house)
    assert (level, message.rpartition("/")[2]) == ("ok", f"{database} can be used")
    with cluster.connect(database) as session:
        session.execute("DROP TRIGGER audit_event_no_update ON audit_event")
    ((level, message, _),) = findings(house)
    assert level == "wrong"
    assert "the audit trail is not protected" in message
    with cluster.connect(database) as session:
        session.execute(f'ALTER DATABASE "{database}" SET synchronous_commit = off')
    ((level, message, hint),) = findings(house)
    assert level == "wrong"
    assert "synchronous_commit=off" in message
    assert hint == "switch it on for syncd's role: ALTER ROLE syncd SET synchronous_commit = on"
    assert "hunter2" not in message


def test_a_server_that_is_away_is_wrong_and_the_services_are_checked_all_the_same(house: House) -> None:
    house.set("SYNCD_LEDGER_URL", "postgresql+psycopg://x:hunter2@127.0.0.1:1/x")
    result = house.syncd("check", "--json")
    assert result.code == 1
    levels = {finding["code"]: finding["level"] for finding in result.json["findings"]}
    assert levels[CODE] == "wrong"
    assert levels["PD01"] == levels["J01"] == "ok"
    assert "hunter2" not in result.out + result.err


def test_half_of_a_move_is_wrong(kept: tuple[House, Path]) -> None:
    house, folder = kept
    house.syncd("run", "--once")
    house.syncd("ledger", "copy", "--to", f"sqlite:///{folder}/new.db", "--yes")
    ((level, message, hint),) = findings(house)
    assert level == "wrong"
    assert message.startswith(f"this ledger was moved to {folder}/new.db")
    assert "set SYNCD_LEDGER_URL" in hint


def test_offline_the_ledger_is_not_asked(house: House) -> None:
    house.set("SYNCD_LEDGER_URL", "postgresql+psycopg://x@127.0.0.1:1/x")
    assert CODE not in [
        finding["code"] for finding in house.syncd("check", "--offline", "--json").json["findings"]
    ]
