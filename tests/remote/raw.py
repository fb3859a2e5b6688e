"""A server below HTTP: it answers, trickles, cuts and resets to the byte, and counts what really arrived."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

Step = Callable[[socket.socket, threading.Event], bool]
"""Answers one request on a connection; returns whether the connection stays open."""


def answer(
    body: object = None, status: int = 200, headers: Iterable[tuple[str, str]] = (), raw: bytes | None = None
) -> bytes:
    """The bytes of a whole answer."""
    content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", *(f"{k}: {v}" for k, v in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


def says(*args: object, **more: object) -> Step:
    """Answer and keep the connection."""
    whole = answer(*args, **more)  # type: ignore[arg-type]

    def step(wire: socket.socket, _: threading.Event) -> bool:
        wire.sendall(whole)
        return True

    return step


def writes(*parts: bytes) -> Step:
    """Write these bytes, then close in order."""

    def step(wire: socket.socket, _: threading.Event) -> bool:
        wire.sendall(b"".join(parts))
        return False

    return step


def trickles(whole: bytes, every: float) -> Step:
    """Write one byte at a time, `every` seconds, until it is told to stop."""

    def step(wire: socket.socket, stop: threading.Event) -> bool:
        for byte in whole:
            if stop.wait(every):
                break
            wire.sendall(bytes([byte]))
        return False

    return step


def hangs(wire: socket.socket, stop: threading.Event) -> bool:
    """Say nothing until told to stop."""
    stop.wait(10)
    return False


def resets(wire: socket.socket, _: threading.Event) -> bool:
    """Close with a reset."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


class RawServer:
    """Each request that arrives takes the next step of the script; the last one repeats."""

    def __init__(self, *script: Step, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.stop = threading.Event()
        self._script = list(script)
        self._tls = tls
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.port = self._listening.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        # Closing a socket does not wake the thread that waits on it; shutting it down does.
        for wire in [self._listening, *self._open]:
            with suppress(OSError):
                socket.socket.shutdown(wire, socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(2)
        self._listening.close()

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stop.is_set():
            try:
                wire, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
            self._start(self._serve, wire)

    def _serve(self, wire: socket.socket) -> None:
        try:
            with self._tls.wrap_socket(wire, server_side=True) if self._tls else wire as open_wire:
                open_wire.settimeout(5)
                self._open.append(open_wire)
                while (request := self._read(open_wire)) is not None:
                    with self._lock:
                        self.requests.append(request)
                        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
                    if not step(open_wire, self.stop):
                        return
        except OSError:
            return

    def _read(self, wire: socket.socket) -> bytes | None:
        received = b""
        while b"\r\n\r\n" not in received:
            more = wire.recv(65536)
            if not more:
                return None
            received += more
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            ),
            0,
        )
        while len(body) < length:
            body += wire.recv(65536)
        return head + b"\r\n\r\n" + body
