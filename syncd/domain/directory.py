"""The parts of a PagerDuty account that `syncd check` looks at: policies, schedules, other tools."""

from __future__ import annotations

from syncd.domain.base import UtcTime, Value


class EscalationPolicy(Value):
    """An escalation policy: the ids of the users and schedules that it calls, on all of its levels."""

    id: str
    name: str
    users: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()


class Schedule(Value):
    """A schedule with the ids of its users; `users` is None where PagerDuty's answer has no users."""

    id: str
    name: str
    users: tuple[str, ...] | None = None


class Shift(Value):
    """The time for which a person is on a schedule."""

    start: UtcTime
    end: UtcTime
    person: str


class OtherTool(Value):
    """A part of PagerDuty that writes to Jira: an extension, or a rule of PagerDuty's Jira app.

    `services` are the ids of the services that it works on, empty where the answer names none.
    """

    id: str
    name: str
    services: tuple[str, ...] = ()
