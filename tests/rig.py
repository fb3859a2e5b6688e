"""The real engine on the sandbox, under one clock that a test moves: the base of most end-to-end tests.

Engine and sandbox share a process and no socket: requests and answers are bytes that the real transport sends
and reads. Tests of the transport, of the commands, of the daemon and of crashes use real sockets.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from cheap_ledgers import put_empty_ledger, share_statements
from ledger_reading import operations
from simulation.wire import NearServices, WireTransport

from syncd.config.templates.templates import Templates
from syncd.config.templates.texts import TextValues
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.postmortem import Story
from syncd.domain.text import escape_wiki
from syncd.engine.context import EngineContext, build_context
from syncd.engine.loop import ControlLoop, CycleResult
from syncd.engine.rules import Renderer, Rules
from syncd.engine.runtime.mailer import Mailer
from syncd.ledger.open import Ledger, open_for_work
from syncd.ledger.records import OperationRecord
from syncd.policy.case import Rulebook
from syncd.remote.chat import ChatClient
from syncd.remote.http.transport import Transport
from syncd.remote.jira.client import jira_client
from syncd.remote.mail import SmtpMail
from syncd.remote.pagerduty.client import pagerduty_client
from syncd.sandbox.cast import BOT_EMAIL, CHANNEL, JIRA_KEY, PAGERDUTY_KEY, START, default_world
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.mail import MailSandbox
from syncd.sandbox.world import World

share_statements()


class RigClock:
    """The sandbox's clock as the daemon sees it; sleeping moves it, so nothing waits in real time."""

    def __init__(self, clock: SandboxClock) -> None:
        self.sandbox = clock
        self.boot = "boot-1"
        self.step = 0.0
        self._booted = clock.now() - timedelta(seconds=1000)

    def now(self) -> datetime:
        """Return the wall time, `step` seconds away from the sandbox's, for clocks that people set."""
        return self.sandbox.now() + timedelta(seconds=self.step)

    def boottime(self) -> float:
        return (self.sandbox.now() - self._booted).total_seconds()

    def boot_id(self) -> str:
        return self.boot

    def sleep(self, seconds: float, until: Event) -> bool:
        self.sandbox.advance(max(0.0, seconds))
        return until.is_set()


class PlainRenderer:
    """Ticket texts without templates."""

    def ticket(self, incident: Incident, book: Rulebook, roles: Any, *, restricted: bool) -> tuple[str, str]:
        return incident.title.replace("\n", " ")[:255], escape_wiki(incident.title)

    def postmortem(self, incident: Incident, story: Story, book: Rulebook) -> tuple[str, str]:
        lines = [f"{line.at:%H:%M} {escape_wiki(line.text)}" for line in story.lines]
        return f"Postmortem: {incident.title}"[:255], "\n".join([f"Owner: {story.owner}", *lines])[:20_000]

    def inline(self, text: str, incident: Incident, book: Rulebook) -> str:
        return text.replace("{{ incident.id }}", incident.id)

    def text(self, template: str, values: TextValues) -> str:
        return f"{template}: {values.update} / {values.mitigation} / {values.next_update}"

    def mask(self, text: str, book: Rulebook) -> str:
        return text

    def named(self, template: str, context: dict[str, Any]) -> str:
        return escape_wiki(f"{template}: {context['name']}, due {context['due']}")


SERVICES = {
    "Alipay Integration": {"component": "Alipay Integration", "owner": "amara.osei@qrpay.example"},
    "BluBank Integration": {"component": "BluBank Integration"},
    "Yoomonea Service": {},
    "Core QRPay Web": {"component": "Core QRPay Web"},
}


def mapping(**changes: Any) -> Mapping:
    """Return QRPay's mapping as far as most tests need it; `changes` replaces keys."""
    data: dict[str, Any] = {
        "team": "QRPay",
        "enforce_from": date(2026, 11, 1),
        "jira": {"project": "OPS"},
        "services": SERVICES,
        "severities": {
            "SEV0": {"pagerduty": "P1", "priority": "Highest", "postmortem": True},
            "SEV1": {"pagerduty": "P2", "priority": "High", "postmortem": True},
            "SEV2": {"pagerduty": "P3", "urgency": "high", "priority": "Medium", "postmortem": True},
            "SEV3": {"pagerduty": "P4", "urgency": "low", "priority": "Low"},
        },
        "people": {"fallback": "priya.raman@qrpay.example"},
        "closing": {"mode": "enforce"},
        "version": "test",
    }
    data.update(changes)
    return Mapping.model_validate(data)


