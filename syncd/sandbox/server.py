"""Both services, the chat and the control port on loopback: HTTP/1.1 with keep-alive, one port each.

One thread serves one connection and writes each answer at once (Nagle's algorithm is off). A "door" is a
listening port: while it is closed, the machine refuses connections to it; it opens again on the same port.
The threads are daemons and end with the process.
"""

import socket
import socketserver
import struct
import threading
import time
from contextlib import suppress
from email.utils import format_datetime
from http.client import responses
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY
from syncd.sandbox.control import Control
from syncd.sandbox.mail import MailSandbox
from syncd.sandbox.wire import Call, Reply
from syncd.sandbox.world import SERVICES, Delivery, World

HOST = "127.0.0.1"


class _Handler(BaseHTTPRequestHandler):
    """One connection to one port."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Listener"

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError, ValueError):
            # The caller hung up, or the port was closed while the connection was open.
            self.close_connection = True

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        call = Call(
            self.command,
            unquote(parts.path),
            parse_qsl(parts.query, keep_blank_values=True),
            dict(self.headers.items()),
            self.rfile.read(length) if length else b"",
        )
        self._deliver(self.server.answer(call))

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _serve  # noqa: N815 - names that the base looks up

    def _deliver(self, delivery: Delivery) -> None:
        if delivery.reply is None or delivery.manner == "reset":
            self._reset()
            return
        head, body = self._head(delivery.reply), delivery.reply.body
        if delivery.manner == "trickle":
            self._trickle(head + body)
        elif delivery.manner == "cut":
            # The head announces the whole body, so the client notices that the rest is missing.
            self.wfile.write(head + body[: int(len(body) * delivery.keep)])
            self.close_connection = True
        else:
            self.wfile.write(head + body)

    def _head(self, reply: Reply) -> bytes:
        lines = [f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}"]
        if self.server.name not in self.server.world.dateless:
            # syncd compares this header with its own clock, so it shows the sandbox's time.
            lines.append(f"Date: {format_datetime(self.server.world.clock(), usegmt=True)}")
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        # HTTP forbids a length on 204.
        if reply.status != 204:
            lines.append(f"Content-Length: {len(reply.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _trickle(self, data: bytes) -> None:
        for place in range(len(data)):
            if self.server.closing.is_set():
                break
            self.wfile.write(data[place : place + 1])
            time.sleep(1)
        self.close_connection = True

    def _reset(self) -> None:
        self.close_connection = True
        # With a linger time of 0 seconds, close() sends a reset instead of an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the journal has every request."""


class _Listener(socketserver.ThreadingTCPServer):
    """The listening socket of one service."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, world: World, name: str, control: Control, port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.world = world
        self.name = name
        self.control = control
        self.closing = threading.Event()
        self.connections: set[socket.socket] = set()
        self.thread = threading.Thread(target=self.serve, name=f"sandbox-{name}", daemon=True)
        self.thread.start()

    def answer(self, call: Call) -> Delivery:
        if self.name == "control":
            return Delivery(self.control.handle(call))
        return self.world.answer(self.name, call, self.closing.wait)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show an error of a handler, but not one of a connection that ended because the port was closed."""
        if not self.closing.is_set():
            super().handle_error(request, client_address)

    def serve(self) -> None:
        """Serve connections until `close`, without looking out for it: each look would delay the close."""
        while not self.closing.is_set():
            self.handle_request()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return False for the connection that `close` makes, and for one that comes with it."""
        return not self.closing.is_set()

    def close(self) -> None:
        """Stop listening and end every open connection."""
        self.closing.set()
        # `serve` waits for a connection, so it gets one. If its queue is full, it wakes without this one.
        with suppress(OSError):
            socket.create_connection((HOST, int(self.server_address[1])), timeout=1).close()
        self.thread.join()
        self.server_close()
        # Idle keep-alive connections would stay open and be served, although the port is closed.
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class SandboxServer:
    """Both services and the control port of a world, while the `with` block lasts or until `stop`."""

    def __init__(self, world: World) -> None:
        """Prepare to serve `world`."""
        self.world = world
        self.control = Control(world, self)
        self._listeners: dict[str, _Listener] = {}
        self._ports = dict.fromkeys((*SERVICES, "control"), 0)

    def start(self) -> "SandboxServer":
        """Open every port and tell the services their own addresses."""
        for name in self._ports:
            self.open_door(name)
        self.world.pagerduty.account.base_url = self.url("pagerduty")
        self.world.jira.site.base_url = self.url("jira")
        self.world.chat.base_url = self.url("chat")
        return self

    def stop(self) -> None:
        """Close every port."""
        for name in list(self._listeners):
            self.close_door(name)

    def __enter__(self) -> "SandboxServer":
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def url(self, name: str) -> str:
        """Return the base URL of `pagerduty`, `jira`, `chat` or `control`."""
        return f"http://{HOST}:{self._ports[name]}"

    def environment(self, mail: MailSandbox | None = None, *, chat: bool = False) -> dict[str, str]:
        """Return the settings of a daemon that works on the default world and sends its mails to `mail`.

        `chat`: with the webhooks of the world's channels.
        """
        settings = {
            "SYNCD_PAGERDUTY_URL": self.url("pagerduty"),
            "SYNCD_PAGERDUTY_TOKEN": PAGERDUTY_KEY,
            "SYNCD_PAGERDUTY_FROM": BOT_EMAIL,
            "SYNCD_JIRA_URL": self.url("jira"),
            "SYNCD_JIRA_TOKEN": JIRA_KEY,
        }
        # Cloud logs in by e-mail address and token, Data Center by the token alone.
        if self.world.jira.site.edition == "cloud":
            settings["SYNCD_JIRA_EMAIL"] = BOT_EMAIL
        if chat:
            settings["SYNCD_CHAT_URLS"] = self.world.chat.urls()
        if mail is not None:
            settings |= {
                "SYNCD_SMTP_HOST": mail.host,
                "SYNCD_SMTP_PORT": str(mail.port),
                "SYNCD_SMTP_SECURITY": "none",
                "SYNCD_SMTP_FROM": BOT_EMAIL,
            }
        return settings

    def close_door(self, name: str) -> None:
        """Refuse new connections to a service from now on, and end the open ones."""
        if listener := self._listeners.pop(name, None):
            listener.close()

    def open_door(self, name: str) -> None:
        """Listen for a service, on its former port if it had one."""
        if name in self._listeners:
            return
        listener = _Listener(self.world, name, self.control, self._ports[name])
        self._ports[name] = int(listener.server_address[1])
        self._listeners[name] = listener
