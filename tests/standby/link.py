"""A link between a daemon and its database on loopback that can be cut: a small TCP proxy."""

from __future__ import annotations

import selectors
import socket
from contextlib import suppress
from threading import Thread


class Link:
    """Forwards connections on a port of its own to the Unix socket of a database.

    A cut link takes and delivers nothing, and tells neither side: both connections stay open, as behind a
    firewall that forgot them. `mend` ends the connections of the time before, and lets new ones through.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._wires: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._cut = self._ended = False
        self._thread = Thread(target=self._run, name="link", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Let nothing through from now on."""
        self._cut = True
        self._wake.send(b"x")

    def mend(self) -> None:
        """End what was cut, and let new connections through."""
        self._cut = False
        self._wake.send(b"m")

    def close(self) -> None:
        """End all connections."""
        self._ended = True
        self._wake.send(b"x")
        self._thread.join(5)

    def _run(self) -> None:
        while not self._ended:
            for key, _ in self._selector.select(5 if not self._cut else None):
                wire = key.fileobj
                assert isinstance(wire, socket.socket)
                if wire is self._woken:
                    if b"m" in wire.recv(64):
                        self._drop_all()
                elif self._cut:
                    # what arrives stays unread
                    self._selector.unregister(wire)
                elif wire is self._listening:
                    self._open()
                else:
                    self._carry(wire)
            if not self._cut and self._listening not in {k.fileobj for k in self._keys()}:
                self._selector.register(self._listening, selectors.EVENT_READ)
        self._drop_all()
        for mine in (self._listening, self._wake, self._woken, self._selector):
            mine.close()

    def _keys(self) -> list[selectors.SelectorKey]:
        return list(self._selector.get_map().values())

    def _open(self) -> None:
        near, _ = self._listening.accept()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(self._database)
        except OSError:
            near.close()
            return
        for wire, other in ((near, far), (far, near)):
            self._wires[wire] = other
            self._selector.register(wire, selectors.EVENT_READ)

    def _carry(self, wire: socket.socket) -> None:
        other = self._wires.get(wire)
        data = b""
        with suppress(OSError):
            data = wire.recv(65536)
            if data and other is not None:
                other.sendall(data)
                return
        self._drop(wire)

    def _drop(self, wire: socket.socket) -> None:
        other = self._wires.pop(wire, None)
        for end in (wire, other):
            if end is not None:
                self._wires.pop(end, None)
                with suppress(KeyError, ValueError):
                    self._selector.unregister(end)
                end.close()

    def _drop_all(self) -> None:
        for wire in list(self._wires):
            self._drop(wire)
