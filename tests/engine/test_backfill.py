"""The first read of a new ledger: how far back, in which windows, and what it leaves in peace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from loguru import logger
from rig import Rig, mapping

from engine.cast import issues, nothing_more_is_written
from syncd.engine.observe import incident_windows
from syncd.engine.observe.incident_windows import read_created
from syncd.engine.runtime.progress import Progress
from syncd.sandbox import dump
from syncd.sandbox.cast import START

MakeRig = Callable[..., Rig]
DAY = timedelta(days=1)
ALL = {"tickets": "all"}


def over(rig: Rig, days: float, count: int = 1, **more: Any) -> list[str]:
    """Incidents that were triggered and resolved so many days before the start."""
    made = []
    for number in range(count):
        at = START - days * DAY + timedelta(seconds=number)
        trouble = rig.world.pagerduty.trigger("Alipay Integration", f"Old trouble {number}", at=at, **more)
        rig.world.pagerduty.acknowledge(trouble.id, "Amara Osei", at=at + timedelta(minutes=1))
        rig.world.pagerduty.note(trouble.id, "looking", "Amara Osei", at=at + timedelta(minutes=2))
        rig.world.pagerduty.resolve(trouble.id, "Amara Osei", at=at + timedelta(hours=1))
        made.append(trouble.id)
    return made


def rules_from(day: date, **more: Any) -> tuple[Any, ...]:
    return (mapping(enforce_from=day, **more),)


TODAY = START.date()


def test_what_was_over_before_the_rules_is_left_in_peace(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=rules_from(TODAY))
    over(rig, 3, count=5)
    rig.settle(4)
    assert rig.writes() == 0
    nothing_more_is_written(rig)


def test_what_is_still_open_gets_its_ticket_however_old_it_is(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=rules_from(TODAY))
    rig.world.pagerduty.trigger("Alipay Integration", "Still open", at=START - 90 * DAY)
    rig.settle(3)
    assert [issue["fields"]["summary"] for issue in issues(rig)] == ["Still open"]


def test_with_all_it_gets_a_closed_ticket_that_says_so_and_disturbs_nobody(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=rules_from(TODAY, backfill=ALL))
    incidents = over(rig, 3, count=3)
    rig.settle(6)
    made = issues(rig)
    assert sorted(incident["properties"]["syncd"]["incident"] for incident in made) == sorted(incidents)
    for issue in made:
        assert issue["fields"]["status"]["name"] == "Done"
        assert "syncd-backfill" in issue["fields"]["labels"]
        assert issue["fields"]["assignee"] is None
        assert issue["comments"] == []
    notes = [incident["notes"] for incident in dump.whole(rig.world)["pagerduty"]["incidents"]]
    assert [[note["content"] for note in some] for some in notes] == [["looking"]] * 3
    nothing_more_is_written(rig)


def test_a_batch_of_them_is_born_as_silent(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=rules_from(TODAY, backfill=ALL))
    over(rig, 3, count=12, priority="P3")
    rig.settle(6)
    made = issues(rig)
    assert len(made) == 12
    assert {issue["fields"]["status"]["name"] for issue in made} == {"Done"}
    assert all("syncd-backfill" in issue["fields"]["labels"] for issue in made)
    nothing_more_is_written(rig)


def test_with_all_an_open_incident_gets_an_ordinary_ticket(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=rules_from(TODAY, backfill=ALL))
    rig.world.pagerduty.trigger("Alipay Integration", "Open")
    rig.settle(3)
    (issue,) = issues(rig)
    assert "syncd-backfill" not in issue["fields"]["labels"]
    assert issue["fields"]["assignee"] is not None


def test_a_ticket_that_people_made_for_it_is_adopted_and_left_as_it_is(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=rules_from(TODAY, backfill=ALL))
    (incident,) = over(rig, 3)
    rig.world.jira.create("Ines Carvalho", "By hand", type="Incident", labels=[f"pd-{incident}"])
    rig.settle(5)
    (issue,) = issues(rig)
    assert issue["fields"]["status"]["name"] == "To Do"
    assert issue["fields"]["summary"] == "By hand"
    assert rig.writes() == 0


def test_what_was_resolved_since_the_rules_began_gets_its_ticket_and_note(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=rules_from(TODAY - 7 * DAY))
    over(rig, 3)
    rig.settle(4)
    (issue,) = issues(rig)
    assert "syncd-backfill" not in issue["fields"]["labels"]
    nothing_more_is_written(rig)


def test_it_looks_back_as_far_as_the_settings_say_in_windows_of_a_month(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=rules_from(TODAY - 300 * DAY))
    rig.restart(backfill_seconds=365 * 86400.0)
    over(rig, 200)
    over(rig, 400)
    rig.settle(3)
    assert len(issues(rig)) == 1


def test_a_window_with_too_many_goes_on_where_the_last_page_ended(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_windows, "LAST_OFFSET", 0)
    rig = make_rig()
    expected = over(rig, 3, count=230)
    since, until = START - 14 * DAY, START
    seen: set[str] = set()
    for page, _moment in read_created(rig.context, since, until):
        seen |= {incident.id for incident in page.incidents}
    assert seen == set(expected)


def test_the_moments_of_its_pages_grow(make_rig: MakeRig) -> None:
    rig = make_rig()
    over(rig, 3, count=101)
    moments = [read_seq for _page, read_seq in read_created(rig.context, START - 14 * DAY, START)]
    assert moments == sorted(set(moments))
    assert len(moments) == 2


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 22, tzinfo=UTC)

    def boottime(self) -> float:
        return self.at

    def boot_id(self) -> str:
        return "boot"

    def sleep(self, seconds: float, until: Any) -> bool:
        return False


def test_the_log_hears_of_what_takes_long_every_ten_seconds_and_at_its_end() -> None:
    clock, lines = Clock(), []
    logger.add(lambda message: lines.append(message.record["message"]), level="INFO")
    progress = Progress(clock)
    for done in range(26):
        clock.at = float(done)
        progress.report("incidents worked on", done, 25)
    assert lines == [f"incidents worked on: {done} of 25" for done in (10, 20, 25)]


def test_the_log_hears_nothing_of_what_is_quick() -> None:
    clock, lines = Clock(), []
    logger.add(lambda message: lines.append(message.record["message"]), level="INFO")
    progress = Progress(clock)
    for _ in range(100):
        progress.report("incidents worked on", 1, 2)
        progress.report("incidents worked on", 2, 2)
        clock.at += 60
    assert lines == []
