"""A rig whose ledger is lost and restored, and what must be whole afterwards."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ledger_reading import TicketRow, rows
from rig import Rig

from syncd.ledger.database.sqlite.backup import back_up
from syncd.ledger.restore import Restored, restore
from syncd.sandbox import dump


def back_up_rig(rig: Rig) -> Path:
    return back_up(rig.folder / rig.name, rig.folder / "backups", rig.clock.now()).file


def restore_rig(rig: Rig, copy: Path) -> Restored:
    """Lose the ledger, put the copy in its place, start."""
    rig.stop()
    done = restore(copy, rig.folder / rig.name, rig.clock.now(), rig.context.gave_up())
    rig.start()
    return done


def seen_by_people(rig: Rig) -> dict[str, Any]:
    """What people see in both services: marked issues by operation, texts by how often they stand there."""
    world = dump.whole(rig.world)
    issues = world["jira"]["issues"]
    marks = Counter(
        issue["properties"]["syncd"]["op"] for issue in issues if issue["properties"].get("syncd")
    )
    comments = Counter((issue["key"], c["body"]) for issue in issues for c in issue["comments"])
    notes = Counter(
        (incident["id"], note["content"])
        for incident in world["pagerduty"]["incidents"]
        for note in incident["notes"]
    )
    return {"issues": marks, "comments": comments, "notes": notes}


def doubled(seen: dict[str, Any]) -> list[Any]:
    return [key for counts in seen.values() for key, number in counts.items() if number > 1]


def keys(rig: Rig) -> dict[str, str]:
    """Each incident's ticket, as the ledger knows it."""
    return {row.incident_id: row.key for row in rows(rig.ledger, TicketRow)}
