"""The page of state: what it shows to whom, what it refuses, and how a real browser shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import requests
from engine.cast import ask
from engine.restricted_cast import CANARY, RULES, SEVERITIES
from engine.test_duties import INES, resolved, scheduled, until
from rich.console import Console
from rig import SERVICES, Rig, mapping
from waiting import wait_for

from syncd.commands.demo.stage import serve_page
from syncd.commands.shared.status_lines import incident_lines
from syncd.config.templates.templates import Templates
from syncd.engine.rules import TicketRenderer
from syncd.ledger.store.key_values import set_value
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.views.show import show_data
from syncd.ledger.views.status import status_data
from syncd.report.mail.letters import plain, rendered
from syncd.report.state_page import link_to
from syncd.sandbox import faults
from syncd.web.page import Page, page_app
from syncd.web.receive import Receiver
from syncd.web.server import Listener
from syncd.web.source import Source
from web.browser import CHROMIUM, browser

HOSTILE = '<script>alert(1)</script>"><img src=http://evil.example/x onerror=alert(2)>'


class Served:
    """The page over a rig, on a real socket."""

    def __init__(self, rig: Rig, url: str | None = None) -> None:
        source = Source(rig.context, rig.loop.good_reads.latest, Receiver(rig.context, lambda _ids: None), 30)
        self.listener = Listener(
            "127.0.0.1", 0, page_app(Page(source, Templates()), url), "the page of state"
        )
        self.listener.start()
        self.url = f"http://127.0.0.1:{self.listener.port}"

    def get(self, path: str = "/", **more: Any) -> requests.Response:
        return requests.request(more.pop("method", "GET"), self.url + path, timeout=10, **more)

    def words(self, path: str = "/") -> str:
        """Return what a reader sees."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return Seen(answer.text).words


