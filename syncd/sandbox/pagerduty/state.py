"""A PagerDuty account: its directory by id, its incidents by creation, its log by time, its timers."""

import heapq
from bisect import bisect_left, insort
from datetime import datetime
from itertools import count
from random import Random

from syncd.sandbox.chance import code, stream
from syncd.sandbox.clock import Clock
from syncd.sandbox.pagerduty.records import (
    CustomField,
    Incident,
    LogEntry,
    Options,
    Policy,
    Priority,
    Schedule,
    Service,
    Team,
    Timer,
    User,
)
from syncd.sandbox.wire import Json


class Account:
    """One account with its directory, incidents, log and timers."""

    def __init__(self, clock: Clock, seed: int = 0, subdomain: str = "qrpay-ramen") -> None:
        """Start empty; draw ids from `seed`."""
        self.clock = clock
        self.subdomain = subdomain
        self.base_url = "https://api.pagerduty.com"
        self.options = Options()
        self.tokens: dict[str, str | None] = {}
        self.read_only_tokens: set[str] = set()
        self.teams: dict[str, Team] = {}
        self.users: dict[str, User] = {}
        self.priorities: dict[str, Priority] = {}
        self.schedules: dict[str, Schedule] = {}
        self.policies: dict[str, Policy] = {}
        self.services: dict[str, Service] = {}
        self.custom_fields: dict[str, CustomField] = {}
        self.extensions: list[Json] = []
        self.routing_keys: dict[str, str] = {}
        """The services by the routing keys of their Events API integrations."""
        self.events: list[Json] = []
        """The events that the Events API took, oldest first."""
        self.abilities = [
            "sso",
            "teams",
            "urgencies",
            "manage_schedules",
            "service_support_hours",
            "incident_types",
        ]
        self.incidents: dict[str, Incident] = {}
        self.open_ids: dict[str, None] = {}
        self.log: list[LogEntry] = []
        self.entries: dict[str, LogEntry] = {}
        self.rng: Random = stream(seed, "pagerduty")
        self._by_creation: list[tuple[datetime, int, str]] = []
        self._numbers: dict[int, str] = {}
        self._due: list[tuple[datetime, int, str, Timer]] = []
        self._sequence = count(1)

    def now(self) -> datetime:
        """Return the present time (UTC), cut to the second."""
        return self.clock().replace(microsecond=0)

    def new_id(self, first: str = "Q", length: int = 14) -> str:
        """Return a new id."""
        return code(self.rng, first, length)

    def add(self, incident: Incident) -> None:
        """Store a new incident."""
        self.incidents[incident.id] = incident
        self._numbers[incident.number] = incident.id
        self.open_ids[incident.id] = None
        insort(self._by_creation, (incident.created_at, incident.number, incident.id))

    def next_number(self) -> int:
        """Return the number of the next incident."""
        return len(self._numbers) + 1

    def find(self, ref: str) -> Incident | None:
        """Return an incident by id or by number, or None."""
        if ref.isdigit():
            ref = self._numbers.get(int(ref), "")
        return self.incidents.get(ref)

    def created_between(self, since: datetime | None, until: datetime | None) -> list[Incident]:
        """Return incidents by creation, ascending, from `since` (inclusive) to `until` (exclusive)."""
        low = bisect_left(self._by_creation, (since, 0, "")) if since else 0
        high = bisect_left(self._by_creation, (until, 0, "")) if until else len(self._by_creation)
        return [self.incidents[row[2]] for row in self._by_creation[low:high]]

    def write_log(
        self,
        type_: str,
        incident: Incident,
        at: datetime,
        agent: tuple[str, str] | None,
        channel: Json,
        summary: str,
        extra: Json | None = None,
    ) -> LogEntry:
        """Add an entry to the log at its place in time, and set the incident's `updated_at`."""
        entry = LogEntry(
            self.new_id("R", 26),
            type_,
            at,
            next(self._sequence),
            incident.id,
            agent,
            channel,
            summary,
            extra or {},
        )
        self.entries[entry.id] = entry
        # An act may be dated in the past (`at`), so an entry is not always the last.
        insort(self.log, entry, key=lambda row: (row.created_at, row.sequence))
        incident.updated_at = max(incident.updated_at, at)
        return entry

    def set_due(self, incident: Incident, timer: Timer, at: datetime | None) -> None:
        """Let the incident change by itself at `at`; None removes the timer."""
        if at is None:
            incident.due.pop(timer, None)
        else:
            incident.due[timer] = at
            heapq.heappush(self._due, (at, next(self._sequence), incident.id, timer))

    def next_due(self, now: datetime) -> tuple[Incident, Timer, datetime] | None:
        """Remove and return the earliest change that was due by `now`, or return None."""
        while self._due and self._due[0][0] <= now:
            at, _, incident_id, timer = heapq.heappop(self._due)
            incident = self.incidents[incident_id]
            # The heap keeps rows of timers that were moved or removed; only the present one counts.
            if incident.due.get(timer) == at:
                del incident.due[timer]
                return incident, timer, at
        return None

    def on_call(self, policy: Policy, level: int, at: datetime) -> list[str]:
        """Return the ids of the users whom a level (1 is the first) of a policy notifies at `at`."""
        rule = policy.rules[min(level, len(policy.rules)) - 1]
        called: list[str] = []
        for kind, target in rule.targets:
            users = self.schedules[target].user_ids if kind == "schedule" else (target,)
            # Day 1 of the calendar was a Monday, so this counts weeks that begin on Mondays.
            weeks = (at.date().toordinal() - 1) // 7
            user = users[weeks % len(users)]
            # A user who is a target twice is notified once.
            if user not in called:
                called.append(user)
        return called
