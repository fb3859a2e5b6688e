"""The log: one line an act, secrets hidden by value, nothing in it that a title wrote."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import pytest
from loguru import logger
from rig import Rig

from engine.mail_rig import ENFORCED, MakeRig, Owed, at, duties_stay_as_they_are, incident, mailing, until
from syncd.domain.mail import OPERATOR, name_for_people, of_team
from syncd.domain.operation import Kind
from syncd.domain.operation.rendered import FieldValues, RenderedEdit
from syncd.engine.act.done_words import _WORDS, _edit_words
from syncd.engine.runtime.logs import start_log

SECRETS = ("s3cret-token", "s3cret-token-and-more", "abc")
Lines = Callable[[], list[str]]
Start = Callable[..., Lines]


@pytest.fixture
def start_log_at() -> Iterator[Start]:
    """Send the log to a text; what is logged comes back line by line."""
    handlers, level = logging.root.handlers[:], logging.root.level

    def begin(style: str, at: str = "DEBUG") -> Lines:
        out = io.StringIO()
        start_log(at, style, SECRETS, stream=out)
        return lambda: out.getvalue().splitlines()

    yield begin
    logger.remove()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("brk", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_a_title_cannot_forge_a_line_of_the_log(start_log_at: Start, style: str, brk: str) -> None:
    lines = start_log_at(style)
    logger.info("ticket made for {}", f"innocent{brk}2026-11-22 08:00:00 CRITICAL all is lost \x1b[2J\x07")
    (line,) = lines()
    assert "\x1b" not in line
    assert "\x07" not in line
    assert not line.startswith("2026-11-22 08:00:00 CRITICAL")
    if style == "json":
        assert json.loads(line)["level"] == "info"


@pytest.mark.parametrize("style", ["text", "json"])
def test_secrets_are_hidden_by_value_whoever_logs_them(start_log_at: Start, style: str) -> None:
    lines = start_log_at(style)
    logger.bind(reason="because of s3cret-token").info("sent {}", "s3cret-token-and-more")
    logging.getLogger("urllib3").warning("header %s", "Bearer s3cret-token")
    try:
        token = "s3cret-token"
        raise ValueError(f"refused: {token}")
    except ValueError:
        logger.exception("it broke")
    log = "\n".join(lines())
    assert len(lines()) == 3
    assert "s3cret" not in log
    assert log.count("[secret]") >= 3
    assert "abc" not in SECRETS[0]


def test_a_short_secret_hides_nothing_else(start_log_at: Start) -> None:
    lines = start_log_at("text")
    logger.info("abc is no secret worth hiding a log for")
    assert "abc is no secret" in lines()[0]


def test_a_traceback_is_one_line_and_shows_no_variables(start_log_at: Start) -> None:
    lines = start_log_at("json")
    hidden = "value-of-a-variable"
    try:
        raise RuntimeError("a screw is loose " + str(len(hidden)))
    except RuntimeError:
        logger.exception("it broke")
    (line,) = lines()
    data = json.loads(line)
    assert "RuntimeError: a screw is loose" in data["trace"]
    assert "value-of-a-variable" not in data["trace"].replace('hidden = "value-of-a-variable"', "")


def test_libraries_are_caught_from_warnings_on(start_log_at: Start) -> None:
    lines = start_log_at("text")
    logging.getLogger("some.library").warning("late")
    logging.getLogger("uvicorn.error").info("hello")
    assert [line.rpartition("WARNING")[2].strip() for line in lines()] == ["some.library: late"]


def test_an_act_is_one_line_with_incident_ticket_operation_reason_and_duration(
    house: Rig, start_log_at: Start
) -> None:
    lines = start_log_at("json", "INFO")
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency\n{forged} <b>", priority="P4")
    house.settle(2)
    acts = [data for line in lines() if "operation" in (data := json.loads(line))]
    (create,) = [data for data in acts if data["kind"] == "create_ticket"]
    assert create["incident"] == made.id
    assert (create["number"], create["ticket"]) == (1, "OPS-1")
    assert len(create["op"]) == 16
    assert create["reason"]
    assert isinstance(create["duration_ms"], int)
    assert len({data["operation"] for data in acts}) == len(acts)
    assert not any("Latency" in line for line in lines())


def test_a_line_names_incident_and_ticket_and_says_what_was_done_and_why(
    house: Rig, start_log_at: Start
) -> None:
    lines = start_log_at("text", "INFO")
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(2)
    shown = [line[21:] for line in lines()]
    assert "INFO    #1 OPS-1: moved to In Progress (the incident is acknowledged)" in shown
    assert "INFO    #1 OPS-1: ticket created (incident of Alipay Integration had no ticket)" in shown


def test_every_kind_of_operation_has_words_for_the_log() -> None:
    # a mail and a post are named after their content
    assert set(Kind) - {Kind.SEND_MAIL, Kind.POST_CHAT} == set(_WORDS)


def test_a_line_about_a_mail_says_what_it_is_about_and_names_the_team(
    make_rig: MakeRig, start_log_at: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    duties_stay_as_they_are(monkeypatch)
    masked = {"patterns": {"person": r"amara\.osei"}}
    rig = make_rig(mappings=(mailing(redact=masked, **ENFORCED),), mail=True)
    rig.cycle()
    owed = Owed(rig, incident(rig))
    lines = start_log_at("text", "INFO")
    owed.set("breached", at(0, 6, 6))
    until(rig, at(0, 9, 1))
    shown = {line[29:] for line in lines()}
    digest = "team QRPay: digest mailed to [person]@qrpay.example"
    assert f"{digest} (one person's open tasks on 2026-11-16)" in shown
    assert any(line.startswith("#1 OPS-1: mail about a missed deadline sent to ") for line in shown)


@pytest.mark.parametrize(
    ("fields", "update", "words"),
    [
        ({}, {"labels": [{"add": "late"}]}, "label late added to the postmortem"),
        ({}, {"labels": [{"remove": "late"}]}, "label late removed from the postmortem"),
        ({"duedate": "x"}, {}, "postmortem edited: duedate"),
        (
            {"duedate": "x"},
            {"labels": [{"add": "late"}]},
            "postmortem edited: duedate; label late added to the postmortem",
        ),
        ({"labels": ["late"]}, {}, "postmortem edited: labels"),
        ({}, {}, "postmortem not edited"),
    ],
)
def test_an_edit_names_the_labels_that_it_added_and_removed(
    fields: FieldValues, update: FieldValues, words: str
) -> None:
    assert _edit_words("postmortem", RenderedEdit(issue="10002", fields=fields, update=update)) == words


@pytest.mark.parametrize(
    ("about", "name"),
    [(of_team("QRPay"), "team QRPay"), (of_team(""), "all teams"), (OPERATOR, "operator"), ("Q1", "Q1")],
)
def test_a_mail_about_no_incident_begins_with_whom_it_concerns(about: str, name: str) -> None:
    assert name_for_people(about) == name


def test_a_json_line_always_has_incident_number_and_ticket(start_log_at: Start) -> None:
    lines = start_log_at("json")
    logger.info("listening")
    data = json.loads(lines()[0])
    assert {name: data[name] for name in ("incident", "number", "ticket")} == dict.fromkeys(
        ("incident", "number", "ticket")
    )


@pytest.mark.parametrize("style", ["text", "json"])
def test_each_line_has_its_time_in_utc(start_log_at: Start, style: str) -> None:
    lines = start_log_at(style)
    east = timezone(timedelta(hours=5, minutes=30))
    at = datetime(2026, 11, 30, 2, 15, 7, 80, tzinfo=east)
    logger.patch(lambda record: record.update(time=at)).info("moved")
    (line,) = lines()
    when = json.loads(line)["at"] if style == "json" else line.split(" ")[0]
    assert when == ("2026-11-29T20:45:07.000080Z" if style == "json" else "2026-11-29T20:45:07Z")
