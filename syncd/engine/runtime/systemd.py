"""Notify the service manager that started the daemon (systemd's `sd_notify`).

The protocol is one datagram of `NAME=value` lines to the socket in `$NOTIFY_SOCKET`. Without a socket, or if
nobody listens there, syncd sends nothing and goes on.
"""

from __future__ import annotations

import os
import socket
import time  # noqa: TID251 - the protocol asks for CLOCK_MONOTONIC by name
from collections.abc import Mapping
from contextlib import suppress

from syncd.domain.text import strip_controls

LONGEST_STATUS = 300


class Supervisor:
    """The service manager; it kills syncd after `watchdog` seconds without a word (None: never)."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        variables = os.environ if environment is None else environment
        address = variables.get("NOTIFY_SOCKET", "")
        # an abstract address is written with @ and begins with a zero byte
        self._address = "\0" + address[1:] if address.startswith("@") else address
        microseconds, pid = variables.get("WATCHDOG_USEC", ""), variables.get("WATCHDOG_PID", "")
        # a child process inherits the variables of its parent's watchdog
        ours = not pid or pid == str(os.getpid())
        self.watchdog = int(microseconds) / 1e6 if microseconds.isdecimal() and ours else None
        self._stopping = False

    @property
    def listens(self) -> bool:
        """True if there is a service manager to notify."""
        return bool(self._address)

    def ready(self) -> None:
        """Tell that syncd has started, or that a reload ended."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Tell that syncd reads the mappings anew; `ready` ends it."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Tell that syncd is stopping; no status follows it."""
        self._stopping = True
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Tell that syncd is running: the `watchdog` seconds begin anew."""
        self._tell("WATCHDOG=1")

    def status(self, line: str) -> None:
        """Set the line that `systemctl status` shows; a cycle that ends after `stopping` changes nothing."""
        if not self._stopping:
            self._tell("STATUS=" + strip_controls(line.replace("\n", " "))[:LONGEST_STATUS])

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.settimeout(1.0)
            out.connect(self._address)
            out.sendall("\n".join(lines).encode())
