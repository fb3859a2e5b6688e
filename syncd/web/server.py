"""The listener: it binds its socket before the daemon reports that it is up, and one thread serves it."""

from __future__ import annotations

import socket
from threading import Thread

import uvicorn
from loguru import logger
from starlette.applications import Starlette

MOST_AT_ONCE = 64
"""Open connections; further ones get the answer 503."""


class Listener:
    """An application on one address."""

    def __init__(self, host: str, port: int, app: Starlette) -> None:
        """Bind the address; raise `OSError` if that is impossible."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=MOST_AT_ONCE)
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            # the daemon has its own log
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MOST_AT_ONCE,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._server.run, args=([self._socket],), name="listener", daemon=True)

    @property
    def port(self) -> int:
        """The port that the listener is bound to."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Start to answer requests."""
        self._thread.start()
        host, port = self._socket.getsockname()[:2]
        logger.info("listening on {}:{} for webhooks, health and metrics", host, port)

    def stop(self, seconds: float) -> None:
        """Finish running requests, accept no new ones, and end within `seconds`."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(seconds)
        self._socket.close()
