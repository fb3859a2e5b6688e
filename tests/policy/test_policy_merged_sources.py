"""From when until when a merged incident counts for its target, by its log as last read and the incident."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from policy_cast import NOW, incident, mapping

from syncd.domain.history import StateChange
from syncd.policy.postmortem.merged_sources import Member, merged_sources
from syncd.policy.time.state_changes import Entry, state_changes_of

HOUR = timedelta(hours=1)
CREATED, MERGED, OPENED, OVER = (NOW - hours * HOUR for hours in (8, 6, 4, 2))

TRIGGER = Entry(kind="trigger", at=CREATED)
MERGE = Entry(kind="resolve", at=MERGED, merged_into="P9")
ASSIGN = Entry(kind="assign", at=OPENED)
RESOLVE = Entry(kind="resolve", at=OVER)

IS_MERGED = {"status": "resolved", "merged_into": "P9", "resolved_at": MERGED, "status_changed_at": MERGED}
OPEN_BEFORE = {"status": "triggered", "status_changed_at": CREATED}
OPEN_AGAIN = {"status": "triggered", "status_changed_at": OPENED}
OVER_AGAIN = {"status": "resolved", "resolved_at": OVER, "status_changed_at": OVER}


def member(ident: str = "P1", into: str = "P9", log: Any = None, **shown: Any) -> Member:
    """An incident with this log (None: it was never read)."""
    read = incident(id=ident, created_at=CREATED, **shown)
    changes: tuple[StateChange, ...] | None = None if log is None else state_changes_of(log, read)
    rules = mapping()
    return Member(read, into, (), changes, rules, rules.services["Alipay"])


def spans(*members: Member) -> list[tuple[datetime, datetime | None]]:
    return [(source.merged_at, source.until) for source in merged_sources("P9", members, NOW)]


@pytest.mark.parametrize("log", [None, [TRIGGER], [TRIGGER, MERGE]])
def test_a_source_counts_from_its_merge_on(log: list[Entry] | None) -> None:
    assert spans(member(log=log, **IS_MERGED)) == [(MERGED, None)]


@pytest.mark.parametrize("shown", [OPEN_AGAIN, OVER_AGAIN])
@pytest.mark.parametrize("log", [[TRIGGER, MERGE, ASSIGN], [TRIGGER, MERGE, ASSIGN, RESOLVE]])
def test_it_counts_until_it_is_opened_again(shown: dict[str, Any], log: list[Entry]) -> None:
    ((since, until),) = spans(member(log=log, **shown))
    assert since == MERGED
    # a log from before the second resolve does not date the reopening of an incident that is over
    assert until == (OPENED if shown is OPEN_AGAIN or RESOLVE in log else OVER)


@pytest.mark.parametrize(("shown", "left"), [(OPEN_AGAIN, OPENED), (OVER_AGAIN, OVER)])
def test_a_log_from_before_the_reopening_brings_nothing_back(shown: dict[str, Any], left: datetime) -> None:
    assert spans(member(log=[TRIGGER, MERGE], **shown)) == [(MERGED, left)]


@pytest.mark.parametrize("shown", [OPEN_AGAIN, OVER_AGAIN])
@pytest.mark.parametrize("log", [None, [TRIGGER], [TRIGGER, Entry(kind="resolve", at=MERGED), ASSIGN]])
def test_what_left_a_merge_that_its_log_does_not_tell_brings_nothing(
    shown: dict[str, Any], log: list[Entry] | None
) -> None:
    assert spans(member(log=log, **shown)) == []


def test_a_merge_that_only_the_log_shows_lasts() -> None:
    assert spans(member(log=[TRIGGER, MERGE], **OPEN_BEFORE)) == [(MERGED, None)]


def test_one_that_is_merged_again_counts_from_the_second_merge_on_whatever_its_log_shows() -> None:
    again = IS_MERGED | {"resolved_at": OVER, "status_changed_at": OVER}
    for log in ([TRIGGER, MERGE], [TRIGGER, MERGE, ASSIGN]):
        assert spans(member(log=log, **again)) == [(OVER, None)]


def test_what_was_merged_into_a_source_leaves_with_it() -> None:
    symptom = member("P2", "P1", [TRIGGER, MERGE.model_copy(update={"merged_into": "P1"})], **IS_MERGED)
    symptom = symptom._replace(incident=symptom.incident.model_copy(update={"merged_into": "P1"}))
    source = member(log=[TRIGGER, MERGE], **OVER_AGAIN)
    assert spans(symptom, source) == [(MERGED, OVER), (MERGED, OVER)]
    unknown = member(log=None, **OVER_AGAIN)
    assert spans(symptom, unknown) == []
