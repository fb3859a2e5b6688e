"""The label `waived`: each time that it is set it gives one waiver, whenever syncd looks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from duty_cast import DAY, DUE, HOUR, RESOLVED, Life, rules, theirs

from syncd.policy.postmortem.waiver_labels import LABEL


def over() -> Life:
    return Life(rules(people={"approvers": ["boss@qrpay.example"]})).resolve()


def labelled(life: Life, at: datetime, comment: str) -> None:
    """A person sets the label, and an approver says until when."""
    life.change("labels", at, None, before_words="", after_words=LABEL)
    life.labels = (LABEL,)
    life.comments.append(theirs(comment, at))


def unlabelled(life: Life, at: datetime) -> None:
    life.change("labels", at, None, before_words=LABEL, after_words="")
    life.labels = ()


def test_a_label_that_is_set_again_when_its_waiver_is_over_gives_another_waiver() -> None:
    life = over()
    labelled(life, RESOLVED + HOUR, "until 2026-11-23")
    assert life.state(RESOLVED + 2 * HOUR) == "waived"
    assert life.state(RESOLVED + DAY) == "due_soon"
    unlabelled(life, RESOLVED + DAY + HOUR)
    assert life.state(RESOLVED + DAY + 2 * HOUR) == "due_soon"
    labelled(life, RESOLVED + DAY + 3 * HOUR, "again, until 2026-12-03")
    assert life.state(RESOLVED + DAY + 4 * HOUR) == "waived"
    assert [f"{waiver.until:%m-%d}" for waiver in life.waivers] == ["11-24", "12-04"]


def test_a_label_that_stands_when_its_waiver_is_over_gives_no_other() -> None:
    life = over()
    labelled(life, RESOLVED + HOUR, "until 2026-11-23")
    life.decide(RESOLVED + 2 * HOUR)
    life.comments.append(theirs("and until 2026-12-03", RESOLVED + DAY))
    assert life.state(RESOLVED + DAY + HOUR) == "due_soon"
    assert len(life.waivers) == 1


@pytest.mark.parametrize("looks", [[RESOLVED + 2 * HOUR, DUE + 9 * DAY], [DUE + 9 * DAY]])
def test_a_waiver_counts_alike_whether_syncd_looked_while_it_ran_or_only_afterwards(
    looks: list[datetime],
) -> None:
    life = over().review(DUE + 2 * DAY, "2026-12-02")
    labelled(life, RESOLVED + HOUR, "until 2026-11-28")
    for now in looks:
        duty = life.duty(now)
        assert duty is not None
    assert (duty.state, duty.due_at) == ("met", datetime(2026, 11, 30, tzinfo=UTC))


def test_a_label_that_was_removed_early_ended_its_waiver_then_whenever_syncd_looks() -> None:
    life = over().review(DUE + 2 * DAY, "2026-12-02")
    labelled(life, RESOLVED + HOUR, "until 2026-11-28")
    life.decide(RESOLVED + 2 * HOUR)
    unlabelled(life, DUE)
    duty = life.duty(DUE + 9 * DAY)
    assert duty is not None
    assert (duty.state, duty.due_at) == ("met_late", DUE + DAY)
    assert [waiver.ended_at for waiver in life.waivers] == [DUE]
