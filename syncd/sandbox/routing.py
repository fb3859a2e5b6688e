"""From method and path to a handler, by templates such as `/incidents/{id}/notes`, tried in order.

Each service has one router, and each group of endpoints adds its routes. The journal counts requests by
template, so that the counts do not fall apart into single ids.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from syncd.sandbox.wire import Reply

A = TypeVar("A")
H = TypeVar("H", bound=Callable[..., Reply])
Handler = Callable[[A], Reply]


@dataclass(frozen=True)
class Route(Generic[A]):
    """A template with its handler."""

    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Handler[A]


class Router(Generic[A]):
    """The routes of a service or of a group of its endpoints."""

    def __init__(self, prefix: str = "") -> None:
        """Start without routes; put `prefix` before every template."""
        self._prefix = prefix
        self._routes: list[Route[A]] = []

    def on(self, method: str, template: str) -> Callable[[Handler[A]], Handler[A]]:
        """Return a decorator that serves `method` on `template` with the decorated function."""

        def register(handler: Handler[A]) -> Handler[A]:
            # "/incidents/{id}" becomes a pattern with a named group; both services accept a closing slash.
            full = self._prefix + template
            pattern = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(full)) + "/?")
            self._routes.append(Route(method, full, pattern, handler))
            return handler

        return register

    def include(self, other: "Router[A]") -> None:
        """Add the routes of another router behind the own ones."""
        self._routes.extend(other._routes)

    def find(self, method: str, path: str) -> tuple[Route[A], dict[str, str]] | None:
        """Return the first route for method and path with the values of its braces, or None."""
        for route in self._routes:
            if route.method == method and (match := route.pattern.fullmatch(path)):
                return route, match.groupdict()
        return None

    def methods(self, path: str) -> list[str]:
        """Return the methods that `path` accepts."""
        return sorted({route.method for route in self._routes if route.pattern.fullmatch(path)})

    def template(self, method: str, path: str) -> str:
        """Return the template of a request, or its path if no route matches."""
        match = self.find(method, path)
        if match:
            return match[0].template
        # A request with a wrong method is counted under the template of its path.
        return next((route.template for route in self._routes if route.pattern.fullmatch(path)), path)
