"""Change incidents as time passes: acknowledgements time out, incidents escalate and resolve by themselves.

The sandbox applies it at its next request or act, each change dated at the time when it was due. So any clock
works, and a jump of a week leaves the same log as a week of waiting.
"""

from datetime import datetime

from syncd.sandbox.pagerduty import changes, lifecycle
from syncd.sandbox.pagerduty.lifecycle import Actor
from syncd.sandbox.pagerduty.records import Incident, Timer
from syncd.sandbox.pagerduty.state import Account


def catch_up(account: Account, now: datetime) -> None:
    """Apply everything that was due by `now`, in order."""
    while due := account.next_due(now):
        _apply(account, *due)


def _apply(account: Account, incident: Incident, timer: Timer, at: datetime) -> None:
    actor = Actor(("service", incident.service_id), "timeout")
    if timer == "resolve":
        lifecycle.resolve(account, incident, actor, at)
    elif timer == "unacknowledge":
        lifecycle.unacknowledge(account, incident, actor, at)
    else:
        _escalate(account, incident, actor, at)


def _escalate(account: Account, incident: Incident, actor: Actor, at: datetime) -> None:
    policy = account.policies[incident.policy_id]
    level = incident.level + 1
    # Behind the last level the policy starts again with the first.
    if level > len(policy.rules):
        incident.loops += 1
        level = 1
        account.write_log(
            "repeat_escalation_path_log_entry",
            incident,
            at,
            actor.agent,
            {"type": "auto"},
            "Reached the end of its escalation policy and will restart by timeout",
        )
    changes.escalate(account, incident, level, actor, at)
