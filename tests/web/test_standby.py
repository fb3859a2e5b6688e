"""Two daemons on one ledger: what the standby answers and stores, and how the leader takes it up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from ledger_reading import lead, operations
from rig import Rig

from syncd import standby as standby_module
from syncd.config.load import Configuration
from syncd.config.settings.settings import Settings
from syncd.config.templates.templates import Templates
from syncd.engine.observe.elsewhere import NoticedElsewhere, read_again
from syncd.ledger.database.leadership import HOLDS, Leadership
from syncd.ledger.errors import LedgerBusy, LedgerFromTheFuture, LedgerUnreachable
from syncd.ledger.store.change_queue import ELSEWHERE
from syncd.standby import Standby
from web.test_listener import SECRET, Web, pagerduty, trigger


class Outside:
    """The lock as a standby meets it: each try takes the next of `answers`, the last one repeats."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.tried = threading.Semaphore(0)

    def __call__(self, *_given: Any) -> Any:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        self.tried.release()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Waiting:
    """A standby in a thread; `words` is what its manager heard."""

    def __init__(self, rig: Rig, folder: Path, monkeypatch: pytest.MonkeyPatch, outside: Outside) -> None:
        settings = Settings.model_validate(
            {
                "ledger_url": f"sqlite:///{rig.folder / rig.name}",
                "state_dir": folder,
                "http_listen": "127.0.0.1:0",
                "page_listen": "127.0.0.1:0",
                "pagerduty_webhook_secrets": [SECRET],
            }
        )
        monkeypatch.setattr(standby_module, "open_ledger", outside)
        monkeypatch.setattr(standby_module, "TRY_EVERY", 0.01)
        # only the main thread may do this
        monkeypatch.setattr(standby_module.signal, "signal", lambda *_given: None)
        monkeypatch.setattr(standby_module.signal, "pthread_sigmask", lambda *_given: None)
        configuration = Configuration(settings, rig.mappings, Templates(), (), live=None)  # type: ignore[arg-type]
        self.standby = Standby(configuration, rig.clock, "syncd run")
        self.words: list[str] = []
        monkeypatch.setattr(self.standby._supervisor, "status", self.words.append)
        monkeypatch.setattr(self.standby._supervisor, "ready", lambda: self.words.append("READY"))
        self.signs = threading.Semaphore(0)
        monkeypatch.setattr(self.standby._supervisor, "watchdog", 0.02)
        monkeypatch.setattr(self.standby._supervisor, "alive", self.signs.release)
        self.ledger: Any = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.ledger = self.standby.wait()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def join(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()

    @property
    def fronts(self) -> Any:
        fronts = self.standby.fronts
        assert fronts is not None
        return fronts

    def get(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.fronts.listener.listener.port}{path}", timeout=5)


def of_ours(rig: Rig) -> bytes:
    """Return a webhook about a new incident of a mapped service."""
    services = rig.world.pagerduty.account.services
    service = next(key for key, value in services.items() if value.name == "Alipay Integration")
    named = {"id": service, "summary": "Alipay Integration"}
    return pagerduty(trigger(rig), "incident.triggered", service=named)


BUSY = LedgerBusy("the lock", "syncd run, pid 7 on db1.example")


@pytest.fixture
def stands_by(
    house: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Waiting]]:
    made: list[Waiting] = []

    def make(*answers: Any) -> Waiting:
        outside = Outside(*answers)
        made.append(Waiting(house, tmp_path / "other", monkeypatch, outside))
        # the second try begins when the first has been answered
        waits = isinstance(answers[-1], LedgerBusy | LedgerUnreachable)
        for _ in range(len(answers) + waits):
            assert outside.tried.acquire(timeout=20)
        return made[-1]

    yield make
    for waiting in made:
        waiting.standby.started.set()
        waiting.standby.stop.set()
        waiting.join()


def test_a_standby_is_ready_and_says_whose_standby_it_is(stands_by: Callable[..., Waiting]) -> None:
    waiting = stands_by(BUSY)
    assert waiting.words == ["READY", "standby of db1.example"]
    health, ready, leader = (waiting.get(path) for path in ("/healthz", "/readyz", "/leader"))
    assert (health.status_code, health.text) == (200, "standby of db1.example\n")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "standby": "standby of db1.example"})
    assert (leader.status_code, leader.text) == (503, "standby of db1.example\n")
    assert waiting.get("/metrics").text == "syncd_leader 0\n"
    page = f"http://127.0.0.1:{waiting.fronts.page.listener.port}/"
    assert requests.get(page, timeout=5).status_code == 503


