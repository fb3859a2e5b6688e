"""The control port: another process moves the clock, plays acts, makes faults, and reads what happened.

All paths begin with `/_sandbox/` and speak JSON. An act is a method of a service, called by name with its
arguments as a JSON object; the answer shows the object that it made, as the service would show it.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from inspect import Parameter, signature
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from syncd.sandbox import dump, faults
from syncd.sandbox.act import acts_of
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.jira.issue_json import chosen, issue_json
from syncd.sandbox.jira.model import Comment, Issue
from syncd.sandbox.jira.render import View
from syncd.sandbox.pagerduty.records import Incident, Note
from syncd.sandbox.pagerduty.render import incident_json, note_json
from syncd.sandbox.routing import Router
from syncd.sandbox.wire import Call, Refusal, Reply
from syncd.sandbox.world import SERVICES, World

STRIKES: dict[str, Callable[..., faults.Strike]] = {
    "error": faults.error,
    "reset_before": faults.reset_before,
    "refuse": faults.refuse,
    "lose_answer": faults.lose_answer,
    "delay": faults.delay,
    "cut": faults.cut,
    "empty": faults.empty,
    "html": faults.html,
    "trickle": faults.trickle,
    "no_effect": faults.no_effect,
    "ignore": lambda fields=(): faults.ignore(*fields),
    "normalise": lambda values: faults.normalise(**values),
    "pagerduty_429": faults.pagerduty_429,
    "jira_429": faults.jira_429,
    "bare_429": faults.bare_429,
}
RULE = {"service", "method", "path", "body", "skip", "times", "probability"}


class Doors(Protocol):
    """The listening ports of the services."""

    def url(self, name: str) -> str:
        """Return a service's base URL."""

    def open_door(self, name: str) -> None:
        """Start to listen for a service."""

    def close_door(self, name: str) -> None:
        """Stop listening for a service."""


