"""The start of every command: load and check the configuration, open the log, the context or the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from syncd.config.load import Configuration
    from syncd.config.settings.settings import Settings
    from syncd.domain.clock import Clock
    from syncd.engine.context import EngineContext, Services
    from syncd.ledger.database.connection import Database
    from syncd.remote.http.transport import Transport


def debugging(ctx: click.Context) -> bool:
    """Return True if the operator gave `--debug`."""
    return bool((ctx.find_root().obj or {}).get("debug"))


def command_clock() -> Clock:
    """Return the clock that the caller of `main` gave, else the system's clock."""
    given: Clock | None = (click.get_current_context().find_root().obj or {}).get("clock")
    if given is not None:
        return given
    from syncd.engine.runtime.system_clock import SystemClock  # noqa: TID251 - the commands' one way to it

    return SystemClock()


@dataclass
class Setup:
    """The checked configuration of this call of a command."""

    configuration: Configuration
    debug: bool = False

    @classmethod
    def load(cls, ctx: click.Context, *, usable: bool = False) -> Setup:
        """Load and check everything; raise `ConfigError` with every problem.

        With `usable` a mapping with problems stops its team alone, and raises only where no mapping is left.
        """
        from syncd.commands.shared.owner import become_owner
        from syncd.config.load import load_configuration

        become_owner()
        return cls(load_configuration(usable=usable), debugging(ctx))

    def load_again(self) -> None:
        """Load the files anew, which may have changed since the start; keep the old ones if they fail."""
        from loguru import logger

        from syncd.config.load import load_configuration
        from syncd.config.problems import ConfigError

        try:
            self.configuration = load_configuration(usable=True)
        except ConfigError as error:
            logger.error(
                "syncd keeps the configuration of its start: {}", "; ".join(map(str, error.problems))
            )

    def start_log(self, *, quiet: bool = False) -> None:
        """Start the log as the settings say; `quiet`: only critical lines, the command prints failures."""
        from syncd.engine.runtime.logs import start_log

        settings = self.configuration.settings
        # only alarms to the operator are logged as CRITICAL
        level = "DEBUG" if self.debug else ("CRITICAL" if quiet else settings.log_level)
        # what a quiet command lets through is for the person who typed it
        start_log(level, "text" if quiet else settings.log_format, settings.secret_values())

    def context(self, holder: str) -> EngineContext:
        """Take the ledger's lock as `holder` and return the engine's context; raise `LedgerError`."""
        from syncd.commands.shared.owner import refuse_folder_of_root
        from syncd.daemon import make_context, open_ledger

        refuse_folder_of_root()
        clock = command_clock()
        ledger = open_ledger(self.configuration.settings, holder, clock)
        return make_context(self.configuration, ledger, clock)

    def services(self) -> tuple[Services, Transport]:
        """Return both clients without health or budget, and the transport below them."""
        from syncd.daemon import client_factories
        from syncd.engine.context import Services
        from syncd.remote.http.transport import Transport

        transport = Transport(command_clock(), ca_file=self.configuration.settings.trusted)
        return Services(*client_factories(self.configuration, transport)), transport


def owners_settings(*, makes_ledger: bool = False) -> Settings:
    """Continue as the owner of the state folder, and return the settings.

    Raise `NotTheOwner` if this user may not; with `makes_ledger` also if root would make the folder.
    """
    from syncd.commands.shared.owner import become_owner, refuse_folder_of_root
    from syncd.config.settings.access import load_settings

    become_owner()
    if makes_ledger:
        refuse_folder_of_root()
    return load_settings()


@contextmanager
def ledger_for_reading(*, tell_moved: bool = True) -> Iterator[Database]:
    """Open the ledger for a command that only reads; this needs no mapping and no token.

    Say on standard error if the ledger was moved, unless the caller tells it in its own way. Raise
    `LedgerError` if there is no ledger yet or it cannot be read.
    """
    from syncd.commands.shared import exit_codes
    from syncd.ledger.open import open_for_reading
    from syncd.ledger.store.moved import missing_words

    settings = owners_settings()
    db = open_for_reading(settings.ledger_url, settings.state_dir)
    try:
        if tell_moved and (words := missing_words(db)) is not None:
            exit_codes.say(words)
        yield db
    finally:
        db.close()
