"""Which troubles of the daemon itself the operator is told of, each once.

No cycle succeeded for 15 minutes; a service refuses our credentials (at once); a credential expires in
30, 7 and 1 days. An alarm's key names its occasion, so that a restart tells nothing twice, and a second
outage is a second alarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from pydantic import Field

from syncd.domain.base import Value

NO_CYCLE_FOR = timedelta(minutes=15)
EXPIRY_STEPS = (30, 7, 1)
"""Days before a credential expires."""
EXPIRES = "expires"
"""The kind of alarm that tells of a credential's end."""
NAMES = {"pagerduty": "PagerDuty", "jira": "Jira", "mail": "The mail server"}


class Trouble(Value):
    """What is known of the daemon now.

    `last_good`: when both sides had been read, or the start of this run. `refused`: the services that
    refuse our credentials, since when. `expires`: the day on which each service's credential ends.
    """

    last_good: datetime
    down: tuple[str, ...] = ()
    refused: dict[str, datetime] = Field(default_factory=dict)
    expires: dict[str, date] = Field(default_factory=dict)


class Alarm(Value):
    """One thing to tell: `key` names the occasion for ever, `text` says it in one or two sentences.

    `instead` are the keys of milder steps that this one passes over.
    """

    key: str
    kind: str
    text: str
    instead: tuple[str, ...] = ()


def alarms_due(trouble: Trouble, told: Iterable[str], now: datetime) -> list[Alarm]:
    """The alarms that are due now and were not told yet."""
    known = set(told)
    return [alarm for alarm in _all(trouble, now) if alarm.key not in known]


def _all(trouble: Trouble, now: datetime) -> Iterator[Alarm]:
    for service, since in sorted(trouble.refused.items()):
        said = f"{NAMES.get(service, service)} refuses our credentials since {since:%Y-%m-%d %H:%M} UTC."
        yield Alarm(
            key=f"refused/{service}/{since.isoformat()}", kind="refused", text=f"{said} {_ends(service)}"
        )
    if now - trouble.last_good >= NO_CYCLE_FOR:
        minutes = int((now - trouble.last_good) / timedelta(minutes=1))
        down = ", ".join(NAMES.get(one, one) for one in trouble.down)
        why = f" Not usable: {down}." if down else ""
        yield Alarm(
            key=f"no_cycle/{trouble.last_good.isoformat()}",
            kind="no_cycle",
            text=f"No cycle has succeeded for {minutes} minutes, since"
            f" {trouble.last_good:%Y-%m-%d %H:%M} UTC.{why} See: syncd status",
        )
    for service, day in sorted(trouble.expires.items()):
        yield from _expiry(service, day, now)


def _ends(service: str) -> str:
    """What a refused credential stops, and what ends that."""
    if service == "mail":
        right = "SYNCD_SMTP_USERNAME and SYNCD_SMTP_PASSWORD are right and syncd restarted"
        return f"Nobody is mailed until {right}."
    return "Nothing is read from it or written to it until its token is renewed and syncd restarted."


def _expiry(service: str, day: date, now: datetime) -> Iterator[Alarm]:
    left = (day - now.date()).days
    reached = [step for step in EXPIRY_STEPS if left <= step]
    if not reached:
        return
    name = NAMES.get(service, service)
    said = f"expires in {left} days" if left > 1 else "expires tomorrow" if left == 1 else "has expired"
    keys = [f"expires/{service}/{day.isoformat()}/{step}" for step in reached]
    yield Alarm(
        key=keys[-1],
        kind=EXPIRES,
        text=f"The credential for {name} {said} ({day.isoformat()}). Make a new one, put it in the place of"
        f" the old one, set SYNCD_{service.upper()}_TOKEN_EXPIRES and restart syncd.",
        instead=tuple(keys[:-1]),
    )
