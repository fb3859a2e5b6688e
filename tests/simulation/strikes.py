"""What goes wrong with requests in a simulation: faults, refused endpoints, successes without effect."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from syncd.sandbox import faults

STRIKES = {
    "500": faults.error(500),
    "500 after": faults.error(500, after=True),
    "502 html": faults.html(),
    "503": faults.error(503, {"Retry-After": "20"}),
    "504 after": faults.error(504, after=True),
    "408 after": faults.error(408, after=True),
    "reset before": faults.reset_before(),
    "refused": faults.refuse(),
    "lost answer": faults.lose_answer(),
    "delay": faults.delay(20.0),
    "delay too long": faults.delay(45.0, after=True),
    "cut": faults.cut(),
    "empty": faults.empty(),
    "trickle": faults.trickle(),
    "429 of PagerDuty": faults.pagerduty_429(20),
    "429 of Jira": faults.jira_429(7),
    "bare 429": faults.bare_429(),
    "401": faults.error(401),
    "403": faults.error(403, body={"errorMessages": ["You do not have permission."]}),
    "404": faults.error(404, body=b"<html>not here</html>"),
    "409": faults.error(409, body={"errorMessages": ["Conflict."]}),
    "late": faults.Strike("delay"),
}
"""The faults by their names in a story. `late` is played by the wire: the request times out, and arrives
at the service up to 200 s later."""

JIRA_WORDS = {"errorMessages": ["You may not use this."], "errors": {}}
PAGERDUTY_WORDS = {"error": {"message": "Access Denied", "code": 2010}}

REFUSALS: dict[str, faults.Strike] = {
    f"{service} {code}": faults.error(code, body=words)
    for service, words in (("jira", JIRA_WORDS), ("pagerduty", PAGERDUTY_WORDS))
    for code in (400, 401, 403, 404)
}
"""Refusals in the words of a service."""

SILENCES: dict[str, tuple[faults.Strike, str, str]] = {
    "move without effect": (faults.no_effect(), "POST", r"/transitions$"),
    "edit without effect": (faults.ignore(), "PUT", r"/issue/[^/]+$"),
    "assignee ignored": (faults.ignore("assignee"), "PUT", r"/issue/[^/]+$"),
    "link without effect": (faults.no_effect(201), "POST", r"/issueLink$"),
}
"""Successes that change nothing: the strike, the method and the path of the write."""

ENDPOINTS = {
    "jira": (
        r"/comment$",
        r"/transitions$",
        r"/user/assignable/search$",
        r"/createmeta/",
        r"/mypermissions$",
        r"/changelog$|/changelog/bulkfetch$",
        r"/issue/bulkfetch$",
        r"/issue/\d+$",
        r"/search(/jql)?$",
        r"/project/",
        r"/priority$",
        r"/issueLinkType$",
        r"/resolution",
    ),
    "pagerduty": (
        r"/notes$",
        r"/alerts$",
        r"/log_entries$",
        r"/incidents$",
        r"/incidents/\w+$",
        r"/users",
        r"/priorities$",
        r"/services",
    ),
}
"""Places of both services that may be refused alone, for reads."""

ALL: dict[str, faults.Strike] = {
    **STRIKES,
    **REFUSALS,
    **{name: silence[0] for name, silence in SILENCES.items()},
}


@dataclass(frozen=True)
class Window:
    """A fault that strikes requests of a service (None: both) between two moments."""

    begin: float
    end: float
    strike: str
    service: str | None
    path: str | None
    probability: float
    method: str | None = None

    @property
    def refuses(self) -> bool:
        """True if a service refuses one endpoint in its own words."""
        return self.strike in REFUSALS


def faulty_windows(
    random: Random, last: float
) -> tuple[tuple[Window, ...], tuple[tuple[float, float, str], ...]]:
    """Return faults of any request, and when a service cannot be connected to."""
    windows = []
    for _ in range(random.choice([0, 1, 2, 2, 3, 4])):
        begin = random.uniform(0, last)
        windows.append(
            Window(
                begin,
                begin + random.choice([10.0, 60.0, 200.0, 500.0]),
                random.choice(sorted(STRIKES)),
                random.choice(["jira", "jira", "pagerduty", None]),
                random.choice(
                    [None, None, None, r"/issue$", r"/comment$|/notes$", r"/transitions$|/issue/\d+$"]
                ),
                random.choice([0.2, 0.5, 1.0]),
            )
        )
    closed = []
    for _ in range(random.choice([0, 0, 1])):
        begin = random.uniform(0, last)
        closed.append((begin, begin + random.choice([40.0, 300.0]), random.choice(["jira", "pagerduty"])))
    return tuple(windows), tuple(closed)


def chat_windows(random: Random, last: float) -> tuple[Window, ...]:
    """Return when posts to the chat are refused, come too early, or lose their answer."""
    windows = []
    for _ in range(random.choice([0, 1, 2])):
        begin, strike = random.uniform(0, last), random.choice(["404", "429 of Jira", "lost answer", "late"])
        end = begin + random.choice([60.0, 300.0])
        windows.append(Window(begin, end, strike, "chat", None, random.choice([0.5, 1.0])))
    return tuple(windows)


def refused_endpoints(random: Random, last: float) -> tuple[Window, ...]:
    """Return which endpoint is refused to reads while all others answer, in one of three histories."""
    if random.random() > 0.33:
        return ()
    begin, service = random.uniform(0, last), random.choice(["jira", "jira", "pagerduty"])
    code, place = random.choice([400, 401, 403, 404]), random.choice(ENDPOINTS[service])
    end = begin + random.choice([100.0, 400.0, 1200.0])
    methods = "POST" if place.endswith(("bulkfetch$", "search(/jql)?$")) else "GET"
    return (Window(begin, end, f"{service} {code}", service, place, 1.0, methods),)


def silent_successes(random: Random, last: float) -> tuple[Window, ...]:
    """Return which writes of Jira change nothing although they succeed, in one of three histories."""
    if random.random() > 0.33:
        return ()
    begin, name = random.uniform(0, last), random.choice(sorted(SILENCES))
    _, method, path = SILENCES[name]
    end = begin + random.choice([30.0, 200.0, 600.0])
    return (Window(begin, end, name, "jira", path, random.choice([0.5, 1.0]), method),)
