"""`check` says who would get no mail."""

from __future__ import annotations

from typing import Any

import pytest
from rig import SERVICES

from engine.mail_rig import mailing
from syncd.preflight.checks.finding import Level
from syncd.preflight.checks.mails import mails

OWNED = {name: {"owner": "ana@qrpay.example"} for name in SERVICES}
NOTIFIED = {"SEV0": {"pagerduty": "P1", "postmortem": True, "notify": "owner"}}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({}, []),
        ({"people": {}}, ["nobody hears of breaches of SEV0 on BluBank Integration"]),
        ({"people": {}, "services": OWNED}, []),
        ({"severities": NOTIFIED}, ["nobody gets the notice of SEV0 on BluBank Integration"]),
        ({"severities": NOTIFIED, "services": OWNED}, []),
        ({"people": {}, "mails": {"mode": "report"}}, []),
    ],
)
def test_who_would_hear_of_nothing_is_said(rules: dict[str, Any], words: list[str]) -> None:
    findings = [*mails(mailing(**rules), loopback=True)]
    wrong = [finding.message for finding in findings if finding.level is Level.WRONG]
    assert [text for text in words if text not in wrong] == []
    assert bool(wrong) is bool(words)
    assert findings


def test_example_addresses_are_wrong_where_the_services_are_real() -> None:
    real = mailing(
        severities={"SEV0": {"pagerduty": "P1", "notify": ["cto@qrpay.example", "cto@qrpay.com"]}},
        services={"Alipay Integration": {"owner": "ana@qrpay.com"}},
        people={"process_owner": "owner@qrpay.com"},
    )
    (finding,) = mails(real, loopback=False)
    assert finding.level is Level.WRONG
    assert finding.message == "cto@qrpay.example is an example address, and syncd refuses to mail it"


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({"mode": "enforce"}, ["the weekly report has no recipient"]),
        ({"mode": "enforce", "to": ["lead@qrpay.com"]}, []),
        (
            {"mode": "enforce", "over_all": ["lead@qrpay.example"]},
            ["lead@qrpay.example is an example address, and syncd refuses to mail it"],
        ),
        ({"mode": "report"}, []),
    ],
)
def test_a_weekly_report_that_reaches_nobody_is_wrong(report: dict[str, Any], words: list[str]) -> None:
    findings = mails(mailing(report=report, mails={"mode": "report"}), loopback=False)
    assert [finding.message for finding in findings if finding.level is Level.WRONG] == words
