"""The listener's pages: `/healthz`, `/readyz`, `/metrics`, and `POST /webhooks/…` of each service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import NamedTuple

from loguru import logger
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from syncd.config.problems import ConfigError
from syncd.config.settings.settings import Settings, setting_problem, variable
from syncd.config.templates.templates import Templates
from syncd.web.metrics import Metrics
from syncd.web.receive import Receiver
from syncd.web.server import Door, Front, Listener
from syncd.web.signatures import JIRA_HEADER, PAGERDUTY_HEADER, jira_signed, pagerduty_signed
from syncd.web.source import Source
from syncd.web.together import Take, Together

LARGEST_BODY = 2 * 1024 * 1024
"""Bytes; PagerDuty sends at most 256 KiB."""
SMALL_BODY = 128 * 1024
"""Bytes of a body that syncd reads at any time, also without a signature: so its sender reads the answer."""
MOST_BODIES = 32 * 1024 * 1024
"""Bytes of all bodies under way; beyond it only small ones are read. Strangers can send bodies, too."""
ANSWER_WITHIN = 4.0
"""Seconds; PagerDuty waits five seconds, and sends a webhook again after a 5xx."""

Verify = Callable[[bytes, str], bool]
_LAST = {"Connection": "close"}
"""The header of an answer to a body that is not read to its end."""


class Secrets(NamedTuple):
    """The secrets that both services sign with; a service without one has its receiver shut."""

    pagerduty: tuple[str, ...]
    jira: str | None


def open_listener(
    settings: Settings, source: Source, started: datetime, front: Front | None = None
) -> Door | None:
    """Return the listener, bound but not started; None if the settings want none.

    `front` is the one that served while this process was a standby. Raise `ConfigError` if the address is in
    use or not on this machine.
    """
    if settings.listen is None:
        return None
    app = make_app(source, Metrics(source, started), secrets_of(settings))
    return front.becomes(app) if front else bound(settings, LISTENER, settings.listen, app)


def secrets_of(settings: Settings) -> Secrets:
    """Return the secrets that both services sign with."""
    jira = settings.jira_webhook_secret
    return Secrets(
        tuple(secret.get_secret_value() for secret in settings.pagerduty_webhook_secrets),
        jira.get_secret_value() if jira else None,
    )


def open_page(
    settings: Settings, source: Source, templates: Templates, front: Front | None = None
) -> Door | None:
    """Return the listener of the page of state, as `open_listener`."""
    if settings.page is None:
        return None
    from syncd.web.page import Page, page_app

    app = page_app(Page(source, templates), settings.page_url)
    return front.becomes(app) if front else bound(settings, PAGE, settings.page, app)


LISTENER, PAGE = "http_listen", "page_listen"
"""The settings that name the two addresses."""
_SERVES = {LISTENER: "webhooks, health and metrics", PAGE: "the page of state"}


def bound(settings: Settings, field: str, address: tuple[str, int], app: ASGIApp) -> Listener:
    """Return a listener on the address that a setting names; raise `ConfigError` if that is impossible."""
    serves = _SERVES[field]
    try:
        return Listener(*address, app, serves)
    except OSError as error:
        hint = f"set another address, or leave it empty for no listener ({variable(field)}=)"
        message = f"cannot listen on {getattr(settings, field)}: {error.strerror or error}"
        raise ConfigError([setting_problem(field, message, hint)]) from None


def make_app(source: Source, metrics: Metrics, secrets: Secrets) -> ASGIApp:
    """Return the web application over the daemon's figures and the webhooks' secrets."""
    app = Starlette(
        routes=[
            Route("/healthz", partial(_healthz, source)),
            Route("/readyz", partial(_readyz, source)),
            Route("/leader", partial(_leader, source)),
            Route("/metrics", partial(_metrics, metrics)),
            *doors(source.receiver, secrets),
        ]
    )
    return guarded(app)


def doors(receiver: Receiver, secrets: Secrets) -> list[Route]:
    """Return the routes that receive the webhooks of both services."""
    bodies = _Bodies()
    pagerduty = partial(pagerduty_signed, secrets=secrets.pagerduty) if secrets.pagerduty else None
    jira = partial(jira_signed, secret=secrets.jira) if secrets.jira else None
    return [
        *_door(receiver, bodies, "pagerduty", PAGERDUTY_HEADER, pagerduty, receiver.pagerduty),
        *_door(receiver, bodies, "jira", JIRA_HEADER, jira, receiver.jira),
    ]


def guarded(app: ASGIApp) -> ASGIApp:
    """Return an application that refuses a request which gives its length twice."""
    return partial(_one_length, app)


async def _one_length(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a request that gives its length twice, and close its connection.

    A proxy in front of syncd may believe the other length and take the rest for another request.
    """
    names = {name for name, _value in scope.get("headers", ())}
    if {b"content-length", b"transfer-encoding"} <= names:
        words = "Content-Length beside Transfer-Encoding\n"
        await PlainTextResponse(words, 400, {"Connection": "close"})(scope, receive, send)
    else:
        await app(scope, receive, send)


