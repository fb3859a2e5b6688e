"""From method and path to a handler: templates such as `/incidents/{id}/notes`, tried in order.

A service keeps one router; each group of endpoints adds to it. The template is also the name under which
the journal counts a request, so that figures do not fall apart into single ids.
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
        """Prepend `prefix` to every template."""
        self._prefix = prefix
        self._routes: list[Route[A]] = []

    def on(self, method: str, template: str) -> Callable[[Handler[A]], Handler[A]]:
        """Return a decorator that serves `method` on `template` with the function beneath it."""

        def register(handler: Handler[A]) -> Handler[A]:
            full = self._prefix + template
            pattern = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(full)) + "/?")
            self._routes.append(Route(method, full, pattern, handler))
            return handler

        return register

    def include(self, other: "Router[A]") -> None:
        """Add the routes of another router, after those that are here."""
        self._routes.extend(other._routes)

    def find(self, method: str, path: str) -> tuple[Route[A], dict[str, str]] | None:
        """Return the first route for method and path with what its braces caught, or None."""
        for route in self._routes:
            if route.method == method and (match := route.pattern.fullmatch(path)):
                return route, match.groupdict()
        return None

    def methods(self, path: str) -> list[str]:
        """Return the methods that `path` answers to."""
        return sorted({route.method for route in self._routes if route.pattern.fullmatch(path)})

    def template(self, method: str, path: str) -> str:
        """Return the template of a request, or its path if no route fits."""
        found = self.find(method, path)
        if found:
            return found[0].template
        return next((route.template for route in self._routes if route.pattern.fullmatch(path)), path)