def test_a_leader_says_that_it_leads_until_it_is_replaced(house: Rig, web_of: Callable[..., Web]) -> None:
    web = web_of()
    assert (web.get("/leader").status_code, web.metrics()["syncd_leader"]) == (200, 1.0)
    house.ledger.leadership = Leadership(house.clock.boottime, "ours")
    assert web.get("/leader").status_code == 200
    house.world.advance(HOLDS)
    # another one may lead soon
    assert web.get("/leader").status_code == 503
    house.ledger.leadership.prove(house.clock.boottime())
    assert web.get("/leader").status_code == 200
    house.ledger.leadership.lose("its connection broke")
    assert (web.get("/leader").status_code, web.metrics()["syncd_leader"]) == (503, 0.0)
    house.ledger.leadership = None


def test_a_database_that_does_not_answer_is_waited_for_and_said_once(
    stands_by: Callable[..., Waiting],
) -> None:
    away = LedgerUnreachable("the ledger cannot be reached: connection refused")
    starting = LedgerUnreachable("the ledger cannot be reached: it is starting up")
    waiting = stands_by(BUSY, away, starting, BUSY)
    gone = "standby: the ledger cannot be reached: connection refused"
    assert waiting.words == ["READY", "standby of db1.example", gone, "standby of db1.example"]


def test_a_standby_that_cannot_store_a_webhook_is_not_ready_and_has_it_sent_again(
    stands_by: Callable[..., Waiting], house: Rig, web_of: Callable[..., Web]
) -> None:
    waiting = stands_by(LedgerUnreachable("connection refused"))
    assert (waiting.get("/healthz").status_code, waiting.get("/readyz").status_code) == (200, 503)
    web = web_of()
    web.url = f"http://127.0.0.1:{waiting.fronts.listener.listener.port}"
    assert web.send("pagerduty", of_ours(house)).status_code == 503
    assert web.looks() == []


def test_what_waiting_does_not_mend_ends_it(stands_by: Callable[..., Waiting]) -> None:
    waiting = stands_by(BUSY, LedgerFromTheFuture("a newer syncd wrote it", ""))
    waiting.join()
    assert isinstance(waiting.error, LedgerFromTheFuture)


def test_it_leads_with_the_ledger_that_it_got_and_its_listener_changes_over(
    stands_by: Callable[..., Waiting],
) -> None:
    ledger = SimpleNamespace()
    waiting = stands_by(BUSY, ledger)
    waiting.join()
    assert waiting.ledger is ledger
    assert waiting.words[-1] == "taking over as the leader"
    # the service manager hears of it until the daemon has started
    assert all(waiting.signs.acquire(timeout=20) for _ in range(5))
    # still a standby's answers, until the daemon has made its first contact
    assert waiting.get("/leader").status_code == 503

    async def leader(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    door = waiting.fronts.listener.becomes(leader)
    assert waiting.get("/leader").status_code == 503
    door.start()
    assert waiting.get("/leader").status_code == 204
    waiting.fronts.stop(5)


def test_a_webhook_at_the_standby_reaches_the_leader_which_reads_the_incident_anew(
    house: Rig, stands_by: Callable[..., Waiting], web_of: Callable[..., Web]
) -> None:
    lead(house.ledger, Leadership(house.clock.boottime, "ours"))
    elsewhere = NoticedElsewhere(house.context)
    waiting = stands_by(BUSY)
    web = web_of()
    web.url = f"http://127.0.0.1:{waiting.fronts.listener.listener.port}"
    body = of_ours(house)
    incident = next(iter(house.world.pagerduty.account.incidents))
    assert (web.send("pagerduty", body).status_code, web.handed) == (202, [])
    assert [(notice.incident_id, notice.read_seq) for notice in web.looks()] == [(incident, ELSEWHERE)]
    # each notice once, whatever becomes of it
    assert (elsewhere.fresh(), elsewhere.fresh()) == ([incident], [])
    house.loop.tick()
    house.loop.work_queue.drain()
    assert [operation.kind for operation in operations(house.ledger)] == ["create_ticket", "link_note"]
    assert web.looks() == []
    house.ledger.leadership = None


def test_a_new_leader_reads_what_a_former_one_was_writing_to_before_it_decides(house: Rig) -> None:
    read_again(house.context, ["P1"])
    assert Web.looks(SimpleNamespace(rig=house)) == []  # type: ignore[arg-type]
    lead(house.ledger, Leadership(house.clock.boottime, "ours"))
    read_again(house.context, ["P1"])
    notices = Web.looks(SimpleNamespace(rig=house))  # type: ignore[arg-type]
    assert [(notice.incident_id, notice.ticket) for notice in notices] == [("P1", False), ("P1", True)]
    house.ledger.leadership = None
