"""One thing that a check looked at, and how it came out.

`unknown` is what our accounts may not see, or what nobody has tried yet: it is never read as no, and it
says who could tell. An `ok` with a hint is worth knowing and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum

from syncd.domain.base import Value
from syncd.engine.jira_knowledge.resolve_names import MappingDoesNotFit
from syncd.remote.errors import Cause, RemoteError

CODES = {
    "C01": "settings, templates and mappings are well formed",
    "C02": "a variable that looks like a setting and is none",
    "C03": "somebody receives the mail",
    "C04": "the operator has an address",
    "C05": "both services are asked over an encrypted connection",
    "C06": "the services' clocks and ours agree to two minutes",
    "C07": "every template renders for generated incidents, hostile ones too",
    "C08": "whoever is to be told by mail has an address",
    "C09": "the accounts of both services are set (asked only by `check --offline`)",
    "PD01": "PagerDuty answers our token",
    "PD02": "the services of the mappings are there and open incidents",
    "PD03": "the priorities of the severities are there",
    "PD04": "`SYNCD_PAGERDUTY_FROM` is a user",
    "PD05": "services that no mapping claims",
    "PD06": "somebody is called for each service: its escalation policy and schedules are not empty",
    "PD07": "the addresses of `people.aliases` are users' of PagerDuty",
    "PD08": "PagerDuty's own Jira app does not work beside us",
    "PD09": "the schedules of the incident commanders are there",
    "J01": "Jira answers our token",
    "J02": "the project and the issue type are there",
    "J03": "our account has the rights that each feature needs",
    "J04": "the people whom the mapping names can be assigned",
    "J05": "each of the four words has a status of its own",
    "J06": "what the project lacks and tickets do without",
    "J07": "the create screen demands nothing that nobody fills",
    "J08": "a transition leads to each mapped status",
    "J09": "no transition demands what nobody fills",
    "J10": "a closed ticket has a way back",
    "J11": "the security levels that our account may set",
    "J12": "the link types and resolutions of the mapping are there",
    "J13": "values that fields do not take, and two keys for one field",
    "J14": "whoever is on call can be assigned",
    "J15": "what postmortems need: issue type, statuses, review date, link type",
    "T01": "the trial ticket of `--probe`, step by step",
}
"""Every code and what its finding is about; `mappings/README.md` has the same table."""

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


def ok(code: str, where: str, message: str, hint: str = "", who: str = YOU) -> Finding:
    """Fine; with a hint it is shown to people all the same."""
    return Finding(code=code, level=Level.OK, where=where, message=message, hint=hint, who=who)


def wrong(code: str, where: str, message: str, hint: str = "", who: str = YOU) -> Finding:
    """Will not do."""
    return Finding(code=code, level=Level.WRONG, where=where, message=message, hint=hint, who=who)


def unknown(code: str, where: str, message: str, hint: str = "", who: str = YOU) -> Finding:
    """Could not be seen."""
    return Finding(code=code, level=Level.UNKNOWN, where=where, message=message, hint=hint, who=who)


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
        stops = refused or (code in _ESSENTIAL and error.cause in (Cause.MISSING, Cause.FORBIDDEN))
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
    except MappingDoesNotFit as error:
        for problem in error.problems:
            yield wrong(code, where, problem, "change the mapping, or ask the Jira admin")
