"""The result of one check.

`unknown` means that our accounts may not see it, or that nobody has tried it yet. It never means "no", and
the finding names the person who can tell. An `ok` finding with a hint stops nothing, but is worth reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial

from syncd.domain.base import Value
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.remote.advice import advice
from syncd.remote.errors import Cause, RemoteError

YOU = "you"
PAGERDUTY_ADMIN = "PagerDuty admin"
JIRA_ADMIN = "Jira admin"


class Level(StrEnum):
    """The result of a check."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Finding(Value):
    """The result of one check; `who` is the person who can fix it or can tell.

    `credentials` is True if a service refused our token, `away` if it did not answer.
    """

    code: str
    level: Level
    where: str
    message: str
    hint: str = ""
    who: str = YOU
    credentials: bool = False
    away: bool = False


def _finding(level: Level, code: str, where: str, message: str, hint: str = "", who: str = YOU) -> Finding:
    return Finding(code=code, level=level, where=where, message=message, hint=hint, who=who)


ok = partial(_finding, Level.OK)
"""Return a finding that needs no change; `check` prints it only if it has a hint."""
wrong = partial(_finding, Level.WRONG)
"""Return a finding that somebody must fix."""
unknown = partial(_finding, Level.UNKNOWN)
"""Return a finding about something that our account could not see."""

_AWAY = (Cause.UNREACHABLE, Cause.TIMEOUT, Cause.SERVER, Cause.BROKEN, Cause.LIMITED)
_HINTS = {
    Cause.FORBIDDEN: "give our account the right to see this",
    Cause.MISSING: "check the spelling, and that our account may see it",
}
_ESSENTIAL = ("PD01", "J01", "J02")
"""Codes of checks whose subject syncd cannot do without: missing and hidden are both wrong here."""
_ADMINS = {"pagerduty": PAGERDUTY_ADMIN, "jira": JIRA_ADMIN}


def guarded(code: str, where: str, ask: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield the findings of a check, or one finding that says why the service gave no answer.

    A refused token is wrong. A missing object is only unknown, because Jira and PagerDuty answer 404 also for
    objects that our account may not see. Accounts and projects are wrong in both cases.
    """
    try:
        yield from ask()
    except RemoteError as error:
        refused = error.cause is Cause.CREDENTIALS
        stops = refused or (code in _ESSENTIAL and error.not_for_us)
        yield Finding(
            code=code,
            level=Level.WRONG if stops else Level.UNKNOWN,
            where=where,
            message=error.describe(),
            hint=advice(error.service, error.cause, error.describe())
            or _HINTS.get(error.cause, "try again when the service answers"),
            who=YOU if refused else _ADMINS.get(error.service, YOU),
            credentials=refused,
            away=error.cause in _AWAY,
        )
    except MappingMismatch as error:
        for problem in error.problems:
            yield wrong(
                code, where, problem, "change the mapping, or ask the Jira admin to change the project"
            )
