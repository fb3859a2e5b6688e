"""Who answers a PagerDuty service, and which other tools work on it, as far as a check asks for it."""

from __future__ import annotations

from syncd.domain.base import Value


class EscalationPolicy(Value):
    """Whom an escalation policy calls: ids of users, and of schedules, on all of its levels."""

    id: str
    name: str
    users: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()


class Schedule(Value):
    """A schedule with the ids of everybody on it; `users` is None where the answer did not say."""

    id: str
    name: str
    users: tuple[str, ...] | None = None


class OtherTool(Value):
    """Something of PagerDuty's own that writes to a Jira: an extension, or a rule of its Jira app.

    `services` are the ids of the services it works on, empty where the answer named none.
    """

    id: str
    name: str
    services: tuple[str, ...] = ()
