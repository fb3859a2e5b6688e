"""`make strangers`: the real daemon among strangers, and after answers that want all its memory.

The daemon runs as a process of its own with 1,024 descriptors, on a sandbox and a mail server. Strangers in
another process hold 2,000 idle connections to its listener and forge 10,000 deliveries, while an incident
reaches SEV0. Then both services give hostile answers. It exits with 1 if the ticket or the notices are late,
a forged delivery is taken, a signed one is not, or the daemon's memory is not back afterwards.
"""

from __future__ import annotations

import argparse
import gzip
import hmac
import json
import multiprocessing
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from syncd.sandbox import dump, faults
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY, default_world
from syncd.sandbox.mail import MailSandbox
from syncd.sandbox.server import SandboxServer
from syncd.sandbox.world import World

IDLE, FORGED = 2_000, 10_000
DESCRIPTORS = 1_024
"""What most systems give a process; the shipped unit gives more."""
POLL_SECONDS = 1.0
IN_TIME = 60.0
"""Seconds from a SEV0 to its ticket and all notices; attackers and sandbox share the machine with syncd."""
MOST_KEPT = 50.0
"""Megabytes that the daemon may be larger than before, after hostile answers."""
NOTICES = 2
"""QRPay's SEV0 has two contacts."""
PATIENCE = 120.0
LIMIT = 300.0
"""Seconds of the whole run; no hostile answer begins later."""
READS = {"pagerduty": "", "jira": "/search"}
"""The paths of the requests that get hostile answers."""
STRIKES = 3
"""Hostile answers of a service in a row; after them syncd counts it as down."""
SECRET = "the-secret-of-the-proof"
MIB = 1024 * 1024


@dataclass
class Daemon:
    """The daemon's process, what it speaks to, and what it logs."""

    process: subprocess.Popen[bytes]
    world: World
    mail: MailSandbox
    log: Path
    problems: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        """The port of the listener."""
        match = re.search(r"listening on 127\.0\.0\.1:(\d+)", self.log.read_text())
        return int(match[1]) if match else 0

    def memory(self) -> float:
        """Return the resident megabytes of the process."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / MIB

    def peak(self) -> float:
        """Return the most resident megabytes since `forget_peak`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index] # Linux has it

    def forget_peak(self) -> None:
        """Count the most memory from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def files(self) -> int:
        """Return the number of open descriptors."""
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())

    def tickets(self, incident: str) -> int:
        """Return how many tickets an incident has."""
        issues = dump.whole(self.world)["jira"]["issues"]
        return sum(issue["properties"].get("syncd", {}).get("incident") == incident for issue in issues)

    def cycles(self) -> int:
        """Return how many times the daemon has asked for PagerDuty's log."""
        return len(self.world.journal.lines(service="pagerduty", pattern="/log_entries"))

    def check(self, holds: bool, problem: str) -> None:
        """Note a problem unless what was promised holds."""
        if not holds:
            self.problems.append(problem)


def seconds_until(true: Callable[[], Any], patience: float = PATIENCE) -> float:
    """Return how long it took until something was true, infinity if it did not become true."""
    began = time.perf_counter()
    while not true():
        if time.perf_counter() - began > patience:
            return float("inf")
        time.sleep(0.05)
    return time.perf_counter() - began


@contextmanager
def daemon(folder: Path) -> Iterator[Daemon]:
    """Start the sandbox, the mail server and the daemon; stop all three at the end."""
    world = default_world(lambda: datetime.now(UTC), limits=False)
    with SandboxServer(world) as server, MailSandbox(world.clock) as mail:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SYNCD_")} | {
            "SYNCD_STATE_DIR": str(folder / "state"),
            "SYNCD_MAPPINGS_DIR": str(folder / "mappings"),
            "SYNCD_PAGERDUTY_URL": server.url("pagerduty"),
            "SYNCD_PAGERDUTY_TOKEN": PAGERDUTY_KEY,
            "SYNCD_PAGERDUTY_FROM": BOT_EMAIL,
            "SYNCD_JIRA_URL": server.url("jira"),
            "SYNCD_JIRA_EMAIL": BOT_EMAIL,
            "SYNCD_JIRA_TOKEN": JIRA_KEY,
            "SYNCD_POLL_SECONDS": str(POLL_SECONDS),
            "SYNCD_HTTP_LISTEN": "127.0.0.1:0",
            "SYNCD_PAGERDUTY_WEBHOOK_SECRETS": SECRET,
            "SYNCD_JIRA_WEBHOOK_SECRET": SECRET,
            "SYNCD_SMTP_HOST": "127.0.0.1",
            "SYNCD_SMTP_PORT": str(mail.port),
            "SYNCD_SMTP_SECURITY": "none",
            "SYNCD_SMTP_FROM": "syncd@qrpay.example",
        }
        syncd = [sys.executable, "-m", "syncd"]
        init = [*syncd, "init", str(folder / "mappings"), "--example", "qrpay"]
        subprocess.run(init, env=environment, check=True, stdout=subprocess.DEVNULL)
        log = folder / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*syncd, "run"], env=environment, stderr=out, cwd=folder, preexec_fn=_few_descriptors
            )
        made = Daemon(process, world, mail, log)
        try:
            seconds_until(lambda: made.port and made.cycles() > 2)
            yield made
        finally:
            process.terminate()
            made.check(process.wait(PATIENCE) == 0, f"the daemon ended with {process.returncode}")


