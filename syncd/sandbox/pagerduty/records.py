"""The contents of a PagerDuty account, as small mutable records.

`render.py` shows them on the wire; `lifecycle.py` and `changes.py` change incidents. All times are aware UTC,
cut to whole seconds as PagerDuty shows them.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from syncd.sandbox.wire import Json

Status = Literal["triggered", "acknowledged", "resolved"]
Urgency = Literal["high", "low"]
Timer = Literal["unacknowledge", "escalate", "resolve"]
Target = Literal["user", "schedule"]


@dataclass
class Team:
    """A team."""

    id: str
    name: str


@dataclass
class User:
    """A person with an account. `time_zone` is an IANA name."""

    id: str
    name: str
    email: str
    team_ids: tuple[str, ...] = ()
    time_zone: str = "Etc/UTC"
    role: str = "user"
    job_title: str | None = None


@dataclass
class Priority:
    """A priority; `rank` 1 is the gravest."""

    id: str
    name: str
    rank: int
    description: str = ""
    color: str = "a8171c"


@dataclass
class Schedule:
    """A weekly rotation over users, in their order, handed over on Mondays 00:00 UTC."""

    id: str
    name: str
    user_ids: tuple[str, ...]
    time_zone: str = "Etc/UTC"
    free: tuple[tuple[datetime, datetime], ...] = ()

    def week(self, at: datetime) -> tuple[str, datetime, datetime]:
        """Return who is on the schedule in the week of a time, with its beginning and end."""
        # Day 1 of the calendar was a Monday, so this counts weeks that begin on Mondays.
        number = (at.astimezone(UTC).date().toordinal() - 1) // 7
        start = datetime.fromordinal(number * 7 + 1).replace(tzinfo=UTC)
        return self.user_ids[number % len(self.user_ids)], start, start + timedelta(days=7)

    def shifts(self, since: datetime, until: datetime) -> list[tuple[str, datetime, datetime]]:
        """Return the shifts from a time until another, cut to it; nobody is on it in the `free` times."""
        shifts = []
        while since < until:
            user, _, end = self.week(since)
            gaps = [gap for gap in self.free if gap[0] < min(end, until) and gap[1] > since]
            begin, stop = since, min([end, until, *(gap[0] for gap in gaps)])
            if begin < stop:
                shifts.append((user, begin, stop))
            since = max([stop, *(gap[1] for gap in gaps if gap[0] <= stop)])
        return shifts


@dataclass
class Rule:
    """One level of an escalation policy: its targets, and the minutes until the next level is called."""

    id: str
    targets: tuple[tuple[Target, str], ...]
    delay_minutes: int = 30


@dataclass
class Policy:
    """An escalation policy; at its end it starts again `num_loops` times."""

    id: str
    name: str
    rules: tuple[Rule, ...]
    team_ids: tuple[str, ...] = ()
    num_loops: int = 0


@dataclass
class Service:
    """A service. Time-outs are in seconds, None if switched off."""

    id: str
    name: str
    policy_id: str
    integration_id: str
    created_at: datetime
    team_ids: tuple[str, ...] = ()
    description: str | None = None
    acknowledgement_timeout: int | None = 1800
    auto_resolve_timeout: int | None = None
    urgency: Urgency = "high"
    status: str = "active"
    hidden: bool = False
    last_incident_at: datetime | None = None


@dataclass
class CustomField:
    """A custom field of incidents; `options` are its fixed values, if it has any."""

    id: str
    name: str
    display_name: str
    data_type: str = "string"
    field_type: str = "single_value"
    options: tuple[str, ...] = ()
    description: str | None = None


@dataclass
class Note:
    """A note. A deleted note stays here, marked, and no answer shows it."""

    id: str
    user_id: str
    content: str
    created_at: datetime
    updated_at: datetime
    deleted: bool = False


@dataclass
class Alert:
    """An alert of an incident, sent by monitoring."""

    id: str
    summary: str
    created_at: datetime
    key: str
    severity: str = "critical"
    source: str = "monitoring"
    status: str = "triggered"
    details: Json = field(default_factory=dict)
    contexts: list[Json] = field(default_factory=list)
    resolved_at: datetime | None = None


@dataclass
class LogEntry:
    """One entry of the account's log. `agent` is (type, id), or None on notifications."""

    id: str
    type: str
    created_at: datetime
    sequence: int
    incident_id: str
    agent: tuple[str, str] | None
    channel: Json
    summary: str
    extra: Json = field(default_factory=dict)


@dataclass
class Incident:
    """An incident. `due` holds the times at which it will change by itself."""

    id: str
    number: int
    title: str
    service_id: str
    policy_id: str
    urgency: Urgency
    created_at: datetime
    updated_at: datetime
    last_status_change_at: datetime
    last_status_change_by: tuple[str, str]
    incident_key: str
    status: Status = "triggered"
    priority_id: str | None = None
    resolved_at: datetime | None = None
    assignments: list[tuple[str, datetime]] = field(default_factory=list)
    acknowledgements: list[tuple[str, datetime]] = field(default_factory=list)
    assigned_via: str = "escalation_policy"
    level: int = 1
    loops: int = 0
    merged_into: str | None = None
    body: str | None = None
    type_name: str = "incident_default"
    conference_bridge: Json | None = None
    custom_values: dict[str, object] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    first_entry_id: str = ""
    due: dict[Timer, datetime] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Return True if the incident is triggered or acknowledged."""
        return self.status != "resolved"


@dataclass
class Options:
    """The options that a test may set. Delays are in seconds of sandbox time.

    Which log entry a changed priority, a changed title or a reopening leaves is not documented. With None it
    leaves none, so that tests can prove that syncd does not rely on one.
    """

    limits: bool = True
    requests_a_minute: int = 960
    told_reset: str = ""
    log_lag: float = 0.0
    time_zone: str = "America/New_York"
    priority_entry: str | None = "field_value_change_log_entry"
    title_entry: str | None = "field_value_change_log_entry"
    reopen_entry: str | None = "field_value_change_log_entry"
