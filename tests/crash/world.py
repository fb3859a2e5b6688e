"""The other side of the crash proof: the sandbox in a process of its own, with its control port."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.request import Request, urlopen

from syncd.sandbox.cast import START, default_world
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.server import SandboxServer
from syncd.sandbox.world import World


@dataclass
class Sandbox:
    """A sandbox in another process, by its addresses."""

    pid: int
    urls: dict[str, str]

    def control(self, path: str, /, **body: Any) -> Any:
        """Send a request to the control port and return its answer."""
        request = Request(
            f"{self.urls['control']}/_sandbox/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def read(self, path: str) -> Any:
        """Read a path of the control port."""
        with urlopen(f"{self.urls['control']}/_sandbox/{path}", timeout=60) as answer:
            return json.load(answer)

    def act(self, to: str, act: str, /, **arguments: Any) -> Any:
        """Play an act of a person on one of the services."""
        return self.control(f"acts/{to}/{act}", **arguments)

    def stop(self) -> None:
        """End the process."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def start_sandbox(
    seed: int,
    *,
    others_per_hour: float,
    search_lag: float,
    fetch_lag: float = 0.0,
    running: bool = False,
    preset: Callable[[World], None] = lambda _world: None,
) -> Sandbox:
    """Fork a process that serves a world in which colleagues create issues and the index lags.

    Its clock stands still until it is moved, or is the system's (`running`). `preset` fills the world before
    the server starts.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        # Each side closes the end of the pipe that it does not use, or the reader waits for ever.
        os.close(reading)
        clock = SandboxClock((lambda: datetime.now(UTC)) if running else START)
        world = default_world(clock, seed, limits=False)
        world.jira.others(others_per_hour)
        world.jira.site.options.search_lag = search_lag
        world.jira.site.options.fetch_lag = fetch_lag
        preset(world)
        server = SandboxServer(world).start()
        urls = {name: server.url(name) for name in ("pagerduty", "jira", "control")}
        os.write(writing, json.dumps(urls).encode())
        os.close(writing)
        while True:
            signal.pause()
    os.close(writing)
    with os.fdopen(reading) as pipe:
        urls = json.loads(pipe.read())
    return Sandbox(pid, urls)