def _few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


def strangers(port: int, ready: Any, over: Any, told: Any) -> None:
    """Hold idle connections and forge deliveries until `over`; tell the statuses of the answers."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    begun = (b"", b"GET /heal", b"POST /webhooks/jira HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{")
    held: list[socket.socket] = []
    # the listener closes silent connections: come again, so that there are always as many
    for number in range(IDLE):
        held.append(_idle(port, begun[number % 3]))
    ready.set()
    answers: Counter[str] = Counter()
    with ThreadPoolExecutor(8) as pool:
        for number, status in enumerate(pool.map(lambda number: _forge(port, number), range(FORGED))):
            answers[status] += 1
            place = number % IDLE
            held[place].close()
            held[place] = _idle(port, begun[number % 3])
    over.wait()
    told.put(dict(answers))


def _idle(port: int, first: bytes) -> socket.socket:
    connection = socket.socket()
    connection.settimeout(10)
    with suppress(OSError):
        connection.connect(("127.0.0.1", port))
        connection.sendall(first)
    return connection


def _forge(port: int, number: int) -> str:
    service = ("pagerduty", "jira")[number % 2]
    headers = {"X-PagerDuty-Signature": "v1=00", "X-Hub-Signature": "sha256=00"}
    body = json.dumps({"event": {"id": str(number), "event_type": "incident.triggered"}})
    try:
        url = f"http://127.0.0.1:{port}/webhooks/{service}"
        return str(requests.post(url, data=body, headers=headers, timeout=30).status_code)
    except requests.RequestException as error:
        return type(error).__name__


def _gravest(house: Daemon, title: str) -> tuple[str, float]:
    """Let an incident reach SEV0; return its id and the seconds until ticket and notices are there."""
    before = len(house.mail.letters)
    made = house.world.pagerduty.trigger("Core QRPay Web", title, priority="P1").id
    took = seconds_until(lambda: house.tickets(made) and len(house.mail.letters) >= before + NOTICES)
    return made, took


def among_strangers(house: Daemon) -> str:
    """Let an incident reach SEV0 among strangers; return the figures in words."""
    _first, alone = _gravest(house, "Before the strangers came")
    context = multiprocessing.get_context("spawn")
    ready, over, told = context.Event(), context.Event(), context.Queue()
    attack = context.Process(target=strangers, args=(house.port, ready, over, told))
    attack.start()
    ready.wait(PATIENCE)
    made, took = _gravest(house, "All payments fail")
    files = house.files()
    delivered = [_signed(house, made, number) for number in range(20)]
    over.set()
    answers = Counter(told.get(timeout=600))
    attack.join(PATIENCE)
    forged_lines = house.log.read_text().count("without a valid signature")
    house.check(took <= IN_TIME, f"ticket and notices of a SEV0 took {took:.1f} s among strangers")
    house.check(house.tickets(made) == 1, f"the SEV0 has {house.tickets(made)} tickets")
    house.check(not any(status.startswith("2") for status in answers), f"forged deliveries: {dict(answers)}")
    house.check(set(delivered) == {202}, f"signed deliveries were answered {delivered}")
    house.check(files < DESCRIPTORS / 2, f"the daemon had {files} open descriptors")
    return (
        f"{IDLE} idle connections, {FORGED} forged deliveries ({dict(answers)}), {forged_lines} log lines"
        f" about them; ticket and notices of a SEV0 after {took:.1f} s ({alone:.1f} s before the strangers"
        f" came); {files} descriptors open;"
        f" {len(delivered)} signed deliveries: {dict(Counter(delivered))}"
    )


def _signed(house: Daemon, incident: str, number: int) -> int:
    data = {"id": incident, "type": "incident"}
    event = {"id": f"SIGNED{number}", "event_type": "incident.acknowledged", "data": data}
    body = json.dumps({"event": event}).encode()
    headers = {"X-PagerDuty-Signature": "v1=" + hmac.new(SECRET.encode(), body, "sha256").hexdigest()}
    url = f"http://127.0.0.1:{house.port}/webhooks/pagerduty"
    for _ in range(5):
        # PagerDuty comes again when a connection breaks
        with suppress(requests.ConnectionError):
            return requests.post(url, data=body, headers=headers, timeout=5).status_code
    return 0


def hostile_answers() -> dict[str, bytes | tuple[bytes, str]]:
    """Return hostile bodies by name; a compressed one with its encoding."""
    return {
        "1.5 MB of gzip that become 1.5 GB": (gzip.compress(b"0" * (1536 * MIB), 9), "gzip"),
        "JSON without an end": b'{"more": [' + b"[1]," * (6 * MIB),
        "deep nesting": b'{"a":' * 3_000_000,
        "16 MiB of small objects": b'{"issues": [' + b'{"id":{}},' * 1_600_000 + b"{}]}",
        "16 MiB of numbers": b'{"log_entries": [' + b"1," * 8_000_000 + b"1]}",
        "500,000 small parts": b'{"issues": [' + b'{"id":"a"},' * 249_990 + b"{}]}",
        "16 MiB of empty lists": b'{"issues": [' + b"[[]]," * 3_300_000 + b"1]}",
        "16 MiB of text": b'{"more": "' + b"x" * (16 * MIB - 100) + b'"}',
    }


def after_hostile_answers(house: Daemon, until: float) -> Iterator[str]:
    """Give each hostile answer to requests of both services; yield the figures in words.

    Begin no further one after `until` (`time.perf_counter`).
    """
    seconds_until(lambda: False, 5)
    before = house.memory()
    for name, given in hostile_answers().items():
        if time.perf_counter() > until:
            house.check(False, f"no time was left for {name}")
            return
        body, encoding = given if isinstance(given, tuple) else (given, "")
        headers = {"Content-Type": "application/json"} | ({"Content-Encoding": encoding} if encoding else {})
        answer = faults.error(200, headers, body)
        house.forget_peak()
        # a create whose answer is unreadable waits until a search can be believed: reads alone
        rules = [
            house.world.faults.add(answer, service=service, path=reads, times=STRIKES)
            for service, reads in READS.items()
        ]
        incident = house.world.pagerduty.trigger("Core QRPay Web", name, priority="P4").id
        struck = seconds_until(lambda rules=rules: all(rule.struck >= STRIKES for rule in rules), 60)  # type: ignore[misc]
        house.world.faults.clear()
        house.check(struck < 60, f"{name} was read {[rule.struck for rule in rules]} times")
        took = seconds_until(lambda incident=incident: house.tickets(incident))  # type: ignore[misc]
        house.check(took < PATIENCE, f"no ticket after {name}")
        seconds_until(lambda: house.memory() <= before + MOST_KEPT, 20)
        after, peak = house.memory(), house.peak()
        house.check(after <= before + MOST_KEPT, f"{after - before:.0f} MB are kept after {name}")
        yield (
            f"{name}: {before:.0f} MB before, {peak:.0f} MB at most, {after:.0f} MB after;"
            f" the next ticket after {took:.0f} s"
        )


def main() -> int:
    """Run the command line and return its exit code."""
    argparse.ArgumentParser(prog="python -m soak.strangers", description=__doc__).parse_args()
    until = time.perf_counter() + LIMIT
    with tempfile.TemporaryDirectory() as folder, daemon(Path(folder)) as house:
        sys.stdout.write(among_strangers(house) + "\n")
        for line in after_hostile_answers(house, until):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        size = house.log.stat().st_size / 1024
        sys.stdout.write(f"the log has {size:.0f} KiB\n")
        if house.problems:
            sys.stderr.write(house.log.read_text()[-4000:])
    for problem in house.problems:
        sys.stdout.write(f"not as promised: {problem}\n")
    return 1 if house.problems else 0


if __name__ == "__main__":
    sys.exit(main())
