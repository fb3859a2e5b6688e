"""What a person on leave would get goes to their deputy, too."""

from __future__ import annotations

from datetime import date

from policy.policy_cast import NOW, QRPAY, book, case, mapping

from syncd.policy.notify.recipients import Recipient, notified, with_deputies

CTO, DEPUTY = "cto@qrpay.example", "deputy@qrpay.example"
PEOPLE = {"away": {"CTO@qrpay.example": {"until": date(2026, 11, 22), "deputy": DEPUTY}}}


def test_the_deputy_is_told_until_the_last_day_in_the_teams_zone() -> None:
    rules = mapping(people=PEOPLE, zone="Pacific/Kiritimati")
    recipients = with_deputies([Recipient(address=CTO, why="it is yours")], rules, NOW)
    assert [recipient.address for recipient in recipients] == [CTO, DEPUTY]
    assert recipients[1].why == f"you are the deputy of {CTO}, who is away until 22 Nov 2026"


def test_the_deputy_is_not_told_after_the_leave_and_never_twice() -> None:
    rules = mapping(people=PEOPLE, zone="Pacific/Kiritimati")
    # the next day begins there at 10:00 UTC
    later = NOW.replace(hour=11)
    cto, deputy = Recipient(address=CTO, why=""), Recipient(address=DEPUTY, why="")
    assert with_deputies([cto], rules, later) == (cto,)
    assert [recipient.address for recipient in with_deputies([cto, deputy], rules, NOW)] == [CTO, DEPUTY]


def test_a_notice_goes_to_the_deputy_too() -> None:
    severities = {**QRPAY["severities"], "SEV2": {**QRPAY["severities"]["SEV2"], "notify": CTO}}
    rules = book(severities=severities, people=PEOPLE)
    told = notified(case(now=NOW), rules.mapping, rules.section, "SEV2")
    assert [recipient.address for recipient in told] == [CTO, DEPUTY]