@dataclass
class Rig:
    """A world, the line to its services, and an engine on a ledger in `folder`."""

    folder: Path
    world: World
    server: NearServices
    mappings: tuple[Mapping, ...]
    clock: RigClock
    settle_seconds: float = 600.0
    name: str = "ledger.db"
    mail: MailSandbox | None = None
    renderer: Renderer = field(default_factory=PlainRenderer)
    sender: str = "amara.osei@qrpay.example"
    chat: bool = False
    ledger_url: str | None = None
    began: datetime = field(init=False)
    transport: Transport = field(init=False)
    ledger: Ledger = field(init=False)
    context: EngineContext = field(init=False)
    loop: ControlLoop = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock.now()

    def start(self, **settings: Any) -> None:
        """Open the ledger and build a fresh engine, as a start of the daemon does.

        `settings` go to `build_context`, for this start alone.
        """
        url = self.ledger_url
        if url is None:
            put_empty_ledger(self.folder / self.name)
            url = f"sqlite:///{self.folder / self.name}"
        self.ledger = open_for_work(url, "rig", self.clock.now(), self.folder)
        self.transport = WireTransport(self.clock, self.server)
        email = BOT_EMAIL if self.world.jira.site.edition == "cloud" else None
        clients = (
            lambda: pagerduty_client(
                self.server.url("pagerduty"), PAGERDUTY_KEY, self.sender, self.transport
            ),
            lambda: jira_client(self.server.url("jira"), JIRA_KEY, self.transport, email=email),
        )
        self.context = build_context(
            self.ledger,
            self.clock,
            clients,
            self.transport,
            Rules(self.mappings, self.renderer),
            **{
                "settle_seconds": self.settle_seconds,
                "mailer": self._mailer(),
                "chat": self._chat(),
                **settings,
            },
        )
        self.loop = ControlLoop(self.context)
        self.loop.recover()

    def _chat(self) -> ChatClient | None:
        urls = {CHANNEL: self.world.chat.url(CHANNEL)}
        return ChatClient(urls, self.transport) if self.chat else None

    def _mailer(self) -> Mailer | None:
        if self.mail is None:
            return None
        return Mailer(
            client=SmtpMail(self.transport, self.mail.host, self.mail.port, security="none"),
            sender="syncd <syncd@qrpay.example>",
            templates=Templates(),
            loopback=True,
            operator="ops@qrpay.example",
        )

    def swap_rules(self, *mappings: Mapping) -> None:
        """Put other mappings into force while the engine runs, without a new decision for any incident."""
        self.context.rules.swap(Rules(mappings, self.renderer))

    def restart(self, **settings: Any) -> None:
        """Stop this engine and start another one on the same ledger."""
        self.stop()
        self.start(**settings)

    def stop(self) -> None:
        """Close the ledger and release its lock."""
        self.ledger.close()

    def cycle(self, seconds: float = 30.0) -> CycleResult:
        """Let `seconds` pass, read both sides, and work until nothing more can leave now."""
        self.world.advance(seconds)
        result = self.loop.cycle()
        self.loop.work_queue.drain()
        return result

    def settle(self, cycles: int = 8, seconds: float = 30.0) -> None:
        """Run a few quiet cycles, so that everything due is done."""
        for _ in range(cycles):
            self.cycle(seconds)

    def operations(self, *states: str) -> list[OperationRecord]:
        """Return the operations in these states (none given: all), oldest first."""
        return operations(self.ledger, *states)

    def writes(self) -> int:
        """Return the number of writing requests that both services have received so far."""
        return len(self.world.journal.writes())


@contextmanager
def rig(folder: Path, **options: Any) -> Iterator[Rig]:
    """Yield a started rig.

    `mappings`, `mail`, `chat`, `renderer`, `sender`, `ledger_url` (default: a file in the folder) and
    `settle_seconds` go to the rig, `start` to the clock,
    all other options to the default world. `preset` changes the world before the rig starts.
    """
    preset = options.pop("preset", lambda _world: None)
    mappings = options.pop("mappings", (mapping(),))
    settle_seconds = options.pop("settle_seconds", 600.0)
    with_mail, with_chat = options.pop("mail", False), options.pop("chat", False)
    renderer = options.pop("renderer", PlainRenderer())
    more = {name: options.pop(name) for name in ("sender", "ledger_url") if name in options}
    clock = SandboxClock(options.pop("start", START))
    world = default_world(clock, **options)
    preset(world)
    with ExitStack() as stack:
        mail = stack.enter_context(MailSandbox(clock.now)) if with_mail else None
        started = Rig(
            folder,
            world,
            NearServices(world),
            mappings,
            RigClock(clock),
            settle_seconds,
            mail=mail,
            renderer=renderer,
            chat=with_chat,
            **more,
        )
        started.start()
        try:
            yield started
        finally:
            started.stop()
