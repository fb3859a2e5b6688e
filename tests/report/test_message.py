"""A mail as bytes: nothing that came from elsewhere starts a header, and any server takes it."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.report.mail.message import SUBJECT_LIMIT, Body, Envelope, is_reserved, message, message_id

NOW = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)
ANA = "ana@qrpay.example"


def made(body: Body, sender: str = "syncd <syncd@qrpay.example>", **more: str) -> EmailMessage:
    name = message_id("3a5bca932a24ea35", sender)
    envelope = Envelope(sender=sender, recipient=ANA, message_id=name, date=NOW, **more)
    content = message(envelope, body)
    assert content.isascii()
    assert max(len(line) for line in content.splitlines()) <= 998
    return message_from_bytes(content, policy=policy.default)


@given(st.text(), st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r")))
def test_whatever_a_subject_holds_there_is_one_of_each_header(subject: str, text: str) -> None:
    mail = made(Body(subject=subject, text=text, html="<p>x</p>"))
    assert [name for name in mail.keys() if mail.get_all(name, []) != [mail[name]]] == []  # noqa: SIM118 - headers
    assert set(mail.keys()) == {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "MIME-Version",
        "Content-Type",
    }
    assert mail["To"] == ANA
    assert len(str(mail["Subject"]).encode("utf-16-le")) // 2 <= SUBJECT_LIMIT


def test_both_texts_arrive_as_they_were_written() -> None:
    mail = made(Body(subject="Ü", text="naïve\n.dot\n", html="<p>naïve</p>"))
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().splitlines() == ["naïve", ".dot"]
    assert html.get_content().strip() == "<p>naïve</p>"


def test_an_answer_stands_in_the_thread_of_what_it_answers() -> None:
    mail = made(Body(subject="s", text="t", html="h"), answers="<first@qrpay.example>", reply_to=ANA)
    assert mail["In-Reply-To"] == mail["References"] == "<first@qrpay.example>"
    assert mail["Reply-To"] == ANA


def test_the_same_operation_has_the_same_name_for_ever() -> None:
    assert message_id("abc", "Ops <ops@qrpay.example>") == "<syncd.abc@qrpay.example>"


@pytest.mark.parametrize(
    ("address", "reserved"),
    [
        ("a@qrpay.example", True),
        ("a@x.y.test", True),
        ("a@gone.invalid", True),
        ("a@localhost", True),
        ("a@example.com", True),
        ("a@mail.example.org", True),
        ("a@EXAMPLE", True),
        ("a@qrpay.example.", True),
        ("a@example.de", False),
        ("a@test.com", False),
        ("a@notexample.com", False),
    ],
)
def test_example_addresses_are_known(address: str, reserved: bool) -> None:
    assert is_reserved(address) is reserved
