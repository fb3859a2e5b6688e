"""Turn a failure into a message with the next step, and into an exit code of sysexits."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

import click

from syncd.commands.shared.how_to_start import how_to_start, how_to_stop
from syncd.commands.shared.owner import NotTheOwner, foreign_files, who_runs_this, with_sudo
from syncd.config.problems import ConfigError
from syncd.config.settings.installed import SettingsOutOfReach
from syncd.domain.base import SERVICE_NAMES
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.runtime.refusals import Refusal
from syncd.engine.runtime.service_health import ServiceHealth
from syncd.ledger.database.connection import unusable
from syncd.ledger.database.room import is_full
from syncd.ledger.errors import (
    LeadershipLost,
    LedgerBusy,
    LedgerError,
    LedgerMisconfigured,
    LedgerMissing,
    LedgerMoved,
    LedgerUnreachable,
    LedgerUnreadable,
)
from syncd.remote.advice import advice
from syncd.remote.errors import Cause, RemoteError

GENERAL = 1
UNREACHABLE = os.EX_UNAVAILABLE
TRY_LATER = os.EX_TEMPFAIL
REFUSED = os.EX_NOPERM
CONFIGURATION = os.EX_CONFIG

_AWAY = (Cause.UNREACHABLE, Cause.TIMEOUT, Cause.SERVER, Cause.BROKEN)


_LEDGER_CODES: dict[type[Exception], int] = {
    LedgerBusy: TRY_LATER,
    LeadershipLost: TRY_LATER,
    LedgerMisconfigured: CONFIGURATION,
    LedgerMoved: CONFIGURATION,
    LedgerUnreachable: UNREACHABLE,
}
"""The exit codes of errors of the ledger; of all others it is 1."""


def say(*lines: str) -> None:
    """Print lines on standard error."""
    for line in lines:
        click.echo(line, err=True)


def say_stopped(refusals: Iterable[Refusal]) -> int:
    """Print which teams are stopped and what services refuse; return 1 if a team is stopped, else 0."""
    refused = list(refusals)
    say(*(refusal.line() for refusal in refused))
    return GENERAL if any(refusal.teams for refusal in refused) else 0


def say_down(down: Collection[ServiceHealth]) -> int:
    """Print why each service cannot be used; return the exit code."""
    if not down:
        say("a service could not be read this time; try again, or run: syncd check")
    # refused credentials win: a person must act, and waiting does not help
    codes = [_say_unusable(record.name, record.cause, record.words) for record in down]
    return REFUSED if REFUSED in codes else UNREACHABLE


def _say_unusable(service: str, cause: Cause | None, words: str) -> int:
    name, step = SERVICE_NAMES.get(service, service), advice(service, cause, words)
    if cause is Cause.CREDENTIALS:
        say(f"{name} refuses our credentials: {words}")
        say(f"{step or 'renew its token'}; then run: syncd check")
        return REFUSED
    if cause is Cause.LIMITED:
        say(f"{name} limits our requests: {words}", "try again later")
        return TRY_LATER
    if cause in _AWAY:
        say(f"{name} cannot be reached: {words}")
        say(f"{step}; then run: syncd check" if step else "nothing is lost; try again, or run: syncd check")
        return UNREACHABLE
    say(f"{name} refused the request: {words}")
    say(f"{step}; then run: syncd check" if step else "to find out more: syncd check")
    return GENERAL


def advise(error: Exception) -> int:
    """Print a failure and the next step on standard error; return the exit code."""
    if isinstance(error, ConfigError):
        say(*(str(problem) for problem in error.problems))
        return CONFIGURATION
    if isinstance(error, MappingMismatch):
        say(*(f"{error.team}: {problem}" for problem in error.problems))
        say("change the mapping or the Jira project, then run: syncd check")
        return CONFIGURATION
    if isinstance(error, RemoteError):
        return _say_unusable(error.service, error.cause, error.describe())
    lines = _about_this_machine(error)
    if lines:
        say(*lines)
        return next((code for kind, code in _LEDGER_CODES.items() if isinstance(error, kind)), GENERAL)
    say(f"{type(error).__name__}: {error}")
    say("this is a fault in syncd: run the command again as `syncd --debug …`, and report the output")
    return GENERAL


def _about_this_machine(error: Exception) -> list[str]:
    """Return what is wrong with this user, the ledger or a file, and the next step; none for others."""
    if isinstance(error, SettingsOutOfReach):
        return [f"{error}: it holds the settings of the service", f"type: {with_sudo()}"]
    if isinstance(error, LedgerMissing):
        what = "the new version" if error.old else "it"
        return [str(error), f"start {what}: {how_to_start(again=error.old)}"]
    if isinstance(error, LedgerBusy) and (stop := how_to_stop(error.holder)):
        return [str(error), f"one ledger has one executor; stop it: {stop}"]
    if isinstance(error, LedgerUnreadable) and (foreign := foreign_files()):
        return [str(error), *foreign]
    if isinstance(error, LedgerError | NotTheOwner):
        return [str(error), *([error.hint] if error.hint else [])]
    words = unusable(error)
    if words is not None:
        rights = "check its disk and its permissions (SYNCD_STATE_DIR, SYNCD_LEDGER_URL)"
        return [f"the ledger cannot be used: {words}", *(foreign_files() or [rights])]
    if isinstance(error, OSError) and (error.filename or is_full(error)):
        step = (foreign_files() or who_runs_this()) if isinstance(error, PermissionError) else []
        return [f"{error.filename or 'a file'}: {error.strerror}", *step]
    return []
