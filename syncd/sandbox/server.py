"""The services on loopback: HTTP/1.1 with keep-alive, one port each, and the control port.

A thread a connection, one write an answer, no delay by Nagle's algorithm. A door can be closed, so that
connecting itself is refused, and opened again on the same port. Threads are daemons and end with the process.
"""

import socket
import socketserver
import struct
import threading
import time
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
    """One connection to one door."""

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
            # the caller hung up, or a closing door shut the connection under us
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
            self.wfile.write(head + body[: int(len(body) * delivery.keep)])
            self.close_connection = True
        else:
            self.wfile.write(head + body)

    def _head(self, reply: Reply) -> bytes:
        now = format_datetime(self.server.world.clock(), usegmt=True)
        lines = [f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}", f"Date: {now}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
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
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; the journal has it."""


class _Listener(socketserver.ThreadingTCPServer):
    """A listening socket of one service."""

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

    def answer(self, call: Call) -> Delivery:
        if self.name == "control":
            return Delivery(self.control.handle(call))
        return self.world.answer(self.name, call, self.closing.wait)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over connections that ended badly; a handler's own fault is shown."""
        if not self.closing.is_set():
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Stop listening and end every connection."""
        self.closing.set()
        self.shutdown()
        self.server_close()
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
        """Open every door and tell the services their own addresses."""
        for name in self._ports:
            self.open_door(name)
        self.world.pagerduty.account.base_url = self.url("pagerduty")
        self.world.jira.site.base_url = self.url("jira")
        return self

    def stop(self) -> None:
        """Close every door."""
        for name in list(self._listeners):
            self.close_door(name)

    def __enter__(self) -> "SandboxServer":
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def url(self, name: str) -> str:
        """Return the base URL of `pagerduty`, `jira` or `control`."""
        return f"http://{HOST}:{self._ports[name]}"

    def environment(self, mail: MailSandbox | None = None) -> dict[str, str]:
        """Return the settings of a daemon that shall talk to the default world, and send mail to `mail`."""
        found = {
            "SYNCD_PAGERDUTY_URL": self.url("pagerduty"),
            "SYNCD_PAGERDUTY_TOKEN": PAGERDUTY_KEY,
            "SYNCD_PAGERDUTY_FROM": BOT_EMAIL,
            "SYNCD_JIRA_URL": self.url("jira"),
            "SYNCD_JIRA_TOKEN": JIRA_KEY,
        }
        if self.world.jira.site.edition == "cloud":
            found["SYNCD_JIRA_EMAIL"] = BOT_EMAIL
        if mail is not None:
            found |= {
                "SYNCD_SMTP_HOST": mail.host,
                "SYNCD_SMTP_PORT": str(mail.port),
                "SYNCD_SMTP_SECURITY": "none",
                "SYNCD_SMTP_FROM": BOT_EMAIL,
            }
        return found

    def close_door(self, name: str) -> None:
        """Refuse connections to a service from now on, and end those that are open."""
        if listener := self._listeners.pop(name, None):
            listener.close()

    def open_door(self, name: str) -> None:
        """Listen for a service, on the port that it had before if it had one."""
        if name in self._listeners:
            return
        listener = _Listener(self.world, name, self.control, self._ports[name])
        self._ports[name] = int(listener.server_address[1])
        self._listeners[name] = listener
        threading.Thread(
            target=listener.serve_forever, kwargs={"poll_interval": 0.02}, name=f"sandbox-{name}", daemon=True
        ).start()
