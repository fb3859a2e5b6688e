"""One thing that a check looked at, and how it came out.

`unknown` is what our accounts may not see, or what nobody has tried yet: it is never read as no, and it
says who could tell. An `ok` with a hint is worth knowing and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial

from syncd.domain.base import Value
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.remote.errors import Cause, RemoteError

YOU = "you"
PAGERDUTY_ADMIN = "PagerDuty admin"
JIRA_ADMIN = "Jira admin"


class Level(StrEnum):
    """How a finding came out."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Finding(Value):
    """One thing that was looked at; `who` is who can mend it or could tell.

    `credentials` says that a service refused ours, `away` that it did not answer at all.
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
"""Fine; with a hint it is shown to people all the same."""
wrong = partial(_finding, Level.WRONG)
"""Will not do."""
unknown = partial(_finding, Level.UNKNOWN)
"""Could not be seen."""

_AWAY = (Cause.UNREACHABLE, Cause.TIMEOUT, Cause.SERVER, Cause.BROKEN, Cause.LIMITED)
_HINTS = {
    Cause.CREDENTIALS: "renew the token, and check the address that belongs to it",
    Cause.FORBIDDEN: "ask for the right to see this",
    Cause.MISSING: "check its spelling, and that our account may see it",
}
_ESSENTIAL = ("PD01", "J01", "J02")
"""What is missing here stops everything, whether it is not there or only not shown to our account."""
_ADMINS = {"pagerduty": PAGERDUTY_ADMIN, "jira": JIRA_ADMIN}


def guarded(code: str, where: str, ask: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a check finds, or why it could not be asked.

    A refused credential is wrong. What is missing is not known, because 404 is also the answer for what
    our account may not see; the accounts and projects themselves are wrong all the same.
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
            hint=_HINTS.get(error.cause, "try again when it answers"),
            who=YOU if refused else _ADMINS.get(error.service, YOU),
            credentials=refused,
            away=error.cause in _AWAY,
        )
    except MappingMismatch as error:
        for problem in error.problems:
            yield wrong(code, where, problem, "change the mapping, or ask the Jira admin")