class Control:
    """The control port of a world, as a function from request to answer."""

    def __init__(self, world: World, doors: Doors) -> None:
        """Serve the control port of `world`; `doors` are the listening ports of its services."""
        self.world = world
        self.doors = doors
        self.routes: Router[tuple[Call, dict[str, str]]] = Router("/_sandbox")
        for method, template, handler in (
            ("GET", "", self._about),
            ("GET", "/clock", self._clock),
            ("POST", "/clock", self._move_clock),
            ("POST", "/acts/{service}/{act}", self._act),
            ("GET", "/state", self._state),
            ("GET", "/state/{service}", self._state),
            ("GET", "/journal", self._journal),
            ("POST", "/journal/clear", self._clear_journal),
            ("GET", "/counts", self._counts),
            ("GET", "/faults", self._faults),
            ("POST", "/faults", self._add_fault),
            ("POST", "/faults/clear", self._clear_faults),
            ("POST", "/options/{service}", self._options),
            ("POST", "/doors/{service}", self._door),
        ):
            self.routes.on(method, template)(handler)

    def handle(self, call: Call) -> Reply:
        """Answer a request to the control port; its mistakes come back as 400 with `{"error": …}`."""
        match = self.routes.find(call.method, call.path)
        if match is None:
            return Reply.of({"error": f"nothing here: {call.method} {call.path}"}, 404)
        route, params = match
        try:
            return route.handler((call, params))
        except Refusal as refusal:
            return refusal.reply
        except (LookupError, TypeError, ValueError) as problem:
            return Reply.of({"error": f"{type(problem).__name__}: {problem}"}, 400)

    def _about(self, _: tuple[Call, dict[str, str]]) -> Reply:
        urls = {name: self.doors.url(name) for name in (*SERVICES, "control")}
        acts = {name: _signatures(self.world.service(name)) for name in SERVICES}
        return Reply.of(
            {"urls": urls, "now": self.world.clock().isoformat(), "acts": acts, "faults": sorted(STRIKES)}
        )

    def _clock(self, _: tuple[Call, dict[str, str]]) -> Reply:
        return Reply.of({"now": self.world.clock().isoformat()})

    def _move_clock(self, asked: tuple[Call, dict[str, str]]) -> Reply:
        body, clock = _body(asked[0]), self.world.clock
        if not isinstance(clock, SandboxClock):
            raise TypeError("this world's clock is not a SandboxClock; move it where it was made")
        # One request may set the clock and then move it on.
        if "set" in body:
            clock.set(datetime.fromisoformat(body["set"]))
        clock.advance(float(body.get("advance", 0)))
        self.world.catch_up()
        return Reply.of({"now": clock().isoformat()})

    def _act(self, asked: tuple[Call, dict[str, str]]) -> Reply:
        call, params = asked
        service, act = self.world.service(params["service"]), params["act"]
        # Only acts may be called by name; every other method is internal.
        if act not in acts_of(service):
            raise LookupError(f"no act {act!r} on {params['service']}")
        arguments = _body(call)
        # JSON has no type for times; `at` is the only argument that is one.
        if isinstance(arguments.get("at"), str):
            arguments["at"] = datetime.fromisoformat(arguments["at"])
        return Reply.of(self._as_json(getattr(service, act)(**arguments)))

    def _as_json(self, result: object) -> Any:
        account, site = self.world.pagerduty.account, self.world.jira.site
        view = View(site, 2, ZoneInfo("Etc/UTC"))
        if isinstance(result, Incident):
            return incident_json(account, result, detail=True)
        if isinstance(result, Note):
            return note_json(account, result)
        if isinstance(result, Issue):
            return issue_json(view, result, chosen(view, None, "*all"), properties=["*all"])
        if isinstance(result, Comment):
            return {"id": str(result.id), "body": result.body, "created": view.time(result.created)}
        return {"id": getattr(result, "id", None)}

    def _state(self, asked: tuple[Call, dict[str, str]]) -> Reply:
        state = dump.whole(self.world)
        name = asked[1].get("service")
        if name is None:
            return Reply.of(state)
        self.world.service(name)
        return Reply.of(state[name])

    def _journal(self, asked: tuple[Call, dict[str, str]]) -> Reply:
        call = asked[0]
        lines = self.world.journal.lines(*(call.value(name) for name in ("service", "method", "pattern")))
        return Reply.of({"lines": [line.as_json() for line in lines]})

    def _clear_journal(self, _: tuple[Call, dict[str, str]]) -> Reply:
        self.world.journal.clear()
        return Reply.of({})

    def _counts(self, _: tuple[Call, dict[str, str]]) -> Reply:
        journal = self.world.journal
        rows = [
            {"service": service, "method": method, "path": path, "count": count}
            for (service, method, path), count in sorted(journal.counts().items())
        ]
        totals = {name: journal.total(name) for name in SERVICES}
        more = {"writes": len(journal.writes()), "offences": len(journal.offences())}
        return Reply.of({"counts": rows, "totals": totals, **more})

    def _faults(self, _: tuple[Call, dict[str, str]]) -> Reply:
        return Reply.of({"rules": [_rule_json(rule) for rule in self.world.faults.rules]})

    def _add_fault(self, asked: tuple[Call, dict[str, str]]) -> Reply:
        body = _body(asked[0])
        # These keys say which requests fail; all others are arguments of the fault.
        conditions = {name: body.pop(name) for name in RULE & body.keys()}
        way = body.pop("way", None)
        if way not in STRIKES:
            raise LookupError(f"no fault {way!r}; there are {', '.join(sorted(STRIKES))}")
        strike = STRIKES[way](**body)
        return Reply.of(_rule_json(self.world.faults.add(strike, **conditions)), 201)

    def _clear_faults(self, asked: tuple[Call, dict[str, str]]) -> Reply:
        body = _body(asked[0])
        if "id" in body:
            self.world.faults.remove(int(body["id"]))
        else:
            self.world.faults.clear()
        return Reply.of({})

    def _options(self, asked: tuple[Call, dict[str, str]]) -> Reply:
        call, params = asked
        if params["service"] not in SERVICES or params["service"] == "chat":
            raise LookupError(f"no options of {params['service']!r}")
        world = self.world
        options = (
            world.pagerduty.account.options if params["service"] == "pagerduty" else world.jira.site.options
        )
        names = {option.name for option in fields(options)}
        for name, value in _body(call).items():
            # A misspelt option would otherwise be set silently and change nothing.
            if name not in names:
                raise LookupError(f"no option {name!r}; there are {', '.join(sorted(names))}")
            setattr(options, name, value)
        return Reply.of(asdict(options))

    def _door(self, asked: tuple[Call, dict[str, str]]) -> Reply:
        call, params = asked
        self.world.service(params["service"])
        opened = bool(_body(call).get("open", True))
        (self.doors.open_door if opened else self.doors.close_door)(params["service"])
        return Reply.of({"open": opened})


def _body(call: Call) -> dict[str, Any]:
    body = call.json() if call.body else {}
    if not isinstance(body, dict):
        raise TypeError("the body must be a JSON object")
    return body


def _signatures(service: object) -> dict[str, str]:
    """Return the arguments of each act of a service; those with a default may be left out."""
    arguments_by_act = {}
    for name in acts_of(service):
        parameters = signature(getattr(service, name)).parameters.values()
        arguments_by_act[name] = ", ".join(
            parameter.name
            if parameter.default is Parameter.empty
            else f"{parameter.name}={parameter.default!r}"
            for parameter in parameters
        )
    return arguments_by_act


def _rule_json(rule: faults.Rule) -> Mapping[str, Any]:
    shown = {
        column.name: getattr(rule, column.name)
        for column in fields(rule)
        if is_dataclass(rule) and column.name != "strike"
    }
    return {**shown, "way": rule.strike.way}
