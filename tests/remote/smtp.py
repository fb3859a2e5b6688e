"""A mail server that speaks just enough SMTP, refuses what it is told to, and hangs or closes on demand."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

PEM = Path(__file__).with_name("loopback.pem")
HANG, CLOSE = "hang", "close"
_USUAL = {"greeting": "220 ready", "data": "354 go on", "starttls": "220 go", "auth": "235 fine"}


class _Closed(Exception):
    """The conversation is over."""


class MailServer:
    """`answers` overrides what is said to a verb, at the `greeting`, or at a message's `end`."""

    def __init__(
        self, answers: dict[str, str] | None = None, *, tls: bool = False, offers: tuple[str, ...] = ()
    ) -> None:
        self.heard: list[str] = []
        self.messages: list[bytes] = []
        self._says = {**_USUAL, "ehlo": _lines("here", *offers), **(answers or {})}
        self._at_once = tls
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(PEM)
        self._stop = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: list[socket.socket] = [self._listening]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        for wire in self._open:
            with suppress(OSError):
                socket.socket.shutdown(wire, socket.SHUT_RDWR)
        self._thread.join(2)
        for wire in self._open:
            wire.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                wire, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(wire)
            with suppress(OSError, _Closed):
                if self._at_once:
                    wire = self._secured(wire)
                self._say(wire, "greeting")
                self._talk(wire)
            wire.close()

    def _secured(self, wire: socket.socket) -> socket.socket:
        secured = self._context.wrap_socket(wire, server_side=True)
        self._open.append(secured)
        return secured

    def _talk(self, wire: socket.socket) -> None:
        lines = wire.makefile("rb")
        while line := lines.readline():
            command = line.decode().strip()
            self.heard.append(command)
            verb = command.split()[0].lower()
            self._say(wire, verb)
            if verb == "data" and self._says["data"].startswith("354"):
                self.messages.append(b"".join(self._message(lines)))
                self._say(wire, "end")
            elif verb == "starttls":
                self.heard.append("(tls)")
                self._talk(self._secured(wire))
                return

    @staticmethod
    def _message(lines: BufferedReader) -> Iterator[bytes]:
        while (line := lines.readline()) != b".\r\n":
            if not line:
                raise _Closed
            yield line

    def _say(self, wire: socket.socket, verb: str) -> None:
        answer = self._says.get(verb, "250 ok")
        if answer == HANG:
            self._stop.wait(5)
        if answer in (HANG, CLOSE):
            raise _Closed
        wire.sendall(answer.encode() + b"\r\n")


def _lines(*words: str) -> str:
    return "\r\n".join([*(f"250-{word}" for word in words[:-1]), f"250 {words[-1]}"])
