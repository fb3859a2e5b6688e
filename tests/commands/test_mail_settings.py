"""The mail settings at work: a shipped SEV0 over a server that wants a password, or into files."""

from __future__ import annotations

from email import message_from_bytes, policy
from pathlib import Path

from commandline import House

from syncd.sandbox.mail import MailSandbox

PASSWORD = "a long and secret word"
TOLD = ["elif.kaya@qrpay.example", "tomasz.wojcik@qrpay.example"]


def enforced(house: House) -> None:
    """The mapping's mails as they are shipped, whatever mode `syncd init` has written."""
    path = Path("mappings/qrpay.yaml")
    head, section, rest = path.read_text().partition("\nmails:")
    path.write_text(head + section + rest.replace("mode: report", "mode: enforce", 1))


def test_a_sev0_is_told_over_the_mail_server_of_the_settings(house: House) -> None:
    enforced(house)
    with MailSandbox(house.clock.now, credentials=("syncd", PASSWORD)) as mail:
        for name, value in {
            "HOST": mail.host,
            "PORT": str(mail.port),
            "SECURITY": "none",
            "USERNAME": "syncd",
            "PASSWORD": PASSWORD,
            "FROM": "Incidents <syncd@qrpay.example>",
        }.items():
            house.set(f"SYNCD_SMTP_{name}", value)
        house.trigger(priority="P1")
        result = house.syncd("run", "--once")
        assert result.code == 0
        assert sorted(letter.recipients[0] for letter in mail.letters) == TOLD
        assert {str(letter.message["From"]) for letter in mail.letters} == {"Incidents <syncd@qrpay.example>"}
    assert PASSWORD not in result.out + result.err
    assert "Nobody receives mail" not in house.syncd("status").out


def test_without_a_mail_server_there_are_files_and_status_and_check_say_so(house: House) -> None:
    enforced(house)
    house.trigger(priority="P1")
    assert house.syncd("run", "--once").code == 0
    mails = [
        message_from_bytes(file.read_bytes(), policy=policy.default) for file in Path(".syncd/mail").iterdir()
    ]
    assert sorted(str(letter["To"]) for letter in mails) == TOLD
    assert "Nobody receives mail: SYNCD_SMTP_HOST is not set" in house.syncd("status").out
    findings = house.syncd("check", "--offline", "--json").json["findings"]
    messages = {finding["code"]: finding["message"] for finding in findings}
    assert "nobody receives mail" in messages["C03"]
    assert "nobody receives mail when the daemon itself is in trouble" in messages["C04"]
    house.set("SYNCD_OPERATOR_EMAIL", "ops@company.example")
    findings = house.syncd("check", "--offline", "--json").json["findings"]
    assert "is the address of the example" in next(f["message"] for f in findings if f["code"] == "C04")
    assert messages["C08"] == "everybody who gets notices or breaches has an address"