class Seen(HTMLParser):
    """A page as a browser reads it: its words, and the names of its elements and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.urls: list[str] = []
        self._texts: list[str] = []
        self.feed(html)
        self.words = " ".join(" ".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _value in attrs}
        self.urls += [str(value) for name, value in attrs if name in ("href", "src", "action")]

    def handle_data(self, data: str) -> None:
        self._texts.append(data)


@pytest.fixture
def served() -> Iterator[Any]:
    made: list[Served] = []

    def serve(rig: Rig, url: str | None = None) -> Served:
        made.append(Served(rig, url))
        return made[-1]

    yield serve
    for page in made:
        page.listener.stop(5)


def test_a_teams_page_shows_what_is_late_and_whose_open_waiting_and_waived(
    make_rig: Any, served: Any
) -> None:
    people = {"fallback": "priya.raman@qrpay.example", "approvers": ["priya.raman@qrpay.example"]}
    house, incident, postmortem = resolved(make_rig, people=people)
    until(house, scheduled(house, incident).due_at + timedelta(hours=3))
    house.world.faults.add(
        faults.error(400, body="no such user"), service="pagerduty", method="POST", path="/notes", times=1
    )
    house.world.pagerduty.trigger("Alipay Integration", "Queue grows", priority="P3")
    house.settle(2)
    week = (house.clock.now() + timedelta(days=7)).isoformat()
    arguments = {"of": incident, "by": people["approvers"][0], "reason": "moved", "until": week}
    ask(house, "waive", **arguments, duty="completed")
    page = served(house)
    words = page.words("/team/QRPay")
    late, rest = words.split("Late: 1")[1].split("Open and unfinished incidents: 2")
    assert f"{postmortem} Postmortem scheduled, #" in late
    assert "3 hours overdue" in late
    assert INES in late
    opened, rest = rest.split("Waiting and parked: 1")
    assert "Queue grows SEV2 triggered" in opened
    assert "Postmortem scheduled: overdue" in opened
    assert "Postmortem completed: waived" in opened
    parked, rest = rest.split("Waived and taken back this week: 1")
    assert "link note" in parked
    assert "rejected (400)" in parked
    waived, rest = rest.split("The week's number")
    assert "by priya.raman@qrpay.example" in waived
    assert "0 of 1 duties met in time so far" in rest
    assert re.search(r"PagerDuty last read \d+ s ago", rest)
    # the page over all teams names people only if every mapping allows it
    of_all = page.words("/")
    assert "Late: 1" in of_all
    # so the words of a service, which may name one, are left out there, too
    assert "link note" in of_all
    assert not [name for name in (INES, "priya.raman", "rejected (400)") if name in of_all]
    house.swap_rules(mapping(report={"names": True}))
    house.world.advance(20)
    assert INES in page.words("/")


def test_every_output_says_that_nobody_is_asked_for_a_duty_in_mode_report(make_rig: Any, served: Any) -> None:
    house: Rig = make_rig(mappings=(mapping(postmortem={"mode": "report"}),))
    house.cycle()
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    house.cycle()
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.cycle(400)
    nobody, now = "mode report: nobody is asked", house.clock.now()
    (line,) = incident_lines(status_data(house.ledger)["incidents"], now, 110)[1:]
    assert nobody in line
    assert "schedule" not in line
    record = incident_named(house.ledger, made.id)
    assert record is not None
    duty = show_data(house.ledger, record, now)["postmortem"]["scheduled"]
    assert duty["words"] == f"owed ({nobody})"
    assert not [words for words in duty["explained"] if "To do" in words or "waiver" in words]
    words = served(house).words("/team/QRPay")
    assert "No duty fell due this week so far" in words
    assert f"Postmortem scheduled: owed ({nobody})" in words
    due = words.split("Due within a week")[1].split("Waiting")[0]
    assert f"Postmortem scheduled, #1 SEV1 ({nobody})" in due
    assert "nobody " not in due.replace(nobody, "")


def test_the_tile_of_the_health_says_why_it_is_not_green(house: Rig, served: Any) -> None:
    house.cycle()
    assert "Healthy both services are read" in served(house).words()
    set_value(house.ledger, "services", notes=["Nobody receives mail: SYNCD_SMTP_HOST is not set", "Dry run"])
    assert "Look Nobody receives mail, and 1 more" in served(house).words()


def test_of_a_restricted_incident_the_page_shows_the_number_alone(make_rig: Any, served: Any) -> None:
    team = mapping(restricted=RULES, severities=SEVERITIES, services=SERVICES)
    rig: Rig = make_rig(mappings=(team,), renderer=TicketRenderer(Templates()))
    rig.cycle()
    rig.world.faults.add(
        faults.error(400, body=CANARY), service="pagerduty", method="POST", path="/notes", times=None
    )
    made = rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}", priority="P2")
    rig.settle(2)
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    until(rig, rig.clock.now() + timedelta(hours=60))
    rig.cycle()
    page = served(rig)
    for path in ("/", "/team/QRPay"):
        words = page.words(path)
        assert f"#{made.number} (restricted)" in words
        for hidden in (CANARY, "OPS-1", "SEV1", "resolved", "Postmortem scheduled:"):
            assert hidden not in words


def test_hostile_texts_are_text_on_the_page(make_rig: Any, served: Any) -> None:
    rig: Rig = make_rig(mappings=(mapping(team="<b>& Co/Ops"),))
    rig.cycle()
    rig.world.pagerduty.trigger("Alipay Integration", HOSTILE, priority="P2")
    rig.settle(2)
    page = served(rig)
    for path in ("/", "/team/%3Cb%3E%26%20Co%2FOps"):
        seen = Seen(page.get(path).text)
        assert HOSTILE in seen.words
        assert "<b>& Co/Ops" in seen.words
        assert not seen.elements & {"script", "img", "b", "iframe", "style", "form"}
        assert not [name for name in seen.attributes if name.startswith("on") or name == "style"]
        assert [url for url in seen.urls if not re.match(r"[#?./a-z]|$", url)] == []
        assert not [url for url in seen.urls if ":" in url and not url.startswith(rig.server.url("jira"))]


def test_the_page_only_reads_and_every_answer_has_a_strict_policy(house: Rig, served: Any) -> None:
    page = served(house)
    for method, path, status in (
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/style.css", 200),
        ("POST", "/", 405),
        ("GET", "/team/Nobody", 404),
        ("GET", "/metrics", 404),
        ("GET", "/webhooks/jira", 404),
    ):
        answer = page.get(path, method=method)
        assert answer.status_code == status, path
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert 'http-equiv="refresh" content="60"' in page.get().text
    assert 'http-equiv="refresh"' not in page.get("/?refresh=off").text


def test_the_page_answers_under_no_name_but_its_own(house: Rig, served: Any) -> None:
    page = served(house, "https://state.qrpay.example/syncd")
    names = {"127.0.0.1:1": 200, "[::1]": 200, "localhost": 200, "state.qrpay.example": 200}
    for name, status in {**names, "evil.example": 421, "127.0.0.1.evil.example": 421, "[x": 421}.items():
        assert page.get(headers={"Host": name}).status_code == status, name


def test_a_failing_page_says_so_and_tries_again(house: Rig, served: Any, monkeypatch: Any) -> None:
    page = served(house)
    monkeypatch.setattr("syncd.web.page.state_page", lambda *_arguments: {"no": "such variables"})
    answer = page.get()
    assert (answer.status_code, answer.headers["Refresh"]) == (503, "60")
    monkeypatch.undo()
    house.world.advance(20)
    assert page.get().status_code == 200


def test_mails_link_to_the_page_of_their_team() -> None:
    team = mapping(team="Ops & Co")
    link = link_to("https://state.qrpay.example", (team,), "Ops & Co")
    assert link == "https://state.qrpay.example/team/Ops%20%26%20Co"
    assert link_to("https://state.qrpay.example", (team,), "QRPay, Ramen") == "https://state.qrpay.example/"
    assert link_to("", (team,), "Ops & Co") == ""
    letter = plain("Ops & Co", "Title", ("A line",), (), "you are the operator")
    with_link, without = rendered(letter, Templates(), "1:a", link), rendered(letter, Templates(), "1:a")
    for text in (with_link.text, with_link.html):
        assert link in text
    for text in (without.text, without.html):
        assert "What is open" not in text


def test_the_demo_serves_the_page_on_this_machine_until_it_is_ended(house: Rig) -> None:
    out, over = Console(file=StringIO()), Event()
    serving = Thread(target=serve_page, args=(house.context, house.loop, out, over))
    serving.start()
    (url,) = wait_for(lambda: re.findall(r"http://127\.0\.0\.1:\d+/", out.file.getvalue()))  # type: ignore[attr-defined]
    assert "All teams" in requests.get(url, timeout=10).text
    over.set()
    serving.join(10)
    assert not serving.is_alive()


CONTRAST = """(() => {
  const part = value => value <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(value => part(value / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const paper = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)') return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  let worst = 21;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    if (!texts.currentNode.data.trim()) continue;
    const element = texts.currentNode.parentElement;
    const ink = light(getComputedStyle(element).color), ground = light(paper(element));
    worst = Math.min(worst, (Math.max(ink, ground) + .05) / (Math.min(ink, ground) + .05));
  }
  return worst;
})()"""
"""The worst contrast between a text and its background (WCAG 2, where 4.5 is enough for small text)."""


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing")
def test_a_real_browser_shows_it_at_both_widths_in_both_schemes_with_a_keyboard(
    make_rig: Any, served: Any, tmp_path: Path
) -> None:
    house, incident, _postmortem = resolved(make_rig)
    until(house, scheduled(house, incident).due_at + timedelta(hours=3))
    house.world.pagerduty.trigger("Alipay Integration", HOSTILE + "w" * 300, priority="P2")
    house.settle(2)
    page = served(house)
    with browser(tmp_path / "profile") as tab:
        tab.open(f"{page.url}/team/QRPay")
        asked = [
            event["params"]["request"]["url"]
            for event in tab.events
            if event["method"] == "Network.requestWillBeSent"
        ]
        assert asked == [f"{page.url}/team/QRPay", f"{page.url}/style.css"]
        assert [event for event in tab.events if event["method"] == "Log.entryAdded"] == []
        papers = set()
        for scheme in ("light", "dark"):
            for width in (1280, 390):
                tab.view(width, scheme)
                # nothing is wider than the window
                assert tab.value("innerWidth") == width
                assert tab.value("document.documentElement.scrollWidth <= innerWidth"), (scheme, width)
                assert tab.value(CONTRAST) >= 4.5, (scheme, width)
            papers.add(tab.value("getComputedStyle(document.body).backgroundColor"))
        assert len(papers) == 2
        links = tab.value("document.querySelectorAll('a').length")
        for number in range(links):
            tab.press_tab()
            reached = tab.value("[...document.querySelectorAll('a')].indexOf(document.activeElement)")
            assert reached == number
            assert tab.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
