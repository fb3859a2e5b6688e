"""Jira takes a dead token for nobody and says so only in `myself`: nothing that it answers then counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from rig import Rig

from engine.cast import ask, incident_of, issue_of, logged, nothing_more_is_written, ours, resume, status
from engine.mail_rig import MakeRig, letters, mailing, subjects, text_of
from engine.test_alarms import alarms_on_record
from syncd.remote.errors import Cause
from syncd.sandbox import faults


class Form(NamedTuple):
    """How a dead token looks: the edition, what the site takes the caller for, and if headers tell it."""

    data_center: bool
    login: str
    headers: bool


FORMS = {
    "cloud": Form(False, "expired", True),
    "cloud without headers": Form(False, "expired", False),
    "data center": Form(True, "expired", True),
    "data center, anonymous": Form(True, "anonymous", True),
    "data center without headers": Form(True, "expired", False),
}


class Site:
    """A rig with mails, whose token dies in one form and comes back."""

    def __init__(self, make_rig: MakeRig, form: Form) -> None:
        self.form = form
        self.rig = make_rig(mail=True, mappings=(mailing(),), data_center_edition=form.data_center)
        self.options = self.rig.world.jira.site.options
        self.options.login_headers = form.headers
        self.rig.settle(2)

    def log_out(self) -> None:
        self.options.login = self.form.login

    def log_in(self) -> None:
        self.options.login = "good"


@pytest.fixture(params=FORMS)
def site(make_rig: MakeRig, request: pytest.FixtureRequest) -> Site:
    return Site(make_rig, FORMS[request.param])


@pytest.fixture(params=["cloud without headers", "data center, anonymous"])
def either(make_rig: MakeRig, request: pytest.FixtureRequest) -> Site:
    """Two of the forms, which differ in all: for what does not depend on the form by itself."""
    return Site(make_rig, FORMS[request.param])


def to_operator(rig: Rig) -> list[str]:
    return subjects(rig, "ops@qrpay.example")


def asked(rig: Rig, service: str = "jira") -> list[str]:
    return [f"{line.method} {line.path}" for line in rig.world.journal.lines(service=service)]


def test_an_incident_while_logged_out_gets_its_one_ticket_when_the_login_is_back(site: Site) -> None:
    rig = site.rig
    # syncd knows project and people by then, so the create leaves and Jira refuses it
    rig.world.pagerduty.trigger("Alipay Integration", "An earlier one", priority="P4")
    rig.settle(2)
    site.log_out()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    rig.settle(6, seconds=200)
    assert rig.context.health.of("jira").cause is Cause.CREDENTIALS
    assert not rig.operations("parked", "unknown")
    assert [row.kind for row in rig.operations("pending") if row.target == "jira"][:1] == ["create_ticket"]
    assert alarms_on_record(rig) == ["credentials"]
    assert to_operator(rig) == ["syncd: Jira refuses syncd's credentials"]
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    site.log_in()
    rig.settle(3, seconds=150)
    assert len(ours(rig)) == 2
    assert status(rig, 2) == "In Progress"
    assert not rig.operations("parked", "unknown", "in_flight")
    assert len(to_operator(rig)) == 1
    nothing_more_is_written(rig)


def test_no_poll_of_a_dead_token_counts_once_it_is_known(either: Site) -> None:
    rig = either.rig
    either.log_out()
    # a site without headers shows it when the last proof is five minutes old
    rig.settle(4, seconds=90)
    good = rig.loop.good_reads.at["jira"]
    rig.settle(4, seconds=90)
    assert rig.loop.good_reads.at["jira"] == good
    assert not rig.cycle().jira
    # one question in five minutes, and nothing else
    rig.world.journal.clear()
    rig.settle(10, seconds=60)
    assert set(asked(rig)) == {"GET /rest/api/2/myself"}
    assert len(asked(rig)) <= 2


def test_what_people_did_while_logged_out_is_read_afterwards(either: Site) -> None:
    rig = either.rig
    rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    rig.settle(2)
    either.log_out()
    rig.settle(2)
    rig.world.jira.comment("OPS-1", "looking at the queue", by="Ines Carvalho")
    rig.settle(12, seconds=300)
    either.log_in()
    rig.settle(2, seconds=200)
    (incident,) = rig.world.pagerduty.account.incidents.values()
    notes = [note["content"] for note in incident_of(rig, incident)["notes"]]
    assert sum("looking at the queue" in note for note in notes) == 1
    nothing_more_is_written(rig)


def test_a_create_that_was_done_is_not_sent_again_because_a_dead_token_sees_nothing(site: Site) -> None:
    rig = site.rig
    done = faults.error(502, after=True)
    rig.world.faults.add(done, service="jira", method="POST", path=r"/issue$", times=1)
    rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    site.rig.world.faults.add(faults.error(503), service="jira", path="bulkfetch|/issue/OPS", times=1)
    rig.cycle(1)
    site.log_out()
    rig.settle(12, seconds=300)
    assert [row.kind for row in rig.operations("unknown")] == ["create_ticket"]
    ask(rig, "outbox.retry", ids=[])
    rig.settle(2)
    site.log_in()
    rig.settle(3, seconds=150)
    assert len(ours(rig)) == 1
    assert not rig.operations("unknown", "parked", "in_flight")
    nothing_more_is_written(rig)


def test_a_ticket_is_not_out_of_sight_because_a_dead_token_sees_nothing(either: Site) -> None:
    rig = either.rig
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    rig.settle(2)
    either.log_out()
    rig.loop.slow()
    rig.world.pagerduty.set_title(made.id, "Latency everywhere", "Amara Osei")
    rig.settle(6, seconds=200)
    assert not rig.operations("parked")
    either.log_in()
    rig.settle(3, seconds=150)
    assert issue_of(rig)["fields"]["summary"] == "Latency everywhere"
    assert len(ours(rig)) == 1
    nothing_more_is_written(rig)


def test_a_quiet_cycle_costs_three_requests_whatever_the_site_proves(site: Site) -> None:
    rig = site.rig
    rig.settle(2)
    rig.world.journal.clear()
    rig.settle(12, seconds=60)
    questions = asked(rig).count("GET /rest/api/2/myself")
    assert questions <= (0 if site.form.headers else 12 * 60 // 300)
    assert len(asked(rig)) - questions + len(asked(rig, "pagerduty")) == 3 * 12


@pytest.mark.parametrize("data_center", [False, True], ids=["cloud", "data center"])
class TestUnknownOutcomes:
    """An operation that may have been done is looked up before each later attempt."""

    def test_also_after_it_was_parked_and_retried(self, make_rig: MakeRig, data_center: bool) -> None:
        rig = make_rig(data_center_edition=data_center)
        rig.cycle()
        jira: dict[str, Any] = {"service": "jira", "method": "POST", "path": r"/issue$"}
        rig.world.faults.add(faults.error(502, after=True), **jira, times=1)
        rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
        # the project is hidden from our account, which Jira knows all the while: each look sees nothing
        hide(rig)
        rig.cycle()
        rig.settle(10, seconds=120)
        assert [row.kind for row in rig.operations("parked")] == ["create_ticket"]
        show(rig)
        ask(rig, "outbox.retry", ids=[])
        rig.settle(8)
        assert len(ours(rig)) == 1
        assert not rig.operations("parked", "unknown")
        nothing_more_is_written(rig)


def hide(rig: Rig) -> None:
    for rule in (
        (faults.error(200, ours_header(rig), {"issues": [], "issueErrors": []}), r"bulkfetch$"),
        (faults.error(200, ours_header(rig), {"issues": [], "total": 0}), r"/2/search$"),
        (
            faults.error(404, ours_header(rig), {"errorMessages": ["No such issue."], "errors": {}}),
            r"/issue/OPS-",
        ),
        (faults.error(403, ours_header(rig), {"errorMessages": ["Not you."], "errors": {}}), r"/issue$"),
    ):
        rig.world.faults.add(rule[0], service="jira", path=rule[1], times=None)


def show(rig: Rig) -> None:
    rig.world.faults.clear()


def ours_header(rig: Rig) -> dict[str, str]:
    site = rig.world.jira.site
    (account,) = set(site.tokens.values())
    cloud = site.edition == "cloud"
    return {"X-AAccountId": account} if cloud else {"X-AUSERNAME": site.people[account].username}


def test_a_captcha_stops_all_requests_for_a_quarter_of_an_hour_and_says_what_to_do(
    make_rig: MakeRig,
) -> None:
    rig = make_rig(mail=True, mappings=(mailing(),), data_center_edition=True)
    rig.settle(2)
    rig.world.jira.site.options.login = "captcha"
    rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    rig.world.journal.clear()
    with logged() as lines:
        rig.settle(5, seconds=170)
    assert len(asked(rig)) == 1
    assert sum("demands a captcha" in line for line in lines) >= 1
    assert to_operator(rig) == ["syncd: Jira demands a captcha of syncd's account"]
    (alarm,) = (letter for letter in letters(rig) if "ops@qrpay.example" in letter.recipients)
    text = text_of(alarm).replace("\n", " ")
    assert f"log in once in a browser at {rig.server.url('jira')}" in text
    assert "syncd resume jira" in text
    rig.settle(5, seconds=170)
    assert asked(rig)[1:] == ["GET /rest/api/2/myself"]
    rig.world.jira.site.options.login = "good"
    rig.cycle()
    assert len(asked(rig)) == 2
    resume(rig, "jira")
    rig.settle(4)
    assert len(ours(rig)) == 1
    assert len(to_operator(rig)) == 1
    assert not rig.operations("parked")
    nothing_more_is_written(rig)


ENDPOINTS: dict[str, tuple[str, str, Callable[[int], faults.Strike]]] = {
    "a dead right": ("jira", r"/user/assignable/search$", lambda code: faults.error(code)),
    "in words": (
        "jira",
        r"/user/assignable/search$",
        lambda code: faults.error(code, body={"errorMessages": ["No."], "errors": {}}),
    ),
    "a missing scope": (
        "pagerduty",
        r"/notes$",
        lambda code: faults.error(code, body={"error": {"message": "No.", "code": 2010}}),
    ),
}


@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_refusal_of_one_endpoint_alone_stops_no_service(
    make_rig: MakeRig, endpoint: str, code: int
) -> None:
    service, path, strike = ENDPOINTS[endpoint]
    rig = make_rig(mail=True, mappings=(mailing(),))
    rig.settle(2)
    rig.world.faults.add(strike(code), service=service, path=path, times=None)
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    rig.settle(4)
    assert rig.context.health.down() == []
    assert alarms_on_record(rig) == []
    assert len(ours(rig)) == 1
    rig.world.faults.clear()
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    rig.settle(4)
    assert status(rig) == "In Review"


@pytest.mark.parametrize("code", [401, 403])
def test_a_write_that_our_account_may_not_do_is_parked_with_the_words_of_jira(
    make_rig: MakeRig, code: int
) -> None:
    rig = make_rig(mail=True, mappings=(mailing(),))
    rig.settle(2)
    refusal = faults.error(code, body={"errorMessages": ["You may not create issues here."], "errors": {}})
    rig.world.faults.add(refusal, service="jira", method="POST", path=r"/issue$", times=None)
    rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    rig.settle(4)
    (parked,) = rig.operations("parked")
    assert "You may not create issues here." in (parked.error or "")
    assert rig.context.health.down() == []
    assert alarms_on_record(rig) == []
    rig.world.faults.clear()
    ask(rig, "outbox.retry", ids=[])
    rig.settle(4)
    assert len(ours(rig)) == 1
    nothing_more_is_written(rig)


def test_a_refused_account_of_pagerduty_stops_that_service(make_rig: MakeRig) -> None:
    rig = make_rig(mail=True, mappings=(mailing(),))
    rig.settle(2)
    rig.world.faults.add(faults.error(401), service="pagerduty", times=None)
    rig.settle(2)
    assert rig.context.health.of("pagerduty").cause is Cause.CREDENTIALS
    assert to_operator(rig) == ["syncd: PagerDuty refuses syncd's credentials"]
    rig.world.faults.clear()
    rig.settle(14)
    assert rig.context.health.down() == []
