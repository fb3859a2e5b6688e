"""The decorator `act` for what people and monitoring do on a service.

An act holds the service's lock, first applies what was due, and can be called by name over the control port.
"""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Stage(Protocol):
    """A service on which acts are played."""

    lock: threading.RLock

    def catch_up(self) -> None:
        """Apply what was due by now."""


S = TypeVar("S", bound=Stage)


def act(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Return the method as an act."""

    @wraps(method)
    def played(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            self.catch_up()
            return method(self, *args, **kwargs)

    # The control port offers only methods with this mark, never an inner method.
    played.__dict__["is_act"] = True
    return played


def acts_of(stage: object) -> list[str]:
    """Return the names of all acts of a service, in alphabetical order."""
    return [name for name in dir(type(stage)) if getattr(getattr(type(stage), name), "is_act", False)]
