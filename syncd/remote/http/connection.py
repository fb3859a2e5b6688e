"""Connections that know the flight they carry: none opens or sends without a deadline.

urllib3's own connections, with three additions: connecting is bounded as a whole (all addresses of a
name together, proxy tunnel and TLS handshake included) and not address by address; the socket is named
to the flight; and the moment before the first byte of a request leaves is noted, which is what tells
"not done" from "unknown" afterwards. A name look-up cannot be interrupted and keeps the resolver's own
limits; nothing has left by then.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from syncd.remote.http.deadline import current


def dial(host: str, port: int, options: Iterable[tuple[Any, ...]] = ()) -> socket.socket:
    """Connect to the first address of a name that answers, within what is left to the flight.

    Raises OSError (of the last address tried), TimeoutError or `socket.gaierror`.
    """
    flight = current()
    failure = OSError("the name has no address")
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        wire = socket.socket(family, kind, protocol)
        try:
            for option in options:
                wire.setsockopt(*option)
            # A dead first address (IPv6 into nowhere) must leave time for those after it.
            share = flight.left() / (len(found) - tried)
            wire.settimeout(min(flight.left(), max(1.0, share)))
            wire.connect(address)
        except OSError as error:
            wire.close()
            failure = error
            if flight.expired:
                break
        else:
            flight.holds(wire)
            # A TLS handshake takes the socket's timeout as the limit of the whole handshake.
            wire.settimeout(flight.left())
            return wire
    raise failure


class _Guarded(HTTPConnection):
    """What both kinds of connection share."""

    _connecting = False

    def connect(self) -> None:
        """Connect within the flight's connect limit."""
        flight = current()
        flight.connects()
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False
        if flight.expired:
            raise ConnectTimeoutError(self, "no connection in time")
        if self.sock is not None:
            flight.holds(self.sock)

    def _new_conn(self) -> socket.socket:
        try:
            wire = dial(self._dns_host, self.port, self.socket_options or ())
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error
        sys.audit("http.client.connect", self, self.host, self.port)
        return wire

    def send(self, data: Any) -> None:
        """Send, noting that the request leaves unless this still is a proxy's tunnel being made."""
        flight = current()
        if self.sock is None:
            self.connect()
        elif flight.reused and not self._connecting:
            flight.holds(self.sock)
        if not self._connecting:
            flight.leaves()
        super().send(data)


class _Plain(_Guarded):
    pass


class _Secure(_Guarded, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _PlainPool, "https": _SecurePool}
"""The pools by scheme, for a pool manager's `pool_classes_by_scheme`."""
