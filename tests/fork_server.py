"""Start scripts as processes that import nothing: a process with everything imported forks for each of them.

A worker of pytest starts one such process, without threads, when the first test asks for it. A child gets its
own arguments, environment, folder and streams, and the signals of any process; only the imports are those of
its parent. Tests of the executable itself, and of what begins before Python does, start a new process.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import time  # noqa: TID251 - a child takes the zone of its own environment
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

TESTS = Path(__file__).parent
PATHS = [str(TESTS.parent), str(TESTS)]
START = f"import sys; sys.path[:0] = {PATHS!r}; import fork_server; exec(fork_server.job())"
PACKAGES = ("syncd.commands", "syncd.engine", "syncd.sandbox", "syncd.web")
LAZY = (
    "syncd.cli",
    "syncd.daemon",
    "shifted_clock",
    "uvicorn.protocols.http.h11_impl",
    "uvicorn.lifespan.on",
)
"""What is imported only when it is needed."""


class Forked:
    """A started script, with the part of `subprocess.Popen` that tests use; its standard output is a pipe."""

    def __init__(self, server: Server, job: dict[str, Any], err: int) -> None:
        out, theirs = os.pipe()
        self._line, line = socket.socketpair()
        with line:
            # the child reads its job here, afterwards the server writes what became of it
            self._line.sendall(json.dumps(job).encode() + b"\n")
            server.start([line.fileno(), theirs, err])
        os.close(theirs)
        self.stdout = os.fdopen(out, encoding="utf-8")
        self.returncode: int | None = None
        self._answers = self._line.makefile("r")
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        """Return the exit code, None while the process runs; minus the signal that killed it."""
        if self.returncode is None and select.select([self._line], [], [], 0)[0]:
            self.returncode = int(self._answers.readline())
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process and return its exit code."""
        if self.returncode is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("fork", timeout or 0)
            self.returncode = int(self._answers.readline())
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Read standard output to its end, wait, and close everything."""
        out = "" if self.stdout.closed else self.stdout.read()
        self.wait(timeout)
        self.stdout.close()
        self._answers.close()
        self._line.close()
        return out, None


class Server:
    """The process that forks, as its user sees it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", START, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(self, files: list[int]) -> None:
        """Fork a child with these open files: its line to us, its standard output and error."""
        socket.send_fds(self._control, [b"."], files)

    def stop(self) -> None:
        """End the process and all children that still run."""
        self._control.close()
        self._process.wait()


@cache
def _server() -> Server:
    server = Server()
    atexit.register(server.stop)
    return server


def start(source: str, args: tuple[str, ...], err: int, folder: Path) -> Forked:
    """Run Python text as a process with this process's environment; `err` is the file of its errors."""
    job = {"source": source, "args": args, "folder": str(folder), "environment": dict(os.environ)}
    return Forked(_server(), job, err)


def job() -> Any:
    """Fork for each request until the user ends; return in each child the code that it is to run."""
    control = socket.socket(fileno=int(sys.argv[1]))
    _import_everything()
    woken, wake = socket.socketpair()
    for end in (woken, wake):
        end.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            _report_ended(children)
        if control in ready:
            request, files, _, _ = socket.recv_fds(control, 1, 3)
            if not request:
                _end(children)
            pid = os.fork()
            if not pid:
                for each in (control, woken, wake, *children.values()):
                    each.close()
                return _become(*files)
            children[pid] = socket.socket(fileno=files[0])
            children[pid].sendall(b"%d\n" % pid)
            os.close(files[1])
            os.close(files[2])


def _import_everything() -> None:
    for name in (*LAZY, *PACKAGES):
        importlib.import_module(name)
    for name in PACKAGES:
        for module in pkgutil.walk_packages(sys.modules[name].__path__, f"{name}."):
            importlib.import_module(module.name)
    gc.collect()
    # objects that no collection visits stay in the memory that all children share
    gc.freeze()


def _report_ended(children: dict[int, socket.socket]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        # the test that started it may have lost its interest
        with children.pop(pid) as line, suppress(BrokenPipeError):
            line.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _end(children: dict[int, socket.socket]) -> NoReturn:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


def _become(line: int, out: int, err: int) -> Any:
    with socket.socket(fileno=line) as of_parent, of_parent.makefile("r") as text:
        job = json.loads(text.readline())
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for file, number in ((out, 1), (err, 2)):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(job["environment"])
    time.tzset()
    os.chdir(job["folder"])
    sys.argv = ["-c", *job["args"]]
    return compile(job["source"], "<string>", "exec")
