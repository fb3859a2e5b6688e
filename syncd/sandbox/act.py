"""What makes a method an act: it holds the service's lock, lets pass what was due, and is offered by name."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Stage(Protocol):
    """Where acts happen."""

    lock: threading.RLock

    def catch_up(self) -> None:
        """Let happen what was due by now."""


S = TypeVar("S", bound=Stage)


def act(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Make a method an act."""

    @wraps(method)
    def played(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            self.catch_up()
            return method(self, *args, **kwargs)

    played.__dict__["is_act"] = True
    return played


def acts_of(stage: object) -> list[str]:
    """Return the names of all acts that can be played on a stage, in alphabetical order."""
    return [name for name in dir(type(stage)) if getattr(getattr(type(stage), name), "is_act", False)]
