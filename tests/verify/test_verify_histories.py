"""The second judge over random histories: what is missed stays missed, and both judges read them all."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from syncd.verify.facts import Verdict
from syncd.verify.judge import judge
from verify.compare import differences, end_of
from verify.histories import history

SEEDS = range(1, 41)
LOOK = timedelta(hours=61)


def test_a_breach_that_was_judged_once_stays_missed_whatever_happens_later() -> None:
    for seed in SEEDS:
        played = history(seed, with_leavers=True)
        end = end_of(played)
        last = {
            (duty.kind, duty.subject, duty.clock): duty.verdict
            for duty in judge(played.facts, played.people, played.decisions, end)
        }
        now = played.facts.created_at
        while now < end:
            now += LOOK
            for duty in judge(played.facts, played.people, played.decisions, min(now, end)):
                if duty.verdict is Verdict.BREACHED:
                    place = (duty.kind, duty.subject, duty.clock)
                    assert last[place] in (Verdict.BREACHED, Verdict.MET_LATE), (seed, now, duty)


def test_both_judges_read_every_history_and_most_kinds_of_events_occur() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS[:10]:
        played = history(seed)
        seen += played.seen
        # each difference names a duty and both answers
        assert all(difference.first != difference.second for difference in differences(played))
    assert len(seen) >= 15
