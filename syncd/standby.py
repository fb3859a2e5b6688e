"""Wait for the ledger's lock while another daemon holds it, then lead.

A ledger in a database can be reached from several machines. The daemon that holds its lock leads. Each other
one is a standby: it takes webhooks, answers health checks, and asks for the lock once a second. It also waits
while the database does not answer, so that a database that starts anew needs no restart of syncd.
"""

from __future__ import annotations

import signal
from threading import Event, Thread

from loguru import logger

from syncd.config.load import Configuration
from syncd.daemon import open_ledger
from syncd.domain.clock import Clock
from syncd.engine.rules import Rules, TicketRenderer
from syncd.engine.runtime.systemd import Supervisor
from syncd.ledger.database.connection import unusable
from syncd.ledger.errors import LedgerBusy, LedgerUnreachable, LedgerUnwritable
from syncd.ledger.open import Ledger
from syncd.ledger.standby import StandbyLedger
from syncd.web.standby import Fronts, Standing, Waited, open_fronts

TRY_EVERY = 1.0
"""Seconds between two tries to take the lock."""
GRACE_SECONDS = 2.0
"""Seconds that requests under way get when a standby stops."""


class Standby:
    """One daemon that wants to lead; `fronts` are its listeners once it had to wait.

    `started` ends the signs of life that it gives to the service manager: the leader then gives its own.
    """

    def __init__(self, configuration: Configuration, clock: Clock, holder: str) -> None:
        self.fronts: Fronts | None = None
        self.stop = Event()
        self.started = Event()
        self._configuration = configuration
        self._clock = clock
        self._holder = holder
        self._supervisor = Supervisor()
        self._standing: Standing | None = None
        self._reachable = True

    def wait(self) -> Ledger | None:
        """Return the ledger once this daemon leads it, None if it was asked to stop before.

        Raise `LedgerError` for what waiting does not end: the ledger of a newer version, a missing right.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop.set())
        # a reload waits until this daemon leads: it reads its files again then
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        while not self.stop.is_set():
            ledger = self._try()
            if ledger is not None:
                self._say("taking over as the leader")
                return ledger
            self.stop.wait(TRY_EVERY)
        self._supervisor.stopping()
        if self.fronts is not None:
            self.fronts.stop(GRACE_SECONDS)
        return None

    def _try(self) -> Ledger | None:
        """Return the ledger if this daemon got its lock; else say why not."""
        try:
            return open_ledger(self._configuration.settings, self._holder, self._clock)
        except LedgerBusy as busy:
            _, elsewhere, host = busy.holder.rpartition(" on ")
            self._stand_by(f"standby of {host if elsewhere else 'another daemon of this machine'}")
        except (LedgerUnreachable, LedgerUnwritable) as error:
            self._stand_by(f"standby: {error}", reachable=False)
        except Exception as error:
            words = unusable(error)
            if words is None:
                raise
            self._stand_by(f"standby: the ledger cannot be used: {words}", reachable=False)
        return None

    def _stand_by(self, words: str, *, reachable: bool = True) -> None:
        standing = self._standing or self._begin()
        standing.ledger.look(reachable=reachable)
        # a database that starts gives another reason each second
        if reachable or self._reachable:
            self._say(words, "INFO" if reachable else "WARNING")
        self._reachable = reachable

    def _begin(self) -> Standing:
        """Open the listeners of a standby, and tell the service manager that it has started."""
        settings, configuration = self._configuration.settings, self._configuration
        standing = Standing(StandbyLedger(settings.ledger_url, settings.state_dir))
        rules = Rules(
            configuration.mappings, TicketRenderer(configuration.templates), tuple(configuration.unusable)
        )
        self.fronts = open_fronts(settings, standing, self._clock, rules)
        self._standing = standing
        self._supervisor.ready()
        if self._supervisor.watchdog is not None:
            # a takeover may have to migrate a large ledger, and its first contact may wait for a service
            every = self._supervisor.watchdog / 2
            Thread(target=self._stay_alive, args=(every,), name="alive", daemon=True).start()
        return standing

    def _stay_alive(self, every: float) -> None:
        self._supervisor.alive()
        while not self.started.wait(every):
            self._supervisor.alive()

    @property
    def waited(self) -> Waited:
        """The listeners and events that the daemon takes over which leads now."""
        return Waited(self.fronts, self.stop, self.started)

    def _say(self, words: str, level: str = "INFO") -> None:
        """Show the words, and log them if they are news."""
        standing = self._standing
        # a daemon that never had to wait has nothing to tell
        if standing is None or standing.words == words:
            return
        standing.words = words
        self._supervisor.status(words)
        logger.log(level, "{}", words)
