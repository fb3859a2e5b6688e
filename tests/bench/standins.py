"""The services in a process of their own: the sandbox's worlds behind a server that is lean and takes times.

The sandbox is strict: it checks the shape of each request as the real services do. Its own server spends more
time on HTTP than on the answer; this one spends little, so that it takes few of the processors from the
daemon. It stamps the arrival and the answer of every request.

`python -m bench.standins PAST DAYS SEVERITIES` serves until its standard input ends; `start` runs it.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote
from urllib.request import Request, urlopen

from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY, default_world
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.control import Control
from syncd.sandbox.mail import MailSandbox
from syncd.sandbox.presets import DONE, IN_PROGRESS, TO_DO
from syncd.sandbox.wire import Call, Reply
from syncd.sandbox.world import World

HOST = "127.0.0.1"
SERVICES = ("pagerduty", "jira", "control")
PAST_DAYS = 13.0
PERSON = "Amara Osei"
STATUS = {"triggered": TO_DO.id, "acknowledged": IN_PROGRESS.id, "resolved": DONE.id}
MARK = re.compile(rb'"incident": ?"(\w+)"')


@dataclass(frozen=True)
class Line:
    """One request: what it was, seconds (Unix time) of arrival and answer, incidents marked in its body."""

    name: str
    path: str
    status: int
    began: float
    ended: float
    incidents: list[str]


class Front:
    """Listens for both services and the control port; one thread serves one connection."""

    def __init__(self, world: World, mail: MailSandbox) -> None:
        self.world, self.mail = world, mail
        self.lines: list[Line] = []
        self.delay = 0.0
        self._sockets = {name: socket.create_server((HOST, 0), backlog=256) for name in SERVICES}
        self._control = Control(world, self)
        for method, path, handler in (
            ("POST", "/storm", self._storm),
            ("POST", "/delay", self._set_delay),
            ("POST", "/lines/clear", self._clear),
            ("POST", "/age", self._age),
            ("GET", "/lines", self._show_lines),
            ("GET", "/progress", self._progress),
            ("GET", "/wrong", self._wrong),
            ("GET", "/open", self._open),
            ("GET", "/letters", self._letters),
        ):
            self._control.routes.on(method, path)(handler)
        world.pagerduty.account.base_url = self.url("pagerduty")
        world.jira.site.base_url = self.url("jira")

    def url(self, name: str) -> str:
        """Return the base URL of a service; of one that is not served here, that of the control port."""
        return f"http://{HOST}:{self._sockets.get(name, self._sockets['control']).getsockname()[1]}"

    def open_door(self, name: str) -> None:
        """Do nothing: all ports are open."""

    def close_door(self, name: str) -> None:
        """Do nothing: all ports stay open."""

    def serve(self) -> None:
        """Serve all ports, each in a thread."""
        for name, listening in self._sockets.items():
            threading.Thread(target=self._accept, args=(name, listening), daemon=True).start()

    def _accept(self, name: str, listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._converse, args=(name, connection), daemon=True).start()

    def _converse(self, name: str, connection: socket.socket) -> None:
        with suppress(ConnectionError), connection, connection.makefile("rb") as reader:
            while first := reader.readline():
                began = time.time()
                method, target, _ = first.decode("latin-1").split(" ", 2)
                headers = {}
                while (line := reader.readline().strip()) and b":" in line:
                    key, _, value = line.decode("latin-1").partition(":")
                    headers[key.strip().lower()] = value.strip()
                body = reader.read(int(headers.get("content-length", 0)))
                path, _, query = target.partition("?")
                pairs = parse_qsl(query, keep_blank_values=True) if query else []
                call = Call(method, unquote(path), pairs, headers, body)
                connection.sendall(self._answer(name, call, began))

    def _answer(self, name: str, call: Call, began: float) -> bytes:
        if name == "control":
            return self._bytes(self._control.handle(call))
        if self.delay:
            time.sleep(self.delay)
        reply = self.world.answer(name, call).reply or Reply(500)
        answer = self._bytes(reply)
        asked = f"{name} {call.method} {self.world.service(name).template(call)}"
        marks = [mark.decode() for mark in MARK.findall(call.body)] if call.method == "POST" else []
        self.lines.append(Line(asked, call.path, reply.status, began, time.time(), marks))
        return answer

    def _bytes(self, reply: Reply) -> bytes:
        lines = [f"HTTP/1.1 {reply.status} .", f"Date: {format_datetime(self.world.clock(), usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        if reply.status != 204:
            lines.append(f"Content-Length: {len(reply.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + reply.body

    def _storm(self, asked: tuple[Call, dict[str, str]]) -> Reply:
        body, pagerduty = asked[0].json(), self.world.pagerduty
        with pagerduty.lock:
            made = [
                pagerduty.trigger(body["service"], f"{body['title']} {number}", priority=body["priority"]).id
                for number in range(body["count"])
            ]
        return Reply.of({"incidents": made})

    def _set_delay(self, asked: tuple[Call, dict[str, str]]) -> Reply:
        self.delay = float(asked[0].json()["seconds"])
        return Reply.of({})

    def _clear(self, _: tuple[Call, dict[str, str]]) -> Reply:
        self.lines.clear()
        return Reply.of({})

    def _age(self, asked: tuple[Call, dict[str, str]]) -> Reply:
        """Let all that happened until now have happened earlier, so that no poll's window reaches it."""
        earlier = timedelta(seconds=float(asked[0].json()["seconds"]))
        pagerduty, jira = self.world.pagerduty, self.world.jira
        with jira.lock, pagerduty.lock:
            for entry in pagerduty.account.log:
                entry.created_at -= earlier
            for issue in jira.site.issues.values():
                issue.records[-1] = replace(issue.now, updated=issue.now.updated - earlier)
        return Reply.of({})

    def _show_lines(self, _: tuple[Call, dict[str, str]]) -> Reply:
        return Reply.of([list(line.__dict__.values()) for line in list(self.lines)])

    def _progress(self, _: tuple[Call, dict[str, str]]) -> Reply:
        incidents = list(self.world.pagerduty.account.incidents.values())
        return Reply.of(
            {
                "incidents": len(incidents),
                "issues": len(self.world.jira.site.issues),
                "notes": sum(len(incident.notes) for incident in incidents),
                "letters": len(self.mail.letters),
            }
        )

    def _wrong(self, _: tuple[Call, dict[str, str]]) -> Reply:
        """Name the incidents that have not exactly one ticket in the right status."""
        tickets: dict[str, list[str]] = {}
        with self.world.jira.lock, self.world.pagerduty.lock:
            for issue in self.world.jira.site.issues.values():
                mark = issue.now.properties.get("syncd")
                if issue.deleted_at is None and mark and mark["kind"] == "create_ticket":
                    tickets.setdefault(mark["incident"], []).append(issue.now.status_id)
            incidents = list(self.world.pagerduty.account.incidents.values())
            wrong = [row.id for row in incidents if tickets.get(row.id) != [STATUS[row.status]]]
        return Reply.of({"wrong": wrong})

    def _open(self, _: tuple[Call, dict[str, str]]) -> Reply:
        """Return the priorities of the open incidents, by incident."""
        account = self.world.pagerduty.account
        return Reply.of(
            {
                incident.id: account.priorities[incident.priority_id].name if incident.priority_id else ""
                for incident in list(account.incidents.values())
                if incident.is_open
            }
        )

    def _letters(self, _: tuple[Call, dict[str, str]]) -> Reply:
        rows = [
            {"to": letter.recipients, "subject": str(letter.message["Subject"]), "at": letter.at.timestamp()}
            for letter in self.mail.letters
        ]
        return Reply.of(rows)


