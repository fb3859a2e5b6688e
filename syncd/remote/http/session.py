"""Hand a client library's requests to the transport with less preparation.

The libraries form addresses, parameters, headers and logins. For each request `requests` then merges hooks,
cookies, proxies and settings anew, and the libraries look for reasons to repeat it. Nothing of this differs
between two requests of syncd, and the transport alone decides about repetition. So the library prepares the
first request of each method, and its headers serve all later ones.
"""

from __future__ import annotations

import json as encoder
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

from requests import PreparedRequest, Request, Response, Session
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict

_AS_IT_IS = re.compile(r"https?://[a-z0-9][a-z0-9.-]*(?::[0-9]+)?(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
"""Addresses that `requests` sends as they are: without user, query, escapes and dot segments."""


class DirectSession(Session):
    """A session whose requests go straight to its adapter; mix it in before a library's session."""

    def request(  # type: ignore[override] # the transport decides about all else that `requests` takes
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: str | None = None,
        json: Any = None,
        **_: Any,
    ) -> Response:
        """Send a request with the session's headers and login; return the answer, or raise `RemoteError`.

        `data` is JSON in ASCII; `json` is what has to become JSON. Other arguments have no effect.
        """
        request = PreparedRequest()
        request.method = method
        if _AS_IT_IS.fullmatch(url):
            query = _query(params) if params else ""
            request.url = f"{url}?{query}" if query else url
        else:
            request.prepare_url(url, params)
        request.headers = self._headers(method, url).copy()
        body = data if json is None else encoder.dumps(json, allow_nan=False)
        if body:
            request.body = body.encode()
            request.headers["Content-Length"] = str(len(request.body))
        # a site behind a load balancer keeps us at one of its nodes by a cookie
        if self.cookies:
            request.prepare_cookies(self.cookies)
        response = self.get_adapter(url).send(request, proxies=self.proxies)
        if "Set-Cookie" in response.headers:
            extract_cookies_to_jar(self.cookies, request, response.raw)  # type: ignore[no-untyped-call] # so shipped
        return response

    def headers_for(self, method: str) -> Mapping[str, Any]:
        """Return the headers that the library gives to a request."""
        return self.headers

    def _headers(self, method: str, url: str) -> CaseInsensitiveDict[str]:
        """Return the headers of a request without a body; the library forms them once for each method."""
        known: dict[str, CaseInsensitiveDict[str]] = self.__dict__.setdefault("headers_of_method", {})
        if method not in known:
            first = Request(method, url, headers=self.headers_for(method))
            known[method] = self.prepare_request(first).headers
            known[method].pop("Cookie", None)
        return known[method]


def _query(params: Mapping[str, Any]) -> str:
    pairs = (
        (name, item)
        for name, value in params.items()
        for item in (value if isinstance(value, list | tuple) else [value])
    )
    return "&".join(f"{_quoted(name)}={_quoted(str(item))}" for name, item in pairs if item is not None)


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    # all parameters of a poll but its times are those of the poll before
    return quote_plus(text)
