"""What the daemon tells the service manager that started it (systemd's `sd_notify`), in twenty lines.

The protocol is one datagram of `NAME=value` lines to the socket in `$NOTIFY_SOCKET`. Without one, or when
nobody listens there, nothing is said and nothing breaks.
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
    """The service manager; `watchdog` is after how many seconds of silence it ends us, None: never."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        address = given.get("NOTIFY_SOCKET", "")
        # an abstract address is written with @ and begins with a zero byte
        self._address = "\0" + address[1:] if address.startswith("@") else address
        microseconds, pid = given.get("WATCHDOG_USEC", ""), given.get("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        self.watchdog = int(microseconds) / 1e6 if microseconds.isdecimal() and ours else None

    def ready(self) -> None:
        """Everything is up, or a reload came to its end."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """The mappings are read anew; `ready` ends it."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Nothing new starts."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Another stretch of `watchdog` seconds begins."""
        self._tell("WATCHDOG=1")

    def status(self, line: str) -> None:
        """What `systemctl status` shows."""
        self._tell("STATUS=" + strip_controls(line.replace("\n", " "))[:LONGEST_STATUS])

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.settimeout(1.0)
            out.connect(self._address)
            out.sendall("\n".join(lines).encode())