def fill_past(world: World, clock: SandboxClock, count: int, severities: str, until: datetime) -> None:
    """Let `count` incidents happen, four of five of them resolved, in the time until then."""
    people, wanted = world.pagerduty, severities.split(",")
    every = (until - clock.now()).total_seconds() / max(1, count)
    for number in range(count):
        made = people.trigger(
            "Alipay Integration", f"Past trouble {number}", priority=wanted[number % len(wanted)]
        )
        clock.advance(every / 2)
        # of the open ones every other is acknowledged, in each severity
        if number % 5 or (number // 5) % 2:
            people.acknowledge(made.id, PERSON)
        if number % 5:
            people.resolve(made.id, PERSON)
        clock.advance(every / 2)


def main() -> None:
    """Serve until the standard input ends."""
    count, severities = int(sys.argv[1]), sys.argv[2]
    behind = timedelta(days=PAST_DAYS if count else 0)
    clock = SandboxClock(lambda: datetime.now(UTC) - behind)
    world = default_world(clock, 1, limits=False)
    world.jira.site.options.search_lag = 0.0
    if count:
        fill_past(world, clock, count, severities, datetime.now(UTC) - timedelta(minutes=5))
        clock.set(datetime.now(UTC))
    with MailSandbox(clock) as mail:
        front = Front(world, mail)
        front.serve()
        urls = {name: front.url(name) for name in SERVICES}
        sys.stdout.write(json.dumps({"urls": urls, "mail": mail.port}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


def python_path() -> str:
    """Return the path on which a process finds what this one finds, whatever folder it runs in."""
    return os.pathsep.join(str(Path(path).resolve()) for path in sys.path)


class StandIns:
    """The process of the services, seen from the bench."""

    def __init__(self, past: int = 0, severities: str = "P1,P2,P3,P4") -> None:
        """Start it, with `past` incidents of these priorities in turn."""
        environment = os.environ | {"PYTHONPATH": python_path()}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.standins", str(past), severities],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self.urls: dict[str, str] = told["urls"]
        self.mail_port: int = told["mail"]

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """Return the settings of a daemon that works on these services."""
        return {
            "SYNCD_PAGERDUTY_URL": self.urls["pagerduty"],
            "SYNCD_PAGERDUTY_TOKEN": PAGERDUTY_KEY,
            "SYNCD_PAGERDUTY_FROM": BOT_EMAIL,
            "SYNCD_JIRA_URL": self.urls["jira"],
            "SYNCD_JIRA_EMAIL": BOT_EMAIL,
            "SYNCD_JIRA_TOKEN": JIRA_KEY,
            "SYNCD_SMTP_HOST": HOST,
            "SYNCD_SMTP_PORT": str(self.mail_port),
            "SYNCD_SMTP_SECURITY": "none",
            "SYNCD_SMTP_FROM": BOT_EMAIL,
        }

    def read(self, path: str) -> Any:
        """Read a path of the control port."""
        with urlopen(f"{self.urls['control']}/_sandbox/{path}", timeout=60) as answer:
            return json.load(answer)

    def post(self, path: str, **body: Any) -> Any:
        """Send a request to the control port."""
        request = Request(f"{self.urls['control']}/_sandbox/{path}", json.dumps(body).encode())
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def act(self, act: str, **arguments: Any) -> Any:
        """Let a person act in PagerDuty."""
        return self.post(f"acts/pagerduty/{act}", **arguments)

    def lines(self) -> list[Line]:
        """Return all requests since the start or the last `lines/clear`, in the order of their answers."""
        return [Line(*row) for row in self.read("lines")]

    def counts(self) -> Counter[str]:
        """Return the number of requests by service, method and path."""
        return Counter(line.name for line in self.lines())

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


if __name__ == "__main__":
    main()
