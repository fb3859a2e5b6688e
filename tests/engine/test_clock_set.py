"""The wall clock is set while something waits: nothing waits longer, and nobody hears a false alarm."""

from __future__ import annotations

import pytest
from rig import Rig

from engine.mail_rig import (
    CTO,
    DIRECTOR,
    OPERATOR,
    MakeRig,
    mailing,
    recipients,
    subjects,
)
from engine.test_bundled_notices import ONE, bundles, storm, trigger
from engine.test_mail_leaving import sev0

HOUR, DAY = 3600.0, 86400.0


def test_a_mail_that_its_server_deferred_is_tried_again_although_the_clock_was_set_back(post: Rig) -> None:
    assert post.mail is not None
    post.mail.refuse_temporarily(address=CTO, times=3)
    sev0(post)
    post.cycle()
    assert CTO not in recipients(post)
    post.clock.step = -3 * DAY
    post.settle(6)
    assert recipients(post).count(CTO) == 1


def test_a_bundle_leaves_although_the_clock_was_set_back(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(mailing(severities=ONE),), mail=True)
    rig.cycle()
    storm(rig, 7)
    assert not bundles(rig)
    rig.clock.step = -HOUR
    rig.settle(4)
    assert len(bundles(rig)) == 1
    # and the next notice has a mail of its own
    trigger(rig, "Afterwards")
    rig.cycle()
    assert subjects(rig, DIRECTOR)[-1].startswith("SEV1: Afterwards")


@pytest.mark.parametrize("step", [HOUR, 3 * DAY, -HOUR])
def test_a_clock_that_is_set_is_no_service_that_could_not_be_read(post: Rig, step: float) -> None:
    post.settle(2)
    post.clock.step = step
    post.loop.tick()
    post.loop.work_queue.drain()
    assert not [subject for subject in subjects(post, OPERATOR) if "could not be read" in subject]
    post.settle(3)
    assert not [subject for subject in subjects(post, OPERATOR) if "could not be read" in subject]
