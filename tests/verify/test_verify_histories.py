"""Both judges over random histories: what is missed stays missed, and both read every history."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from syncd.verify.facts import Verdict
from syncd.verify.judge import judge
from verify.compare import differences
from verify.histories import history

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


def test_both_judges_read_every_history_and_most_kinds_of_events_occur() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS[:10]:
        played = history(seed)
        seen += played.seen
        # each difference names a duty and both answers
        assert all(difference.first != difference.second for difference in differences(played))
    assert len(seen) >= 40
