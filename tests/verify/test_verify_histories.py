"""Both judges over random histories: what is missed stays missed, and both read every history."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from turns import turn

from syncd.verify.as_of import as_of
from syncd.verify.compare import Material
from syncd.verify.facts import Verdict
from syncd.verify.judge import judge
from syncd.verify.without_names import without_names
from verify.compare import differences
from verify.histories import history
from verify.verify_cast import at, day, incident, item

SEEDS = range(1, 41)
LOOK = timedelta(hours=61)


def test_a_breach_that_was_judged_once_stays_missed_whatever_happens_later() -> None:
    for seed in SEEDS:
        played = history(seed)
        last = {
            (duty.kind, duty.subject, duty.clock): duty.verdict
            for duty in judge(played.facts, played.people, played.decisions, played.end)
        }
        now = played.facts.created_at
        while now < played.end:
            now += LOOK
            for duty in judge(played.facts, played.people, played.decisions, min(now, played.end)):
                if duty.verdict is Verdict.BREACHED:
                    place = (duty.kind, duty.subject, duty.clock)
                    later = (Verdict.BREACHED, Verdict.MET_LATE, Verdict.VOID)
                    assert last[place] in later, (seed, now, duty)


def test_a_date_that_was_moved_later_says_nothing_about_the_time_before() -> None:
    moved = item([(10, "ines", "duedate", day(9)), (50, "ines", "duedate", day(20))])
    (earlier,) = as_of(incident(items=(moved,)), at(20)).items
    assert (earlier.issue.date, len(earlier.issue.changes)) == (day(9), 1)


def test_what_leaves_without_names_is_judged_alike() -> None:
    for seed in SEEDS[:10]:
        played = history(seed)
        material = Material(
            incident=played.facts.id,
            number=1,
            team=played.rules.team,
            facts=played.facts,
            people=played.people,
            decisions=played.decisions,
        )
        veiled = without_names(material, "salt")
        assert "ines" not in veiled.model_dump_json(exclude_defaults=True)
        stored = Material.model_validate_json(veiled.model_dump_json(exclude_defaults=True))
        for days in (9, 25, 80):
            now = played.facts.created_at + timedelta(days=days)
            first, second = material.judged(now), stored.judged(now)
            nobody = {"met_by": None}
            assert [duty.model_copy(update=nobody) for duty in first] == [
                duty.model_copy(update=nobody) for duty in second
            ], seed


@pytest.mark.parametrize("start", range(1 + 50 * turn(2), 201, 100))
def test_both_judges_agree_on_random_histories_looked_at_often_seldom_and_once(start: int) -> None:
    # the other half of the seeds follows with a change of the code; `make simulate-verdicts` judges all
    seen: Counter[str] = Counter()
    for seed in range(start, start + 50):
        played = history(seed)
        seen += played.seen
        apart = list(differences(played))
        assert not apart, (seed, apart)
    assert len(seen) >= 50
