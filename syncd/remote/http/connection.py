"""Connections that belong to a flight: none opens or sends without a deadline.

These are urllib3's connections with four additions. The connect limit covers the whole (all addresses of a
name, proxy tunnel, TLS handshake), not each address. The socket is registered with the flight. The flight
notes when the first byte of a request leaves, which tells "not done" from "unknown" afterwards. Headers and
body leave in one piece, so that nothing can stop the process between the last check and the body. A name
look-up cannot be interrupted and keeps the resolver's own limits; nothing has left by then.
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from syncd.remote.http.deadline import current


def dial(host: str, port: int, options: Iterable[tuple[Any, ...]] = ()) -> socket.socket:
    """Return a connection to the first address of a name that answers, within the flight's limit.

    Raise OSError (of the last address tried), TimeoutError or `socket.gaierror`.
    """
    flight = current()
    failure = OSError("the name has no address")
    addresses = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        wire = socket.socket(family, kind, protocol)
        try:
            for option in options:
                wire.setsockopt(*option)
            # a dead first address (such as IPv6 without a route) must leave time for the others
            share = flight.left() / (len(addresses) - tried)
            wire.settimeout(min(flight.left(), max(1.0, share)))
            wire.connect(address)
        except OSError as error:
            wire.close()
            failure = error
            if flight.expired:
                break
        else:
            flight.holds(wire)
            # the TLS handshake takes the socket's timeout as its limit
            wire.settimeout(flight.left())
            return wire
    raise failure


class _Guarded(HTTPConnection):
    """The part that plain and TLS connections share."""

    _connecting = False
    _body_follows = False
    _headers = b""

    def request(self, method: str, url: str, body: Any = None, *args: Any, **named: Any) -> None:
        """Send a request; a body of one piece leaves together with the headers."""
        self._body_follows, self._headers = isinstance(body, bytes | str) and bool(body), b""
        super().request(method, url, body, *args, **named)

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
        """Send; note that the request leaves, unless this still builds a proxy's tunnel."""
        if self._body_follows and not self._connecting:
            self._body_follows, self._headers = False, data
            return
        flight = current()
        if self.sock is None:
            self.connect()
        # a kept connection: the watchdog has to know its socket
        elif flight.reused and not self._connecting:
            flight.holds(self.sock)
        if not self._connecting:
            flight.leaves()
            data, self._headers = self._headers + data if self._headers else data, b""
        super().send(data)


class _Plain(_Guarded):
    pass


class _Secure(_Guarded, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


@lru_cache(maxsize=4)
def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return the TLS context of all connections that trust these certificates; it verifies each server."""
    # loading the certificates costs more processor time than a quiet cycle: load them once a process
    context = create_urllib3_context()
    context.load_verify_locations(cafile=ca_file)
    return context


POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _PlainPool, "https": _SecurePool}
"""The pools by scheme, for a pool manager's `pool_classes_by_scheme`."""
