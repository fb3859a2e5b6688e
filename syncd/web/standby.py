"""The answers of a standby: its health, and webhooks, of which it stores change notices for the leader."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from threading import Event

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from syncd.config.settings.settings import Settings
from syncd.domain.clock import Clock
from syncd.engine.context import ACCOUNTS_AT_HAND
from syncd.engine.jira_knowledge.cache import Cache
from syncd.engine.rules import Rules, RulesReference
from syncd.ledger.standby import StandbyLedger
from syncd.web.app import LISTENER, PAGE, bound, doors, guarded, secrets_of
from syncd.web.receive import Receiver
from syncd.web.server import Front


@dataclass(frozen=True)
class _Context:
    """The context of a standby's receiver (`syncd.web.receive.Hearing`)."""

    ledger: StandbyLedger
    clock: Clock
    rules: RulesReference
    nobodies: Cache[str, frozenset[str]]


@dataclass
class Standing:
    """How a standby stands, in words for people, beside the ledger that it may store notices in."""

    ledger: StandbyLedger
    words: str = "standby"


@dataclass(frozen=True)
class Fronts:
    """The listeners of a standby, which the leader takes over; None where the settings want none."""

    listener: Front | None
    page: Front | None

    def stop(self, seconds: float) -> None:
        """Stop them, each within `seconds`."""
        for front in (self.listener, self.page):
            if front is not None:
                front.listener.stop(seconds)


@dataclass(frozen=True)
class Waited:
    """The listeners and events that a daemon takes over from the time when it waited as a standby.

    Its listeners serve already, `asked_to_stop` may be set already, and `started` ends the signs of life that
    the standby gives to the service manager.
    """

    fronts: Fronts | None
    asked_to_stop: Event
    started: Event


def open_fronts(settings: Settings, standing: Standing, clock: Clock, rules: Rules) -> Fronts:
    """Bind the addresses and serve as a standby; raise `ConfigError` if one is not available."""
    context = _Context(standing.ledger, clock, RulesReference(rules), Cache(clock, ACCOUNTS_AT_HAND))
    # the leader finds the notices by itself
    receiver = Receiver(context, lambda _incidents: None)
    listener = page = None
    if settings.listen is not None:
        routes = [
            Route("/healthz", partial(_words, standing, 200)),
            Route("/readyz", partial(_readyz, standing)),
            Route("/leader", partial(_words, standing, 503)),
            Route("/metrics", _metrics),
            *doors(receiver, secrets_of(settings)),
        ]
        listener = Front(
            partial(bound, settings, LISTENER, settings.listen), guarded(Starlette(routes=routes))
        )
    if settings.page is not None:
        app = Starlette(routes=[Route("/{path:path}", partial(_not_here, standing))])
        page = Front(partial(bound, settings, PAGE, settings.page), app)
    return Fronts(listener, page)


async def _words(standing: Standing, status: int, _request: Request) -> Response:
    return PlainTextResponse(f"{standing.words}\n", status)


async def _readyz(standing: Standing, _request: Request) -> Response:
    """Answer 200 if this standby can take webhooks, else 503."""
    ready = standing.ledger.stores
    return JSONResponse({"ready": ready, "standby": standing.words}, 200 if ready else 503)


async def _metrics(_request: Request) -> Response:
    return PlainTextResponse("syncd_leader 0\n")


async def _not_here(standing: Standing, _request: Request) -> Response:
    return PlainTextResponse(f"{standing.words}: the page of the other machine shows the state\n", 503)
