"""Two daemons on one ledger in PostgreSQL under the simulation's clock, struck at seeded points.

The histories, the services, the people and the judge are those of `simulation`. A strike (`standby.strikes`)
waits for a point of the leader's work, such as between the claim of an operation and the first byte of its
request, and hits the leader there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from cheap_ledgers import memory
from postgresql import Cluster
from simulation.baton import Hub
from simulation.ending import Ending
from simulation.line import DaemonClock, SimulatedLine
from simulation.plan import Plan
from simulation.play import Mutate, Simulation, no_mutation
from simulation.watched import Place
from simulation.wire import WireTransport
from sqlalchemy.exc import SQLAlchemyError

from standby.database import HeldLedger, LedgerOnServer, drop_lock, machines
from standby.network import PairLetterbox, PairLine
from standby.processes import Leader, Machine, Process, SharedHub
from standby.strikes import EVERYTHING, PATIENCE, Hit, Strike, pair_plan
from syncd.engine.loop import ControlLoop
from syncd.ledger.database.connection import unusable
from syncd.ledger.database.postgresql.lock import SILENT_SECONDS
from syncd.ledger.errors import LedgerBusy, LedgerError, LedgerReplaced, LedgerUnreachable, LedgerUnwritable
from syncd.ledger.open import Ledger, open_for_work
from syncd.sandbox.chance import stream
from syncd.sandbox.clock import SandboxClock

RESTARTS_AFTER = 2.0
"""Seconds after which the service manager starts a daemon that ended by itself."""


class PairSimulation(Simulation):
    """One plan, played by two daemons."""

    hub: SharedHub
    line: PairLine

    def __init__(
        self, plan: Plan, folder: Path, mutate: Mutate, cluster: Cluster, strikes: list[Strike]
    ) -> None:
        self._cluster = cluster
        self.made: list[Hit] = []
        self._armed: list[list[object]] = []
        self._leader: Leader | None = None
        self._leaders: dict[Process, Leader] = {}
        self._away_until = 0.0
        super().__init__(plan, folder, mutate)
        self.random = stream(plan.seed, "machines")
        self.machines = [Machine(name, DaemonClock(self.hub), folder / name) for name in ("a", "b")]
        for number, machine in enumerate(self.machines):
            machine.clock.boot = 100 * (number + 1)
            machine.clock.booted_at = -1000.0 * (number + 1)
        self.line.passes, self.line.ledger_of = self._pass, self._own_ledger
        for strike in strikes:
            self.hub.at(strike.at, partial(self._arm, strike))

    def _network(self, clock: SandboxClock) -> tuple[Hub, SimulatedLine]:
        hub = SharedHub(clock)
        return hub, PairLine(self.world, hub, self.plan, stream(self.plan.seed, "line"))

    def _put_ledger(self) -> Place:
        return LedgerOnServer(self._cluster)

    # -- the life of a daemon

    def start(self, die_at: int = 0) -> None:
        """Start a daemon on each machine."""
        for machine in self.machines:
            self._begin(machine)

    def _begin(self, machine: Machine) -> None:
        if machine.process is None:
            self.starts += 1
            machine.process = Process(machine.name)
            self.hub.begin(machine.process, partial(self._run, machine, machine.process))

    def _run(self, machine: Machine, process: Process) -> None:
        """Wait for the lock as a standby does, then lead."""
        try:
            ledger = self._wait(machine)
            leader = self._leaders[process] = self._leader = Leader(machine, process, ledger)
            transport = WireTransport(machine.clock, self.line)
            assert ledger.leadership is not None
            transport.why_not_send = partial(self._why_not_send, ledger.leadership.why_not_send)
            letters = self.letterbox
            letters.run += 1
            box = PairLetterbox(
                self.line, self.hub, letters.random, letters.calm, letters.run, letters.letters
            )
            box.transport = transport
            leader.loop = self._loop_on(self._context(ledger, machine.clock, transport, box))
            self.hub.at(self.hub.now() + 1.0, partial(self._mind_lead, leader))
            self._live(leader.loop)
        except LedgerError as error:
            # the daemon ends by itself, and the service manager starts it again
            if not isinstance(error, LedgerUnwritable | LedgerUnreachable):
                self.errors.append(f"{machine.name} ended: {error}")
            self._end_here(machine)

    def _wait(self, machine: Machine) -> Ledger:
        while True:
            self.hub.pause(1.0)
            # only when somebody else may have the lock it is worth to ask
            if self._leader is not None or machine.cut:
                continue
            try:
                opened = open_for_work(
                    self.place.url, "syncd run", machine.clock.now(), machine.folder, machine.clock.boottime
                )
            except (LedgerBusy, LedgerUnreachable, LedgerUnwritable):
                continue
            except SQLAlchemyError as error:
                if unusable(error) is None:
                    raise
                continue
            return HeldLedger(opened, self.line.step, partial(self._hold, machine))

    def _hold(self, machine: Machine) -> None:
        if machine.cut:
            self.hub.pause_while(lambda: machine.cut)

    def _reach(self) -> None:
        """Raise while the running process cannot connect to the database."""
        self._hold_running()
        if self.hub.process is not None and self.hub.now() < self._away_until:
            raise psycopg.OperationalError("connection refused")

    def _hold_running(self) -> None:
        if self.hub.process is not None:
            self._hold(self._machine(self.hub.process))

    def _mind_lead(self, leader: Leader) -> None:
        """Once a second, end a process that leads no more."""
        process = leader.process
        if process.dead:
            return
        leadership = leader.ledger.leadership
        assert leadership is not None
        if not process.stopped and leadership.why_lost() is not None:
            self._end(leader.machine, RESTARTS_AFTER)
        else:
            self.hub.at(self.hub.now() + 1.0, partial(self._mind_lead, leader))

    def _mind(self, error: Exception) -> None:
        # the daemon's cycle and its start end the process for these
        if isinstance(error, LedgerError):
            raise error

    def _slow(self, loop: ControlLoop) -> None:
        self._going_on(partial(super()._slow, loop))

    def _ticker(self, loop: ControlLoop) -> None:
        self._going_on(partial(super()._ticker, loop))

    def _reconciler(self, loop: ControlLoop) -> None:
        self._going_on(partial(super()._reconciler, loop))

    def _going_on(self, work: Callable[[], None]) -> None:
        """Do a thread's work again after a database that was away; end the process if its ledger is lost."""
        while True:
            try:
                work()
            except LedgerReplaced:
                assert self.hub.process is not None
                self._end_here(self._machine(self.hub.process))
            except LedgerUnwritable:
                self.hub.pause(1.0)

    def _end_here(self, machine: Machine) -> None:
        """End the process of the running thread."""
        self.hub.at(self.hub.now(), partial(self._end, machine, RESTARTS_AFTER, machine.process))
        self.hub.kill()

    def _end(self, machine: Machine, again_after: float, process: Process | None = None) -> None:
        """End a machine's process as it is, and start another one later; the thread that plays calls this."""
        if machine.process is None or (process is not None and machine.process is not process):
            return
        self._bury(machine)
        self.hub.at(self.hub.now() + again_after, partial(self._begin, machine))

    def _bury(self, machine: Machine) -> Leader | None:
        """Unwind a machine's process; its connections end with it."""
        process, machine.process = machine.process, None
        assert process is not None
        self.hub.bury(process)
        leader = self._leaders.pop(process, None)
        self._lock_ended(process)
        self.server.end(machine.name)
        if leader is not None:
            leader.ledger.engine.dispose()
            drop_lock(leader.ledger)
        return leader

    def _lock_ended(self, process: Process) -> None:
        if self._leader is not None and self._leader.process is process:
            self._leader = None

    # -- strikes

    def _arm(self, strike: Strike) -> None:
        armed: list[object] = [strike, strike.count]
        self._armed.append(armed)

        def hit_now() -> None:
            if armed not in self._armed:
                return
            if self._leader is None:
                self.hub.at(self.hub.now() + 1.0, hit_now)
                return
            self._armed.remove(armed)
            self._hit(strike, self._leader, "any")

        self.hub.at(self.hub.now() + (0.0 if strike.point == "any" else PATIENCE), hit_now)

    def _pass(self, point: str) -> None:
        """Let a strike hit the running thread if one waits for this point of the leader's work."""
        leader = self._leader
        if leader is None or self.hub.process is not leader.process or leader.process.stopped:
            return
        for armed in self._armed:
            strike = armed[0]
            assert isinstance(strike, Strike)
            if strike.point != point:
                continue
            armed[1] = int(str(armed[1])) - 1
            if armed[1] == 0:
                self._armed.remove(armed)
                self._hit(strike, leader, point)
                return

    def _hit(self, strike: Strike, leader: Leader, point: str) -> None:
        machine, process, now = leader.machine, leader.process, self.hub.now()
        self.made.append(Hit(now, strike.kind, machine.name, point, strike.lasts))
        own = self.hub.process is process
        if strike.kind == "kill":
            if own:
                self.hub.at(now, partial(self._end, machine, strike.lasts, process))
                self.hub.kill()
            self._end(machine, strike.lasts)
        elif strike.kind == "stop":
            self._stop(strike, leader, point)
        elif strike.kind == "cut":
            machine.cut = True
            self.hub.at(now + SILENT_SECONDS, partial(self._end_session, leader, lambda: machine.cut))
            self.hub.at(now + strike.lasts, partial(setattr, machine, "cut", False))
        elif strike.kind == "database":
            self._away_until = now + strike.lasts
            for each in self.machines:
                self.server.end(each.name)
            self._leader = None
        elif own:
            self.hub.at(now, partial(self._hand_over, leader, strike.lasts))
        else:
            self._hand_over(leader, strike.lasts)

    def _stop(self, strike: Strike, leader: Leader, point: str) -> None:
        process, hub = leader.process, self.hub
        hub.at(hub.now() + SILENT_SECONDS, partial(self._end_session, leader, lambda: process.stopped))
        if point == "before a commit":
            # PostgreSQL ends a transaction that stands still, before it ends the lock
            self.server.end(leader.machine.name, state="idle in transaction%")

        def go_on() -> None:
            if not process.dead:
                hub.go_on(process)

        hub.at(hub.now() + strike.lasts, go_on)
        late = point == "checked"
        self.line.orphans += late
        try:
            hub.stop(process)
        finally:
            self.line.orphans -= late

    def _end_session(self, leader: Leader, silent: Callable[[], bool]) -> None:
        """End the lock of a leader that is still silent."""
        if silent() and not leader.process.dead:
            self.server.end(leader.machine.name, only_lock=True)
            self._lock_ended(leader.process)

    def _hand_over(self, leader: Leader, again_after: float) -> None:
        """Ask the leader to stop: it starts nothing new, and closes its ledger when nothing is under way."""
        if leader.process.dead:
            return
        leader.loop.context.stop.set()
        leader.loop.work_queue.stop(0.0)
        leader.process.ending = True
        self.hub.at(self.hub.now() + self.random.uniform(0.0, 8.0), partial(self._close, leader, again_after))

    def _close(self, leader: Leader, again_after: float) -> None:
        process = leader.process
        if process.dead:
            return
        under_way = process.travelling or process.stopped or leader.machine.cut
        self.hub.bury(process)
        if not under_way:
            with suppress(LedgerError):
                leader.ledger.close()
        self._end(leader.machine, again_after)

    def _why_not_send(
        self, why: Callable[[float | None], str | None], claimed_at: float | None
    ) -> str | None:
        self._pass("claimed")
        reason = why(claimed_at)
        if reason is None:
            self._pass("checked")
        return reason

    # -- what the simulation asks

    @property
    def server(self) -> LedgerOnServer:
        """The database of the ledger."""
        assert isinstance(self.place, LedgerOnServer)
        return self.place

    def _machine(self, process: Process) -> Machine:
        return next(machine for machine in self.machines if machine.name == process.name)

    def _own_ledger(self) -> HeldLedger | None:
        process = self.hub.process
        leader = self._leaders.get(process) if process is not None else None
        return leader.ledger if leader is not None and isinstance(leader.ledger, HeldLedger) else None

    def stop(self) -> None:
        """End both daemons."""
        for machine in self.machines:
            if machine.process is not None:
                leader = self._leaders.get(machine.process)
                if leader is not None:
                    self.hub.bury(machine.process)
                    leader.ledger.close()
                self._bury(machine)

    def _lead_now(self) -> None:
        """Let time pass until somebody leads."""
        until = self.hub.now() + 300.0
        while self._leader is None and self.hub.now() < until:
            self.hub.run(self.hub.now() + 1.0)
        leader = self._leader
        assert leader is not None, "nobody leads"
        self.ledger, self.loop = leader.ledger, leader.loop

    def _play(self) -> None:
        self.start()
        self.hub.run(self.plan.calm)
        self._lead_now()


@contextmanager
def played_by_two(
    seed: int, cluster: Cluster, among: tuple[tuple[str, ...], tuple[str, ...]] = EVERYTHING
) -> Iterator[tuple[Ending, list[Hit]]]:
    """Yield the ending of a seed and the strikes that were made, while its ledger can still be read."""
    plan, strikes = pair_plan(seed, among)
    with TemporaryDirectory(dir=memory()) as folder:
        simulation = PairSimulation(plan, Path(folder), no_mutation, cluster, strikes)
        hub = simulation.hub
        running = lambda: hub.process.name if hub.process is not None else "people"  # noqa: E731
        try:
            with machines(hub, running, simulation._reach, simulation._hold_running):
                try:
                    yield simulation.play(), simulation.made
                finally:
                    simulation.stop()
        finally:
            simulation.server.close()


__all__ = ["PairSimulation", "Strike", "played_by_two"]
