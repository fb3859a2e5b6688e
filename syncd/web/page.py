"""The page of state, on an address of its own: `/` for all teams, `/team/NAME` for one; it only reads.

It shows titles of incidents, so it is never served on the webhooks' port. A browser that was led here by a
foreign site under that site's name (DNS rebinding) is refused: the page answers to addresses, to `localhost`
and to the host of `SYNCD_PAGE_URL`.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import partial
from ipaddress import ip_address
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from loguru import logger
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from syncd import __version__
from syncd.config.templates.templates import Templates
from syncd.report.state_page import state_page
from syncd.web.source import Source

TEMPLATE, STYLE = "page/state.html.j2", "page/style.css"
REFRESH_SECONDS = 60
KEPT_SECONDS = 15.0
"""Seconds for which syncd answers with the same content, so that many readers cost no more than one."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Page:
    """The page's content, made at most once in `KEPT_SECONDS` for each team and one at a time."""

    def __init__(self, source: Source, templates: Templates) -> None:
        self._source = source
        self._templates = templates
        self._lock = Lock()
        self._kept: dict[str | None, tuple[float, dict[str, Any]]] = {}
        folders = [folder / STYLE for folder in templates.folders]
        self.style = next(file for file in folders if file.is_file()).read_text(encoding="utf-8")

    def html(self, team: str | None, *, refreshes: bool) -> str | None:
        """Return the page of a team (None: of all teams); None if no mapping is for that team."""
        if team is not None and team not in {mapping.team for mapping in self._source.context.mappings}:
            return None
        more = {
            "root": "" if team is None else "../",
            "refreshes": refreshes,
            "refresh_seconds": REFRESH_SECONDS,
            "version": __version__,
        }
        return self._templates.render(TEMPLATE, {**self._content(team), **more})

    def _content(self, team: str | None) -> dict[str, Any]:
        context = self._source.context
        with self._lock:
            now = context.clock.boottime()
            made, content = self._kept.get(team, (0.0, {}))
            if not content or not made <= now < made + KEPT_SECONDS:
                content = state_page(
                    context.ledger,
                    context.mappings,
                    team,
                    context.clock.now(),
                    self._source.health(),
                    context.expires,
                )
                self._kept[team] = (now, content)
            return content


def page_app(page: Page, url: str | None) -> ASGIApp:
    """Return the web application of the page; `url` is where people reach it, if the settings say so."""
    app = Starlette(
        routes=[
            Route("/", partial(_state, page)),
            Route("/team/{team:path}", partial(_state, page)),
            Route("/style.css", partial(_style, page)),
        ]
    )
    return partial(_guarded, app, urlsplit(url).hostname if url else None)


async def _state(page: Page, request: Request) -> Response:
    refreshes = request.query_params.get("refresh") != "off"
    try:
        html = await run_in_threadpool(page.html, request.path_params.get("team"), refreshes=refreshes)
    except Exception as error:  # noqa: BLE001 - whatever it is, the page loads itself again
        logger.error("cannot show the page of state: {}: {}", type(error).__name__, error)
        words = f"syncd cannot show its state now ({type(error).__name__}); its log says why\n"
        return PlainTextResponse(words, 503, {"Refresh": str(REFRESH_SECONDS)})
    if html is None:
        return PlainTextResponse("no mapping is for this team\n", 404)
    return HTMLResponse(html)


async def _style(page: Page, _request: Request) -> Response:
    return Response(page.style, media_type="text/css")


async def _guarded(app: ASGIApp, known: str | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a request under a foreign host's name, and put the page's headers on every answer."""

    async def with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        await send(message)

    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    if not _is_ours(host, known):
        words = (
            "this page does not go by that name; set SYNCD_PAGE_URL to the address at which people reach it\n"
        )
        await PlainTextResponse(words, 421)(scope, receive, with_headers)
        return
    await app(scope, receive, with_headers)


def _is_ours(host: str, known: str | None) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        ip_address(name)
    except ValueError:
        return name == "localhost" or (known is not None and name == known)
    return True
