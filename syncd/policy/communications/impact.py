"""Tell the communications lead once that customers have been impacted for longer than the runbook allows.

QRPay runbook, "Incident Lifecycle", 5: update the external status page if customers are impacted for more
than 15 minutes. A person's line `impact: customers` begins the impact, `impact: none` or the resolve ends
it, and `status page: posted` says that the page tells of it. The status page itself stays people's.
"""

from __future__ import annotations

from datetime import timedelta

from syncd.domain.mail import KEYS, MailKind
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation.mail import ImpactMail
from syncd.domain.role import Role
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.communications.texts import ready_texts
from syncd.policy.exercises import mark_of, silences
from syncd.policy.lines import PersonLine, lines_of
from syncd.policy.notify.notices import by_mode, mail
from syncd.policy.notify.recipients import Recipient, notified, with_deputies
from syncd.policy.roles import role_holders
from syncd.policy.severity import decide_severity


def decide_impact(case: Case, book: Rulebook) -> Decision:
    """Return the mail about an impact that is not on the status page, or when to look again."""
    after, now = book.mapping.status_page.after_minutes, case.now
    if after is None or now is None or book.mapping.mails.mode is Mode.OFF or case.before_enforcement:
        return Decision()
    began = untold_impact(case)
    if began is None:
        return Decision()
    moment = f"{began.source}-{began.id}"
    told = f"{KEYS}{MailKind.IMPACT}/{case.incident.id}/{moment}/"
    severity = decide_severity(case.incident, book.mapping, book.section).name
    # a handover of the role is no reason for another mail
    if any(key.startswith(told) for key in case.once) or silences(case, book.mapping, severity):
        return Decision()
    due = began.at + timedelta(minutes=after)
    if now < due:
        return Decision(again=(due - now).total_seconds())
    # only the log tells if a resolve ended the impact since; nothing else waits for that
    if case.state_changes is None:
        return Decision(again=60.0) if "log" in case.refused_looks else Decision(look=frozenset({"log"}))
    reason = f"customers are impacted for {after:g} minutes, and nobody wrote `status page: posted`"
    page, stands = book.mapping.status_page.name, _text_stands(case)
    content = ImpactMail(since=began.at, page=page, text_stands=stands, exercise=mark_of(case))
    mails = (mail(case, content, moment, person, reason, due) for person in _recipients(case, book))
    return by_mode(case, book.mapping, tuple(mails))


def untold_impact(case: Case) -> PersonLine | None:
    """Return the line that began the impact which lasts now, None if there is none or the page tells of it.

    A line `status page: posted` counts until the impact ends, also where it came before `impact: customers`.
    """
    if not case.incident.open:
        return None
    began, posted, last_resolve = None, False, max(case.resolves, default=case.incident.created_at)
    for line in lines_of(case):
        # a resolve in between ended it
        if line.at <= last_resolve:
            continue
        if line.keyword == "impact" and line.word == "customers":
            began = began or line
        elif line.keyword == "impact" and line.word == "none":
            began, posted = None, False
        elif line.keyword == "status page" and line.word == "posted":
            posted = True
    return None if posted else began


def _text_stands(case: Case) -> bool:
    """Return True if the ticket has a comment with a text for customers."""
    texts = ready_texts(case.ticket.agreed) if case.ticket is not None else None
    return texts is not None and texts.comment is not None


def _recipients(case: Case, book: Rulebook) -> tuple[Recipient, ...]:
    """Return the communications lead, else the commander, else the severity's contacts."""
    holders = role_holders(case, book)
    for role in (Role.COMMUNICATIONS_LEAD, Role.COMMANDER):
        holder = holders.get(role)
        if holder is not None and holder.address:
            named = Recipient(address=holder.address, why=f"you are the {role.words}")
            return with_deputies([named], book.mapping, case.now)
    severity = decide_severity(case.incident, book.mapping, book.section).name
    return notified(case, book.mapping, book.section, severity)
