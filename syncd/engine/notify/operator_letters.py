"""The mails to the operator about the daemon's own troubles: what happened, what it means, what to type."""

from __future__ import annotations

from syncd.domain.operation.mail import OperatorMail
from syncd.domain.text import counted
from syncd.ledger.open import Ledger
from syncd.ledger.views.show import after_put_back
from syncd.policy.notify.operator_alarms import NAMES
from syncd.report.mail import letters
from syncd.report.mail.letters import Letter


def operator_letter(ledger: Ledger, mail: OperatorMail) -> Letter:
    """Return the letter about a trouble of the daemon."""
    since = letters.format_time(mail.since, "UTC")
    name = NAMES.get(mail.service or "", "")
    if mail.topic in ("mass", "first_load"):
        return _held_letter(mail, since)
    if mail.topic in ("start", "credentials"):
        return _credentials_letter(mail, name, since)
    if mail.topic == "put_back":
        return _put_back_letter(ledger, mail, since)
    if mail.topic == "alarm":
        text = mail.text or ""
        return _letter_to_operator(text.partition(" (")[0], (text,), ("syncd check",))
    return _letter_to_operator(
        f"{name} could not be read for 15 minutes",
        (
            f"syncd last read {name} at {since}. It catches up on later incidents when it can read {name}"
            " again.",
            "See why:",
        ),
        ("syncd status", "syncd check"),
    )


def _held_letter(mail: OperatorMail, since: str) -> Letter:
    """Return the letter about writes that a brake holds."""
    if mail.topic == "mass":
        return _letter_to_operator(
            f"Writes to {mail.tickets} tickets are held",
            (
                f"Since {since} syncd holds writes to {mail.tickets} existing tickets whose incidents"
                " did not change. syncd goes on reading and deciding.",
                "Look at them, then release or drop them:",
            ),
            ("syncd outbox", "syncd outbox release", 'syncd outbox drop --held --reason "…"'),
        )
    return _letter_to_operator(
        f"A first load of {mail.tickets} tickets is held",
        (
            f"syncd has a new ledger. Since {since} it holds all writes about incidents that began before"
            f" its first start: it would make {mail.tickets} tickets. Incidents that begin from now on"
            " get their ticket, notices and deadlines at once.",
            "Look at the plan, then accept it:",
        ),
        ("syncd status", "syncd plan", "syncd accept"),
    )


def _credentials_letter(mail: OperatorMail, name: str, since: str) -> Letter:
    """Return the letter about a service that refuses our login."""
    if mail.topic == "start":
        return _letter_to_operator(
            f"{name} refuses syncd's credentials, so syncd does not start",
            (
                f"At {since} {name} refused syncd's credentials, and syncd ended. No incident gets a ticket"
                " until syncd runs again; then it catches up.",
                f"{mail.text}. Then:" if mail.text else "Renew the token, then:",
            ),
            ("syncd check", "systemctl restart syncd"),
        )
    if mail.text:
        return _letter_to_operator(
            f"{name} demands a captcha of syncd's account",
            (
                f"{mail.text}.",
                f"Since {since} {name} refuses syncd's login. Each request would be one more failed login, so"
                " syncd asks again only every 15 minutes. Nothing is lost: what waits is done afterwards.",
            ),
            (f"syncd resume {mail.service}",),
        )
    return _letter_to_operator(
        f"{name} refuses syncd's credentials",
        (
            f"Since {since} {name} refuses syncd's credentials. syncd asks again by itself."
            f" Nothing is lost: what waits is done when {name} accepts them.",
            "If the token has expired, put a new one in its place, then:",
        ),
        ("syncd check", "systemctl restart syncd"),
    )


def _letter_to_operator(title: str, paragraphs: tuple[str, ...], commands: tuple[str, ...]) -> Letter:
    return letters.plain("the operator", title, paragraphs, commands, "SYNCD_OPERATOR_EMAIL names you")


def _put_back_letter(ledger: Ledger, mail: OperatorMail, since: str) -> Letter:
    """Return the letter about an older file of the ledger that somebody put back by hand."""
    after = after_put_back(ledger, mail.since)
    ends = letters.format_time(after.last_event, "UTC") if after.last_event else "its beginning"
    recovered = ", ".join(counted(number, thing) for thing, number in after.found.items()) or "nothing"
    return _letter_to_operator(
        "An older file of the ledger was put back",
        (
            f"At {since} syncd saw that its ledger is older than what it made: {mail.text}. Its record ends"
            f" at {ends}. syncd runs, and goes on as after syncd restore.",
            f"Lost is what only the newer file knew between {ends} and {since}: the audit trail of that time,"
            " reports that were sent, and waivers, corrections, pauses and other words of people that Jira"
            " does not hold. Give them again where they still count.",
            f"Found again by its mark: {recovered}. What syncd did not find within the settle time is made"
            " now, so nothing is doubled.",
            f'Recorded as "not sent: ledger was put back": {after.unsent} mails and chat posts'
            " whose moment lies before. Notices of incidents that are still open left again and say that they"
            " may be repetitions.",
            f"If the newer file still exists, or a later backup: stop syncd, put it back (as {ledger.name})"
            " and start syncd, which takes from Jira what that one does not know. Then see what remains:",
        ),
        ("syncd restore BACKUP", "syncd status", "syncd audit verify"),
    )
