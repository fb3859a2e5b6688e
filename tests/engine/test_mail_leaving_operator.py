"""How mails to the operator leave."""

from __future__ import annotations

import pytest
from rig import Rig

from engine.cast import pause, resume
from engine.mail_rig import (
    ENFORCED,
    OPERATOR,
    MakeRig,
    breaches,
    duties_stay_as_they_are,
    letters,
    mailing,
    mails,
    subjects,
    text_of,
)
from syncd.engine.act.mail_rate import AT_MOST
from syncd.sandbox import faults


@pytest.fixture(autouse=True)
def _duties_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    duties_stay_as_they_are(monkeypatch)


@pytest.fixture
def post(make_rig: MakeRig) -> Rig:
    made = make_rig(mappings=(mailing(**ENFORCED),), mail=True)
    made.cycle()
    return made


def test_the_operator_s_mails_are_not_counted_by_the_hour(post: Rig) -> None:
    breaches(post, AT_MOST // 2 + 1)
    post.cycle()
    post.world.faults.add(faults.error(503), service="jira", times=None)
    post.settle(33)
    assert subjects(post, OPERATOR) == ["syncd: Jira could not be read for 15 minutes"]


def test_the_operator_hears_of_a_cause_once_a_day_however_often_it_comes_back(post: Rig) -> None:
    for _ in range(3):
        outage = post.world.faults.add(faults.error(503), service="jira", times=None)
        post.settle(33)
        post.world.faults.remove(outage.id)
        post.settle(12)
    assert subjects(post, OPERATOR) == ["syncd: Jira could not be read for 15 minutes"]
    post.world.faults.add(faults.error(503), service="pagerduty", times=None)
    post.settle(33)
    assert len(subjects(post, OPERATOR)) == 2
    post.world.faults.clear()
    post.settle(2, seconds=12 * 3600)
    post.settle(12)
    post.world.faults.add(faults.error(503), service="jira", times=None)
    post.settle(33)
    assert len(subjects(post, OPERATOR)) == 3


def test_the_operator_hears_once_of_a_mass_of_writes_that_is_held(
    post: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.test_brakes import storm
    from syncd.ledger.store import holds

    monkeypatch.setattr(holds, "MASS_AT_MOST", 3)
    storm(post, 5)
    post.settle(6)
    before = len(letters(post))
    post.mappings = (
        mailing(
            **ENFORCED,
            severities={
                "SEV2": {"pagerduty": "P3", "urgency": "high", "priority": "Lowest", "postmortem": True},
            },
            version="other",
        ),
    )
    post.restart()
    post.settle(6)
    assert subjects(post)[before:] == ["syncd: Writes to 5 tickets are held"]
    assert "syncd outbox release" in text_of(letters(post)[-1])
    post.restart()
    post.settle(3)
    assert len(letters(post)) == before + 1


def test_the_operator_hears_once_that_a_service_refuses_our_credentials(post: Rig) -> None:
    post.world.faults.add(faults.error(401), service="pagerduty", times=None)
    post.settle(80)
    assert subjects(post, OPERATOR) == ["syncd: PagerDuty refuses syncd's credentials"]


def test_the_operator_hears_that_a_side_was_not_read_for_fifteen_minutes(post: Rig) -> None:
    post.world.faults.add(faults.error(503), service="jira", times=None)
    post.settle(29)
    assert subjects(post, OPERATOR) == []
    post.settle(4)
    assert subjects(post, OPERATOR) == ["syncd: Jira could not be read for 15 minutes"]
    post.settle(40)
    assert len(subjects(post, OPERATOR)) == 1


def test_what_is_over_before_the_operator_s_mail_could_leave_is_not_sent(post: Rig) -> None:
    assert post.mail is not None
    pause(post, "mail")
    post.world.faults.add(faults.error(503), service="jira", times=None)
    post.settle(33)
    assert [mail.state for mail in mails(post)] == ["pending"]
    post.world.faults.clear()
    post.settle(12)
    resume(post, "mail")
    post.settle(2)
    assert letters(post) == []
    assert [mail.state for mail in mails(post)] == ["dropped"]
