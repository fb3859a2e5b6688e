"""From the resolve to the breach with the real duties: who hears of it."""

from __future__ import annotations

from datetime import timedelta

from engine.mail_rig import OWNER, PROCESS, MakeRig, letters, mailing, until
from engine.test_reminders import ENFORCED, incident


def test_nobody_schedules_and_the_contacts_hear_of_it_once_after_48_hours(make_rig: MakeRig) -> None:
    rig = make_rig(mappings=(mailing(**ENFORCED),), mail=True)
    rig.cycle()
    incident(rig)
    resolved = rig.clock.now()
    until(rig, resolved + timedelta(hours=47))
    assert [one for one in letters(rig) if "Overdue" in str(one.message["Subject"])] == []
    until(rig, resolved + timedelta(hours=48, minutes=5))
    rig.settle(3)
    late = [one for one in letters(rig) if "Overdue" in str(one.message["Subject"])]
    assert sorted(one.recipients[0] for one in late) == [OWNER, PROCESS]
    assert {str(one.message["Subject"]) for one in late} == {"Overdue: Schedule the postmortem of #1"}
