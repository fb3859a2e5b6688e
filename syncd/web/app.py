"""The listener's four pages: `/healthz`, `/readyz`, `/metrics`, and `POST /webhooks/…` for both services."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
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

from syncd.config.problems import ConfigError
from syncd.config.settings.settings import Settings, setting_problem
from syncd.web.metrics import Metrics
from syncd.web.server import Listener
from syncd.web.signatures import JIRA_HEADER, PAGERDUTY_HEADER, jira_signed, pagerduty_signed
from syncd.web.source import Source

LARGEST_BODY = 2 * 1024 * 1024
"""Bytes; PagerDuty drops its own above 256 KiB."""
ANSWER_WITHIN = 4.0
"""Seconds; PagerDuty takes five for too long, and sends again what was answered with 5xx."""

Verify = Callable[[bytes, str], bool]
Take = Callable[[bytes, str], str]


class Secrets(NamedTuple):
    """What both services sign with; none: that receiver is shut."""

    pagerduty: tuple[str, ...]
    jira: str | None


def open_listener(settings: Settings, source: Source, started: datetime) -> Listener | None:
    """The listener, bound but not answering yet; None where there is to be none.

    Raises `ConfigError` where the address is taken or not this machine's.
    """
    if settings.listen is None:
        return None
    jira = settings.jira_webhook_secret
    secrets = Secrets(
        tuple(one.get_secret_value() for one in settings.pagerduty_webhook_secrets),
        jira.get_secret_value() if jira else None,
    )
    app = make_app(source, Metrics(source, started), secrets)
    try:
        return Listener(*settings.listen, app)
    except OSError as error:
        hint = "give it another address, or none: SYNCD_HTTP_LISTEN= (empty)"
        said = f"cannot listen on {settings.http_listen}: {error.strerror or error}"
        raise ConfigError([setting_problem("http_listen", said, hint)]) from None


def make_app(source: Source, metrics: Metrics, secrets: Secrets) -> Starlette:
    """Given where figures come from and the webhooks' secrets, return the application."""
    receiver = source.receiver
    return Starlette(
        routes=[
            Route("/healthz", partial(_healthz, source)),
            Route("/readyz", partial(_readyz, source)),
            Route("/metrics", partial(_metrics, metrics)),
            _door(
                source,
                "pagerduty",
                (PAGERDUTY_HEADER, "x-webhook-id"),
                partial(pagerduty_signed, secrets=secrets.pagerduty) if secrets.pagerduty else None,
                receiver.pagerduty,
            ),
            _door(
                source,
                "jira",
                (JIRA_HEADER, "x-atlassian-webhook-identifier"),
                partial(jira_signed, secret=secrets.jira) if secrets.jira else None,
                receiver.jira,
            ),
        ]
    )


async def _healthz(source: Source, _request: Request) -> Response:
    """Whether the process is worth keeping: its loop goes round and its ledger answers."""
    sick = await run_in_threadpool(source.sick)
    return PlainTextResponse(f"{sick}\n" if sick else "ok\n", 503 if sick else 200)


async def _readyz(source: Source, _request: Request) -> Response:
    """Whether the daemon is up to date with both services, and how much waits."""
    stands = await run_in_threadpool(source.daemon_status)
    ready = source.up_to_date(stands.good)
    oldest = stands.oldest_waiting
    age = (source.context.clock.now() - oldest).total_seconds() if oldest else None
    data = {
        "ready": ready,
        "last_good_cycle": {side: at.isoformat() for side, at in stands.good.items()},
        "down": {name: since.isoformat() for name, since in stands.down.items()},
        "queue": stands.waiting,
        "oldest_waiting_seconds": age,
        "operations": stands.operations,
    }
    return JSONResponse(data, 200 if ready else 503)


async def _metrics(metrics: Metrics, _request: Request) -> Response:
    text = await run_in_threadpool(metrics.text)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _door(source: Source, name: str, headers: tuple[str, str], verify: Verify | None, take: Take) -> Route:
    """The receiver of one service's webhooks."""

    async def endpoint(request: Request) -> Response:
        if verify is None:
            # 5xx is sent again for two days: whoever sets the secret late loses nothing
            return PlainTextResponse("no secret is set for these webhooks\n", 503)
        try:
            body = await _body(request)
        except ClientDisconnect:
            return PlainTextResponse("", 400)
        if body is None:
            source.receiver.count(name, "too large")
            return PlainTextResponse("too large to be used\n", 202, {"Connection": "close"})
        if not verify(body, request.headers.get(headers[0], "")):
            source.receiver.count(name, "forged")
            return PlainTextResponse("no valid signature\n", 401)
        outcome = await _in_time(partial(run_in_threadpool, take, body, request.headers.get(headers[1], "")))
        source.receiver.count(name, outcome)
        failed = outcome == "failed"
        return PlainTextResponse(f"{outcome}\n", 503 if failed else 202)

    return Route(f"/webhooks/{name}", endpoint, methods=["POST"])


async def _in_time(work: Callable[[], Awaitable[str]]) -> str:
    """What became of a webhook, `failed` where the ledger could not take it in time."""
    try:
        return await asyncio.wait_for(work(), ANSWER_WITHIN)
    except Exception as error:  # noqa: BLE001 - whatever it is, the sender must try again
        logger.error("a webhook could not be taken: {}", type(error).__name__)
        return "failed"


async def _body(request: Request) -> bytes | None:
    """The raw bytes that were signed; None where they are too many."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
    return bytes(body)
