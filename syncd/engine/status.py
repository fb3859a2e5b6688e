"""How the daemon stands now, as its status line, `/readyz` and the metrics tell it.

Counts and moments, never a title: whoever can read these may know nothing of incidents.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from syncd.domain.operation import OperationState
from syncd.engine.context import SERVICES, EngineContext
from syncd.ledger.store.holds import FirstLoad
from syncd.ledger.views.daemon_state import WAITING, daemon_state


@dataclass(frozen=True)
class DaemonStatus:
    """`good` holds the last good read of each side in this run, `oldest_waiting` when the oldest operation
    that waits was decided; `down` the services that cannot be used, by name."""

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
        """How many operations wait for their turn or their outcome."""
        return sum(self.operations.get(state, 0) for state in WAITING)

    @property
    def last_good(self) -> datetime | None:
        """When both sides had been read in a good cycle."""
        return min(self.good.values()) if len(self.good) == len(SERVICES) else None

    def line(self) -> str:
        """One line for `systemctl status`."""
        good = self.last_good
        parts = [
            f"{', '.join(self.teams)}: {self.open_incidents} open, {self.waiting} operations wait",
            *([f"{n} parked" for n in [self.operations.get(OperationState.PARKED, 0)] if n]),
            f"last good cycle {good:%H:%M:%S} UTC" if good else "no good cycle yet",
            *(f"{name} is not usable since {since:%H:%M} UTC" for name, since in sorted(self.down.items())),
            *(f"{target} is paused" for target in self.paused),
            *(["writes are held, see syncd status"] if self.held else []),
            *self.remarks,
        ]
        return "; ".join(parts)


def daemon_status(context: EngineContext, good: dict[str, datetime]) -> DaemonStatus:
    """Given the last good reads of this run, ask the ledger for the rest."""
    down = {one.name: one.down_since for one in context.health.down() if one.down_since is not None}
    state = daemon_state(context.ledger)
    brakes = state.brakes
    return DaemonStatus(
        teams=tuple(mapping.team for mapping in context.mappings),
        open_incidents=state.open_incidents,
        operations=state.operations,
        oldest_waiting=state.oldest_waiting,
        good={side: good[side] for side in SERVICES if side in good},
        down=down,
        paused=tuple(sorted(brakes.pauses)),
        held=brakes.first_load is FirstLoad.HELD or brakes.mass_since is not None,
        remarks=tuple(limits(context)),
    )


def limits(context: EngineContext) -> list[str]:
    """Return what the daemon cannot do as it was started."""
    notes = []
    if context.mailer is not None and context.mailer.nobody:
        notes.append("Nobody receives mail: SYNCD_SMTP_HOST is not set, so syncd writes mails to files")
    if context.dry_run:
        notes.append("Dry run: nothing is written to either service")
    return notes