async def _healthz(source: Source, _request: Request) -> Response:
    """Answer 200 if the process is healthy: its loop is running and its ledger answers; else 503."""
    sick = await run_in_threadpool(source.sick)
    return PlainTextResponse(f"{sick}\n" if sick else "ok\n", 503 if sick else 200)


async def _readyz(source: Source, _request: Request) -> Response:
    """Answer 200 if the daemon is up to date with both services, else 503; say how much waits."""
    status = await run_in_threadpool(source.daemon_status)
    ready = source.up_to_date(status.good)
    oldest = status.oldest_waiting
    age = (source.context.clock.now() - oldest).total_seconds() if oldest else None
    data = {
        "ready": ready,
        "last_good_cycle": {side: at.isoformat() for side, at in status.good.items()},
        "down": {name: since.isoformat() for name, since in status.down.items()},
        "queue": status.waiting,
        "oldest_waiting_seconds": age,
        "operations": status.operations,
    }
    return JSONResponse(data, 200 if ready else 503)


async def _leader(source: Source, _request: Request) -> Response:
    """Answer 200 while this daemon leads its ledger, else 503."""
    lost = source.may_not_write()
    return PlainTextResponse(f"{lost}\n" if lost else "leader\n", 503 if lost else 200)


async def _metrics(metrics: Metrics, _request: Request) -> Response:
    text = await run_in_threadpool(metrics.text)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _door(
    receiver: Receiver, bodies: _Bodies, name: str, header: str, verify: Verify | None, take: Take
) -> list[Route]:
    """Return the routes that receive one service's webhooks, with and without a slash at the end."""
    together = Together(take)

    async def endpoint(request: Request) -> Response:
        if verify is None:
            # senders repeat a webhook after a 5xx for two days, so an operator may set the secret late
            return PlainTextResponse("syncd has no secret for these webhooks\n", 503)
        signed = bool(request.headers.get(header))
        try:
            body = await bodies.read(request, LARGEST_BODY if signed else SMALL_BODY)
        except ClientDisconnect:
            # nobody reads this answer
            return PlainTextResponse("", 400)
        except _TooManyBodiesError:
            # the sender tries again
            receiver.count(name, "failed")
            return PlainTextResponse("too many bodies at once\n", 503, _LAST)
        if body is None and signed:
            # accepted, because a refused webhook counts against the subscription
            receiver.count(name, "too large")
            return PlainTextResponse("too large to be used\n", 202, _LAST)
        if body is None:
            receiver.count(name, "forged")
            return PlainTextResponse("no valid signature\n", 401, _LAST)
        if not verify(body, request.headers.get(header, "")):
            receiver.count(name, "forged")
            return PlainTextResponse("no valid signature\n", 401)
        outcome = await _in_time(together, body)
        receiver.count(name, outcome)
        failed = outcome == "failed"
        return PlainTextResponse(f"{outcome}\n", 503 if failed else 202)

    # no sender follows a redirect, and PagerDuty shuts a subscription after three of them
    return [Route(f"/webhooks/{name}{end}", endpoint, methods=["POST"]) for end in ("", "/")]


async def _in_time(together: Together, body: bytes) -> str:
    """Return the outcome of a webhook; `failed` if the ledger did not store it in time."""
    try:
        return await asyncio.wait_for(together.take(body), ANSWER_WITHIN)
    except Exception as error:  # noqa: BLE001 - whatever it is, the sender must try again
        logger.error("could not store a webhook, so its sender tries again: {}", type(error).__name__)
        return "failed"


class _TooManyBodiesError(Exception):
    """All bodies under way together are too large."""


class _Bodies:
    """The bodies that are being read; used by the listener's thread alone."""

    def __init__(self) -> None:
        self._held = 0

    async def read(self, request: Request, most: int) -> bytes | None:
        """Return the raw bytes that the sender signed, None if there are more than `most`.

        Raise `_TooManyBodiesError` for a body that is not small while others take the memory.
        """
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                self._held += len(chunk)
                if len(body) > most:
                    return None
                if len(body) > SMALL_BODY and self._held > MOST_BODIES:
                    raise _TooManyBodiesError
            return bytes(body)
        finally:
            self._held -= len(body)
