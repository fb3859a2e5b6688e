"""What the operator is told of the daemon itself: writes held, a credential refused, a side not read.

Each stands in the ledger or shows itself again, so it is derived anew every time and a crash forgets none.
"""

from __future__ import annotations

from syncd.domain.operation.mail import OperatorMail
from syncd.report.mail import letters
from syncd.report.mail.letters import Letter

NAMES = {"pagerduty": "PagerDuty", "jira": "Jira", "mail": "The mail server"}
WHY = "SYNCD_OPERATOR_EMAIL names you"


def operator_letter(mail: OperatorMail) -> Letter:
    """Return the letter about what is the matter."""
    since = letters.format_time(mail.since, "UTC")
    name = NAMES.get(mail.service or "", "")
    if mail.topic == "mass":
        return _letter(
            f"Writes to {mail.tickets} tickets are held",
            (
                f"Since {since} syncd holds writes to {mail.tickets} existing tickets whose incidents"
                " did not change. It goes on observing and deciding.",
                "See what they are, then let them go or drop them:",
            ),
            ("syncd outbox", "syncd outbox release", 'syncd outbox drop --held --reason "…"'),
        )
    if mail.topic == "alarm":
        text = mail.text or ""
        return _letter(text.partition(" (")[0], (text,), ("syncd check",))
    if mail.topic == "start":
        return _letter(
            f"{name} refuses our credentials, and syncd does not start",
            (
                f"At {since} {name} refused the credentials of syncd, which ended. No incident is ticketed"
                " until it runs; what happens meanwhile is caught up then.",
                "Renew the token, then:",
            ),
            ("syncd check", "systemctl restart syncd"),
        )
    if mail.topic == "credentials":
        return _letter(
            f"{name} refuses our credentials",
            (
                f"Since {since} {name} refuses the credentials of syncd, and nothing is asked of it but one"
                " try every five minutes. Nothing is lost; what waits is done when it answers again.",
                "Renew the token, then:",
            ),
            ("syncd check", "systemctl restart syncd"),
        )
    return _letter(
        f"{name} was not read for 15 minutes",
        (
            f"The last good read of {name} was at {since}. Incidents of that time are caught up when it can"
            " be read again.",
            "See why:",
        ),
        ("syncd status", "syncd check"),
    )


def _letter(title: str, paragraphs: tuple[str, ...], commands: tuple[str, ...]) -> Letter:
    return letters.plain("the operator", title, paragraphs, commands, WHY)
