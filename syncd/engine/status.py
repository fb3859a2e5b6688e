"""The daemon's present status, for its status line, `/readyz`, the metrics and `syncd status`.

It holds counts and times, never a title: people without access to incidents can read these pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import WORKING_STATES, OperationState
from syncd.engine.context import SERVICES, EngineContext
from syncd.ledger.store.first_load import FirstLoad
from syncd.ledger.store.former_rules import former_words
from syncd.ledger.store.key_values import set_value
from syncd.ledger.views.daemon_state import daemon_state
from syncd.policy.duty_words import NOTHING_OWED
from syncd.policy.notify.chat import no_url
from syncd.policy.notify.operator_alarms import clock_words

STORED_EVERY = 60.0
"""Seconds between two times that syncd stores of a good read."""


@dataclass(frozen=True)
class DaemonStatus:
    """Counts and times of the daemon (all times in UTC).

    `good` holds the last good read of each service in this run, `oldest_waiting` the time when the oldest
    waiting operation was decided, `down` since when which service is down, by name.
    """

    teams: tuple[str, ...]
    open_incidents: int
    operations: dict[str, int]
    oldest_waiting: datetime | None
    good: dict[str, datetime]
    down: dict[str, datetime]
    paused: tuple[str, ...]
    held: bool
    remarks: tuple[str, ...]

    @property
    def waiting(self) -> int:
        """The number of operations that wait for their turn or their outcome."""
        return sum(self.operations.get(state, 0) for state in WORKING_STATES)

    @property
    def last_good(self) -> datetime | None:
        """The time of the last cycle that read both services (UTC)."""
        return both_read_until(self.good)

    def line(self) -> str:
        """Return one line for `systemctl status`."""
        good = self.last_good
        parts = [
            f"{', '.join(self.teams)}: {self.open_incidents} open, {self.waiting} operations wait",
            *([f"{n} parked" for n in [self.operations.get(OperationState.PARKED, 0)] if n]),
            f"last good cycle {good:%H:%M:%S} UTC" if good else "no good cycle yet",
            *(f"{name} has been down since {since:%H:%M} UTC" for name, since in sorted(self.down.items())),
            *(f"{target} is paused" for target in self.paused),
            *(["syncd holds writes, see syncd status"] if self.held else []),
            *self.remarks,
        ]
        return "; ".join(parts)


class GoodReads:
    """The last good read of each service in this run, `at` which time (UTC)."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self.at: dict[str, datetime] = {}
        self._stored: dict[str, float] = {}

    def note(self, service: str) -> None:
        """Note a good read of a service now; store it for commands and monitoring once a minute."""
        clock = self._context.clock
        self.at[service] = clock.now()
        now = clock.boottime()
        if now - self._stored.get(service, -STORED_EVERY) >= STORED_EVERY:
            self._stored[service] = now
            set_value(self._context.ledger, f"cycle.{service}", at=clock.now().isoformat())

    def latest(self) -> dict[str, datetime]:
        """Return the time of the last good read of each service (UTC)."""
        return {side: self.at[side] for side in SERVICES if side in self.at}

    def both_until(self) -> datetime | None:
        """Return up to when both services were read (UTC), None before both were."""
        return both_read_until(self.latest())

    def clock_was_set(self, seconds: float) -> None:
        """Show the reads as a wall clock that was set by `seconds` would have shown them."""
        self.at.update({side: at + timedelta(seconds=seconds) for side, at in self.at.items()})


def both_read_until(good: dict[str, datetime]) -> datetime | None:
    """Return up to when both services were read in this run (UTC), None before both were."""
    return min(good.values()) if len(good) == len(SERVICES) else None


def daemon_status(context: EngineContext, good: dict[str, datetime]) -> DaemonStatus:
    """Return the daemon's status, given the last good reads of this run."""
    down = {
        service.name: service.down_since
        for service in context.health.down()
        if service.down_since is not None
    }
    state = daemon_state(context.ledger)
    brakes = state.brakes
    return DaemonStatus(
        teams=tuple(mapping.team for mapping in context.loaded),
        open_incidents=state.open_incidents,
        operations=state.operations,
        oldest_waiting=state.oldest_waiting,
        good={side: good[side] for side in SERVICES if side in good},
        down=down,
        paused=tuple(sorted(brakes.pauses)),
        held=brakes.first_load is FirstLoad.HELD or brakes.mass_since is not None,
        remarks=(*stopped_teams(context), *limits(context)),
    )


def stopped_teams(context: EngineContext) -> list[str]:
    """Return the teams that are stopped, in words, each with the reason; the service's words are left out."""
    return [
        f"{', '.join(refusal.teams)} stopped: {refusal.what}"
        for refusal in context.refusals.all()
        if refusal.teams
    ]


def limits(context: EngineContext) -> list[str]:
    """Return the limits of this run: wrong clocks, no mail server, no chat, a dry run, nothing owed."""
    notes = [
        clock_words(service, seconds)
        for service in SERVICES
        if (seconds := context.clock_apart(service)) is not None
    ]
    if context.mailer is not None and context.mailer.nobody:
        notes.append("Nobody receives mail: SYNCD_SMTP_HOST is not set, so syncd writes mails to files")
    notes += [
        f"{mapping.team}: {no_url(channel)}"
        for mapping in context.mappings
        if (channel := mapping.chat.posts_to)
        and (context.chat is None or channel not in context.chat.channels)
    ]
    notes += former_teams(context)
    if context.dry_run:
        notes.append("Dry run: syncd writes to neither service")
    notes += [
        f"{mapping.team}: {NOTHING_OWED}"
        for mapping in context.mappings
        if mapping.postmortem.mode is not Mode.OFF and not mapping.asks_for_postmortems
    ]
    return notes


def former_teams(context: EngineContext) -> list[str]:
    """Return in words the teams whose mapping is gone and whose incidents go on by their last one."""
    rules = context.rules.current
    if not (rules.former or rules.lost):
        return []
    loaded = [mapping.team for mapping in rules.mappings]
    unusable = [file.team for file in rules.unusable]
    return [f"{team}: {words}" for team, words in former_words(context.ledger, loaded, unusable)]


class ServicesState:
    """The state of the services for `syncd status`; it is stored only where it changed."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._stored: dict[str, object] = {}

    def store(self, unmapped: dict[str, str], remarks: Sequence[str]) -> None:
        """Store the state; `unmapped` are services that no mapping claims, by id, `remarks` the poll's."""
        context = self._context
        state: dict[str, object] = {
            "down": [
                f"{service.name} since {service.down_since:%H:%M} UTC: {service.told}"
                for service in context.health.down()
            ],
            "unmapped": dict(unmapped),
            "refused": [refusal.data() for refusal in context.refusals.all()],
            "notes": [*limits(context), *remarks],
            "limits": context.transport.budget.lasting(),
        }
        if state != self._stored:
            self._stored = state
            set_value(context.ledger, "services", **state)
