"""The listener: it binds its socket before the daemon reports that it is up, and one thread serves it.

Strangers can open connections too. The listener closes a connection that sends no whole request within
`REQUEST_WITHIN` seconds. When all places are taken, it closes the oldest connection without a whole request
for a new one, so a webhook finds a place among any number of silent connections.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from threading import Thread
from typing import Any, Protocol

import h11
import uvicorn
from loguru import logger
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_AT_ONCE = 256
"""Open connections, and at most a quarter of the descriptors of this process: its own requests need some."""
ACCEPTED_AT_ONCE = 16
"""Connections that the event loop accepts before it closes those without a place."""
WAITING = 1_024
"""New connections that the kernel holds for the event loop."""
REQUEST_WITHIN = 10.0
"""Seconds for a whole request, headers and body, from the connection or the last answer on."""


class Places:
    """The places for connections; used by the listener's thread alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[GuardedProtocol, None] = {}

    def take(self, newcomer: GuardedProtocol) -> bool:
        """Give a connection a place; return False if all places are taken by requests that are served."""
        if len(self._taken) >= self._most:
            idle = next((protocol for protocol in self._taken if protocol.awaits_request), None)
            if idle is None:
                return False
            self.leave(idle)
            idle.transport.abort()
        self._taken[newcomer] = None
        return True

    def leave(self, protocol: GuardedProtocol) -> None:
        """Free the place of a connection."""
        self._taken.pop(protocol, None)

    def __len__(self) -> int:
        """Return how many places are taken."""
        return len(self._taken)


class GuardedProtocol(H11Protocol):
    """HTTP on one connection, with a deadline for each request."""

    def __init__(self, places: Places, **more: Any) -> None:
        super().__init__(**more)
        self._places = places
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def awaits_request(self) -> bool:
        """True while the other side has not sent a whole request."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its base does
        """Take a place, or close the connection if there is none."""
        super().connection_made(transport)
        if self._places.take(self):
            self._begin_deadline()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place."""
        self._end_deadline()
        self._places.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request; its deadline ends with the whole request."""
        super().data_received(data)
        if not self.awaits_request:
            self._end_deadline()
        elif self._deadline is None:
            self._begin_deadline()

    def on_response_complete(self) -> None:
        """Await the next request of a kept connection."""
        super().on_response_complete()
        if self.awaits_request and self._deadline is None and not self.transport.is_closing():
            self._begin_deadline()

    def _begin_deadline(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_WITHIN, self._expire)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        if self.awaits_request and not self.transport.is_closing():
            self.transport.abort()


class _Server(uvicorn.Server):
    """Serves a socket; the kernel holds a longer queue of new connections than the loop accepts at once.

    asyncio takes one number for both. With a large one it accepts hundreds of connections before it can
    close one of them, and the process runs out of descriptors.
    """

    def __init__(self, config: uvicorn.Config, queue: int) -> None:
        super().__init__(config)
        self._queue = queue
        self._ends = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Do each second what the base does ten times a second: it moves the date of the answers on."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ends.wait(), 1.0)

    def end(self) -> None:
        """Accept nothing new and end; may be called from any thread."""
        self.should_exit = True
        # the loop may have ended by itself
        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._ends.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then make the kernel's queue longer."""
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(self._queue)


class Door(Protocol):
    """A listener as the daemon uses it."""

    @property
    def port(self) -> int:
        """The port that it is bound to."""
        ...

    def start(self) -> None:
        """Start to answer requests."""
        ...

    def stop(self, seconds: float) -> None:
        """Finish running requests and end within `seconds`."""
        ...


class Listener:
    """An application on one address; `serves` says for the log what it serves."""

    def __init__(self, host: str, port: int, app: ASGIApp, serves: str) -> None:
        """Bind the address; raise `OSError` if that is impossible."""
        self._serves = serves
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        most = min(MOST_AT_ONCE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        self._socket = socket.create_server((host, port), family=family, backlog=WAITING)
        # anybody can send bytes that are no HTTP: a line for each would fill the log
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self.places = Places(most)
        config = uvicorn.Config(
            app,
            # a class by its documentation; a function that makes one works as well
            http=partial(GuardedProtocol, self.places),  # type: ignore[arg-type]
            interface="asgi3",
            ws="none",
            lifespan="off",
            # the daemon has its own log
            log_config=None,
            access_log=False,
            # nothing asks for the client's address
            proxy_headers=False,
            server_header=False,
            backlog=ACCEPTED_AT_ONCE,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config, queue=WAITING)
        self._thread = Thread(target=self._server.run, args=([self._socket],), name="listener", daemon=True)

    @property
    def port(self) -> int:
        """The port that the listener is bound to."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Start to answer requests."""
        self._thread.start()
        host, port = self._socket.getsockname()[:2]
        logger.info("listening on {}:{} for {}", host, port, self._serves)

    def stop(self, seconds: float) -> None:
        """Finish running requests, accept no new ones, and end within `seconds`."""
        self._server.end()
        if self._thread.is_alive():
            self._thread.join(seconds)
        self._socket.close()


def knock(host: str, port: int) -> None:
    """Send a listener its first request, which takes several times as long as every later one."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - the name of an address, not bound here
    connection = HTTPConnection(everywhere.get(host, host), port, timeout=REQUEST_WITHIN)
    # the first webhook is slow then, and that is all
    with closing(connection), suppress(OSError, HTTPException):
        connection.request("GET", "/healthz")
        connection.getresponse().read()


class Front:
    """A listener that serves already while this process is a standby; its application changes later."""

    def __init__(self, listen: Callable[[ASGIApp], Listener], app: ASGIApp) -> None:
        self.app = app
        self.listener = listen(self._serve)
        self.listener.start()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    def becomes(self, app: ASGIApp) -> Door:
        """Return the door of the leader's application; its start replaces the standby's."""
        return _Relief(self, app)


class _Relief:
    """The door of an application that takes over a running listener (`Door`)."""

    def __init__(self, front: Front, app: ASGIApp) -> None:
        self._front = front
        self._app = app

    @property
    def port(self) -> int:
        """The port that the listener is bound to."""
        return self._front.listener.port

    def start(self) -> None:
        """Let the leader's application answer from now on."""
        self._front.app = self._app

    def stop(self, seconds: float) -> None:
        """Stop the listener."""
        self._front.listener.stop(seconds)
