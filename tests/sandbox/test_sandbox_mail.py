import smtplib
from collections.abc import Iterator
from typing import Any

import pytest

from syncd.sandbox.mail import MailSandbox

LETTER = b"From: a@qrpay.example\r\nSubject: =?utf-8?q?Postmortem_f=C3=A4llig?=\r\n\r\nIt is due.\r\n"
AMARA, DIEGO = "amara.osei@qrpay.example", "diego.fuentes@ramen.example"


@pytest.fixture
def mail(world: Any) -> Iterator[MailSandbox]:
    with MailSandbox(world.clock) as box:
        yield box


def send(box: MailSandbox, *to: str) -> dict[str, Any]:
    with smtplib.SMTP(box.host, box.port, timeout=5) as client:
        return client.sendmail("syncd@qrpay.example", list(to), LETTER)


def test_letters_are_kept_with_their_envelope(world: Any, mail: MailSandbox) -> None:
    send(mail, AMARA, DIEGO)
    (letter,) = mail.letters
    assert (letter.sender, letter.recipients) == ("syncd@qrpay.example", (AMARA, DIEGO))
    assert (letter.content, letter.at) == (LETTER, world.clock())
    assert letter.message["Subject"] == "Postmortem fällig"
    assert mail.to(DIEGO) == [letter]


def test_a_temporary_refusal_passes(mail: MailSandbox) -> None:
    mail.refuse_temporarily()
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(mail, AMARA)
    assert refused.value.recipients[AMARA][0] == 451
    send(mail, AMARA)
    assert len(mail.letters) == 1


def test_a_permanent_refusal_is_of_whom_it_names(mail: MailSandbox) -> None:
    mail.refuse_permanently(address="ramen")
    assert send(mail, AMARA, DIEGO)[DIEGO][0] == 550
    assert [letter.recipients for letter in mail.letters] == [(AMARA,)]
    mail.behave()
    send(mail, DIEGO)
    assert len(mail.to(DIEGO)) == 1


def test_the_text_itself_can_be_refused(mail: MailSandbox) -> None:
    mail.refuse_temporarily(stage="data")
    with pytest.raises(smtplib.SMTPDataError):
        send(mail, AMARA)
    assert mail.letters == []


def test_a_lost_answer_leaves_the_letter_taken(mail: MailSandbox) -> None:
    mail.lose_answers()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(mail, AMARA)
    assert len(mail.letters) == 1


def test_credentials_are_demanded(world: Any) -> None:
    with MailSandbox(world.clock, credentials=("syncd", "right")) as box:
        for password, expected in (("wrong", 535), ("right", 235)):
            with smtplib.SMTP(box.host, box.port, timeout=5) as client:
                client.ehlo()
                try:
                    code = client.login("syncd", password)[0]
                except smtplib.SMTPAuthenticationError as refused:
                    code = refused.smtp_code
                assert code == expected
        with pytest.raises(smtplib.SMTPSenderRefused):
            send(box, AMARA)


def test_a_stopped_server_refuses_and_starts_again_on_its_port(mail: MailSandbox) -> None:
    port = mail.port
    mail.stop()
    with pytest.raises(ConnectionRefusedError):
        send(mail, AMARA)
    mail.start()
    send(mail, AMARA)
    assert mail.port == port
