"""`syncd actions`: what is still to be done, worst first, for scripts and for tired people."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from commandline import CONTROLS, House
from ledger_reading import ActionItemRow, DutyRow, opened, put
from moments import LEAP_DAY, SUNDAY, YEARS_END

COMING = "2028-12-05"
NASTY = "Raise\x1b[31m [bold]the[/bold]\ntimeout"


def item(now: datetime, number: int, **more: Any) -> ActionItemRow:
    snapshot = {
        "id": f"2000{number}",
        "summary": more.pop("summary", f"Task {number}"),
        "assignee": more.pop("assignee", None),
        "status": {"id": "10", "name": "To Do", "category": "new"},
        "due_date": None,
    }
    data: dict[str, Any] = {
        "issue_id": f"2000{number}",
        "incident_id": more.pop("incident", ""),
        "key": f"OPS-2{number}",
        "project": "OPS",
        "source": "sub-task of the postmortem",
        "snapshot": snapshot,
        "first_seen_at": now,
        "facts": {"stands": "open", "violations": [], "due": None},
    }
    return ActionItemRow(**{**data, **more})


def late(now: datetime, incident: str, number: int, days: float) -> DutyRow:
    return DutyRow(
        incident_id=incident,
        kind="done",
        subject=f"2000{number}",
        state="breached",
        started_at=now - timedelta(days=30),
        due_at=now - timedelta(days=days),
        breached_at=now - timedelta(days=days),
    )


@pytest.fixture
def listed(house: House) -> House:
    """A ledger with one incident and action items in every state."""
    incident = house.trigger(priority="P2")
    assert house.syncd("run", "--once").code == 0
    now = house.clock.now()
    ana = {"id": "a1", "name": "Amara Osei"}
    rows: list[Any] = [
        item(now, 1, incident=incident, facts={"stands": "open", "violations": ["no owner"], "due": COMING}),
        item(
            now,
            2,
            incident=incident,
            assignee=ana,
            facts={"stands": "open", "violations": [], "due": "2026-10-01"},
        ),
        item(now, 3, incident=incident, assignee=ana, facts={"stands": "done", "violations": []}),
        item(now, 4, incident=incident, assignee=ana, ended_at=now),
        item(now, 5, incident=incident, assignee=ana, summary=NASTY, out_of_sight_since=now),
        late(now, incident, 2, 2.5),
    ]
    with opened(Path(".syncd/syncd.db")) as ledger:
        put(ledger, *rows)
    return house


@pytest.mark.any_day(SUNDAY, LEAP_DAY, YEARS_END)
def test_actions_lists_what_is_to_be_done_the_longest_overdue_first(listed: House) -> None:
    # at a quarter's end the mapping's GameDays are listed, too
    data = [item for item in listed.syncd("actions", "--json").json if item["held"] is None]
    assert [issue["key"] for issue in data] == ["OPS-22", "OPS-21", "OPS-25"]
    wanted = {"key", "summary", "incident", "owner", "due", "status", "overdue_days", "violations"}
    assert wanted <= set(data[0])
    assert (data[0]["owner"], data[0]["overdue_days"], data[0]["violations"]) == (
        "Amara Osei",
        3,
        ["overdue"],
    )
    assert (data[1]["owner"], data[1]["due"], data[1]["violations"]) == (None, COMING, ["no owner"])
    assert data[2]["violations"] == ["not visible"]


def test_actions_can_be_asked_for_the_overdue_and_for_those_that_nobody_took(listed: House) -> None:
    assert [issue["key"] for issue in listed.syncd("actions", "--overdue", "--json").json] == ["OPS-22"]
    assert [issue["key"] for issue in listed.syncd("actions", "--unowned", "--json").json] == ["OPS-21"]
    assert listed.syncd("actions", "--overdue", "--unowned").out == "No action item is overdue and unowned.\n"


def test_actions_says_first_how_bad_it_is_and_for_each_who_and_by_when(listed: House) -> None:
    out = listed.syncd("actions").out
    assert out.splitlines()[0] == "Action items: 3 open, 1 overdue, 1 without an owner"
    assert "OPS-22: OVERDUE by 3 days, due 2026-10-01" in out
    assert "  Amara Osei, To Do, incident #1" in out
    assert "  ! no owner" in out
    assert not CONTROLS & set(out)
    assert "[bold]the[/bold] timeout" in out


def test_show_lists_the_action_items_of_an_incident(listed: House) -> None:
    items = listed.syncd("show", "1", "--json").json["action_items"]
    assert [each_item["key"] for each_item in items] == ["OPS-21", "OPS-22", "OPS-23", "OPS-24", "OPS-25"]
    assert [each_item["stands"] for each_item in items][2:4] == ["done", "ended"]
    out = listed.syncd("show", "1").out
    assert "OVERDUE by 3 days" in out
    assert not CONTROLS & set(out)


def test_without_action_items_it_says_so(house: House) -> None:
    house.trigger()
    house.syncd("run", "--once")
    assert house.syncd("actions").out == "No action item is open.\n"
    assert house.syncd("actions", "--json").json == []
