"""Tell the communications lead once that customers have been impacted for longer than the runbook allows.

QRPay runbook, "Incident Lifecycle", 5: update the external status page if customers are impacted for more
than 15 minutes. A person's line `impact: customers` begins the impact, `impact: none` or the resolve ends
it, and `status page: posted` says that the page tells of it. The status page itself stays people's.
"""

from __future__ import annotations

from datetime import timedelta

from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation.mail import ImpactMail
from syncd.domain.role import Role
from syncd.policy.case import Case, Decision, Rulebook
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
    began = impact_of(case)
    if began is None or _posted(case, began):
        return Decision()
    due = began.at + timedelta(minutes=after)
    if now < due:
        return Decision(again=(due - now).total_seconds())
    moment = f"{began.source}-{began.id}"
    reason = f"customers are impacted for more than {after:g} minutes and nobody said that the page tells it"
    content = ImpactMail(since=began.at, page=book.mapping.status_page.name)
    mails = (mail(case, content, moment, person, reason, due) for person in _recipients(case, book))
    return by_mode(case, book.mapping, tuple(mails))


def impact_of(case: Case) -> PersonLine | None:
    """Return the line that began the impact which lasts now; None: no customers are impacted."""
    if not case.incident.open:
        return None
    began = None
    for line in lines_of(case):
        if line.keyword == "impact" and line.rest.casefold() == "customers":
            began = began or line
        elif line.keyword == "impact" and line.rest.casefold() == "none":
            began = None
    # a resolve in between ended it
    over = [change.at for change in case.state_changes or () if change.kind == "resolved"]
    return began if began is not None and began.at > max(over, default=case.incident.created_at) else None


def _posted(case: Case, began: PersonLine) -> bool:
    return any(
        line.keyword == "status page" and line.rest.casefold() == "posted" and line.at >= began.at
        for line in lines_of(case)
    )


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
