"""Debian's Chromium without a window, driven over its debugging pipe (no driver, no network)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")


class Tab:
    """One tab; `events` are what the browser told, by method."""

    def __init__(self, to: int, of: int) -> None:
        self._to, self._of, self._rest = to, of, b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the browser, and return its answer."""
        self._number += 1
        order = {"id": self._number, "method": method, "params": params}
        order |= {"sessionId": self._session} if self._session else {}
        os.write(self._to, json.dumps(order).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._of, 1 << 16)
            assert more, "the browser has ended"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, url: str) -> None:
        """Load a page, until its load event."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._next()

    def view(self, width: int, scheme: str) -> None:
        """Set the width in pixels, and the scheme: `light` or `dark`."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def value(self, expression: str) -> Any:
        """Return the value of an expression on the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]
        return result.get("value")

    def press_tab(self) -> None:
        """Press the tabulator key."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)


@contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """Yield a tab of a fresh browser that keeps its profile in `folder`."""
    order_end, orders = os.pipe()
    answers, answer_end = os.pipe()
    command = [
        str(CHROMIUM),
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={folder}"),
    ]
    # Chromium reads orders from descriptor 3 and writes answers to descriptor 4; bash puts them there
    line = f'exec "$@" 3<&{order_end} 4>&{answer_end}'
    process = subprocess.Popen(
        ["/bin/bash", "-c", line, "bash", *command],
        pass_fds=(order_end, answer_end),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(order_end)
    os.close(answer_end)
    try:
        yield Tab(orders, answers)
    finally:
        process.kill()
        process.wait()
        os.close(orders)
        os.close(answers)
