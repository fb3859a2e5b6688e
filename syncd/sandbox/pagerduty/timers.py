"""What happens to incidents by itself while time passes: acknowledgements end, nobody answers, time runs out.

It is worked through when the account is next looked at, each act dated at the moment when it was due, so
that any clock will do and a jump of a week leaves the same log as a week of waiting.
"""

from datetime import datetime

from syncd.sandbox.pagerduty import changes, lifecycle
from syncd.sandbox.pagerduty.lifecycle import Hand
from syncd.sandbox.pagerduty.records import Incident, Timer
from syncd.sandbox.pagerduty.state import Account


def catch_up(account: Account, now: datetime) -> None:
    """Do all that was due by `now`, in its order."""
    while due := account.next_due(now):
        _happen(account, *due)


def _happen(account: Account, incident: Incident, timer: Timer, at: datetime) -> None:
    hand = Hand(("service", incident.service_id), "timeout")
    if timer == "resolve":
        lifecycle.resolve(account, incident, hand, at)
    elif timer == "unacknowledge":
        lifecycle.unacknowledge(account, incident, hand, at)
    else:
        _escalate(account, incident, hand, at)


def _escalate(account: Account, incident: Incident, hand: Hand, at: datetime) -> None:
    policy = account.policies[incident.policy_id]
    level = incident.level + 1
    if level > len(policy.rules):
        incident.loops += 1
        level = 1
        account.write_log(
            "repeat_escalation_path_log_entry",
            incident,
            at,
            hand.who,
            {"type": "auto"},
            "Reached the end of its escalation policy and will restart by timeout",
        )
    changes.escalate(account, incident, level, hand, at)
