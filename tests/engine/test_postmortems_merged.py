"""The postmortem of a merge is the target's, as long as the source is merged."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from engine.cast import nothing_more_is_written
from engine.postmortem_rig import ALIPAY, BLUBANK, ME, later, on, postmortem, postmortems, text
from syncd.sandbox import faults


def test_a_merged_incident_s_postmortem_is_the_target_s_at_the_higher_severity(make_rig: Any) -> None:
    rig = on(make_rig)
    people = rig.world.pagerduty
    source = people.trigger(ALIPAY, "Symptom", priority="P1")
    target = people.trigger(BLUBANK, "Cause", priority="P4")
    rig.settle(2)
    people.merge(target.id, [source.id], ME)
    rig.settle(3)
    people.resolve(target.id, ME)
    later(rig)
    assert postmortem(rig)["fields"]["summary"] == "Postmortem: Cause"
    assert "* Severity: SEV0" in text(rig)
    nothing_more_is_written(rig)


def test_a_merge_of_a_merge_brings_its_postmortem_along(make_rig: Any) -> None:
    rig = on(make_rig)
    people = rig.world.pagerduty
    first = people.trigger(ALIPAY, "Symptom", priority="P1")
    second, target = (
        people.trigger(ALIPAY, "More", priority="P4"),
        people.trigger(BLUBANK, "Cause", priority="P4"),
    )
    rig.settle(2)
    people.merge(second.id, [first.id], ME)
    rig.settle(2)
    people.merge(target.id, [second.id], ME)
    rig.settle(3)
    people.resolve(target.id, ME)
    later(rig)
    assert postmortem(rig)["fields"]["summary"] == "Postmortem: Cause"
    assert "* Severity: SEV0" in text(rig)
    nothing_more_is_written(rig)


@pytest.mark.parametrize("read_until", ["never", "the merge", "the end"])
def test_a_source_that_left_its_merge_brings_none_while_its_log_cannot_be_read(
    make_rig: Any, read_until: str
) -> None:
    rig = on(make_rig)
    people = rig.world.pagerduty
    source = people.trigger(ALIPAY, "Symptom", priority="P1")
    target = people.trigger(BLUBANK, "Cause", priority="P4")
    rig.settle(2)
    people.merge(target.id, [source.id], ME)

    def refuse_log() -> Any:
        log = f"/incidents/{source.id}/log_entries$"
        return rig.world.faults.add(faults.error(404), service="pagerduty", path=log, times=None)

    rule = refuse_log() if read_until == "never" else None
    rig.settle(3)
    rule = rule or (refuse_log() if read_until == "the merge" else None)
    people.reopen(source.id, ME)
    people.resolve(source.id, ME)
    people.resolve(target.id, ME)
    rig.settle(2)
    rule = rule or refuse_log()
    people.set_title(source.id, "Stale cache", ME)
    later(rig)
    assert target.id not in [row.incident_id for row in rig.operations() if row.kind == "create_postmortem"]
    rig.world.faults.remove(rule.id)
    rig.settle(40)
    assert postmortem(rig)["fields"]["summary"] == "Postmortem: Stale cache"
    assert rig.operations("pending", "unknown", "parked") == []


def creates(rig: Rig) -> list[tuple[str, str, int]]:
    """The creates of postmortems: incident, state, attempts."""
    rows = [row for row in rig.operations() if row.kind == "create_postmortem"]
    return [(row.incident_id, row.state, row.attempts) for row in rows]


def test_a_create_whose_source_left_the_merge_ends_and_is_looked_up_and_sent_if_one_is_owed_again(
    make_rig: Any,
) -> None:
    rig = on(make_rig)
    people = rig.world.pagerduty
    source = people.trigger(ALIPAY, "Symptom", priority="P1")
    target = people.trigger(BLUBANK, "Cause", priority="P4")
    rig.settle(2)
    people.merge(target.id, [source.id], ME)
    rig.settle(3)
    people.resolve(target.id, ME)
    rule = rig.world.faults.add(faults.error(503), service="jira", method="POST", path="/issue$", times=None)
    later(rig)
    people.reopen(source.id, ME)
    rig.settle(2)
    rig.world.faults.remove(rule.id)
    rig.settle(4, seconds=300)
    assert (postmortems(rig), creates(rig)) == ([], [(target.id, "superseded", 1)])
    people.set_priority(target.id, "P1", ME)
    rig.settle(4, seconds=300)
    assert postmortem(rig)["fields"]["summary"] == "Postmortem: Cause"
    assert creates(rig) == [(target.id, "done", 2)]
    nothing_more_is_written(rig)


def test_what_was_merged_while_its_create_waited_gets_its_postmortem_when_it_is_over_on_its_own(
    make_rig: Any,
) -> None:
    rig = on(make_rig)
    people = rig.world.pagerduty
    source = people.trigger(ALIPAY, "Symptom", priority="P1")
    target = people.trigger(BLUBANK, "Cause", priority="P4")
    rig.settle(2)
    people.resolve(source.id, ME)
    rig.settle(2)
    rule = rig.world.faults.add(faults.error(429), service="jira", method="POST", path="/issue$", times=None)
    later(rig)
    people.reopen(source.id, ME)
    rig.settle(2)
    people.merge(target.id, [source.id], ME)
    rig.settle(3)
    rig.world.faults.remove(rule.id)
    rig.settle(10, seconds=300)
    assert [state for incident, state, _ in creates(rig) if incident == source.id] == ["superseded"]
    people.reopen(source.id, ME)
    rig.settle(2)
    people.note(source.id, "It came back.", ME)
    people.resolve(source.id, ME)
    rig.settle(12, seconds=300)
    assert postmortem(rig)["fields"]["summary"] == "Postmortem: Symptom"
    nothing_more_is_written(rig)
