"""Changes the incident as a person changed its ticket: state, assignee, priority or title.

Such a write pages people or stops paging them, so the incident is read again before each request: where it
is not as it was when the write was decided, it is decided anew. What PagerDuty says is done already (1001,
1002) is done; what it refuses because the incident is over or merged (1019) is left, on record (API fact: its
error codes). After the write the incident is read, so that the rules go by PagerDuty's answer and not by what
was sent.
"""

from __future__ import annotations

from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.operation import Kind, Operation
from syncd.domain.ticket import Account, Issue
from syncd.engine.act.jira_write.reread import incident_and_book
from syncd.engine.act.kind import BaseAct, Outcome, Rendered
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.engine.observe.accounts import user_of
from syncd.engine.observe.intake import keep_incident
from syncd.ledger.store import audit, outbox
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.tables import IncidentRow, OperationRow, TicketRow
from syncd.policy.ticket.revert_counter import INCIDENT, incident_value, print_of, remembered, seen
from syncd.remote.errors import Cause, NotDone

ALREADY = {1001: IncidentStatus.RESOLVED, 1002: IncidentStatus.ACKNOWLEDGED}
"""PagerDuty's codes for an incident that is in that state already."""
MERGED = 1019
LEFT = "left"
"""In what is rendered: why nothing is written."""


class ChangeIncident(BaseAct):
    """One change of one incident."""

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """What is changed, in PagerDuty's ids; `left` where PagerDuty knows nothing of the kind."""
        meaning = row.meaning
        if "status" in meaning:
            return {"status": meaning["status"]}
        if "account" in meaning:
            _, book = incident_and_book(desk, row)
            email, name = meaning.get("email"), str(meaning.get("name"))
            user = user_of(desk, Account(id=str(meaning["account"]), name=name, email=email), book)
            return {"assignee": user.id} if user else {LEFT: "PagerDuty has nobody with their address"}
        if "priority" in meaning:
            return _priority(desk, str(meaning["priority"]))
        if not meaning.get("text"):
            raise DecideAgain
        return {"text": meaning["text"]}

    def complete(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Rendered:
        """The same; raises `DecideAgain` where the incident changed since."""
        moment = desk.ledger.moments.next()
        incident = desk.clients.pagerduty.incident(row.incident_id)
        desk.health.succeeded("pagerduty")
        if incident is None:
            raise CannotRender("PagerDuty does not show the incident to us")
        with desk.ledger.db.write() as session:
            known = session.get(IncidentRow, row.incident_id)
            keep_incident(session, desk, incident, moment, known.team if known else None)
            session.flush()
            as_kept = session.get(IncidentRow, row.incident_id)
            if as_kept is None or (as_kept.restricted and "text" in rendered):
                raise DecideAgain
            stands = incident_value(Incident.model_validate(as_kept.snapshot), row.aspect)
        if print_of(stands) != row.meaning["from"] or incident.merged_into:
            raise DecideAgain
        return rendered

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One request; none where there is nothing to write."""
        if LEFT in rendered:
            return Outcome(row.incident_id, {LEFT: rendered[LEFT]})
        wish = {
            "title" if name == "text" else name: str(rendered[name]) for name in rendered if name in _WISHES
        }
        try:
            desk.clients.pagerduty.change_incident(row.incident_id, **wish)
        except NotDone as error:
            why = _over(row, error)
            if why is None:
                raise
            return Outcome(row.incident_id, {LEFT: why} if why else {})
        return Outcome(row.incident_id)

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """Both sides agree; what was left is on record, and said on the ticket."""
        ticket, incident = session.get(TicketRow, row.incident_id), session.get(IncidentRow, row.incident_id)
        if ticket is None or incident is None:
            return
        moment = desk.ledger.moments.next()
        if why := outcome.data.get(LEFT):
            _leave(session, desk, row, ticket, str(why))
        else:
            place = f"{INCIDENT}{row.aspect}"
            agree = {**row.meaning["agree"], **_text_agreed(row, incident)}
            kept = remembered(ticket.agreed, place, str(row.meaning["from"]))
            ticket.agreed = {**ticket.agreed, **agree, **kept}
            session.add(ticket)
            incident.written_moment = moment
            session.add(incident)
            audit.append(
                session,
                desk.clock.now(),
                "incident.changed",
                incident=row.incident_id,
                issue=ticket.issue_id,
                operation=row.id,
                data={"aspect": row.aspect},
            )
        look_again(session, [row.incident_id], desk.clock.now(), desk.ledger.moments.next(), row.reason)


_WISHES = frozenset({"status", "assignee", "priority", "text"})


def _priority(desk: Desk, wanted: str) -> Rendered:
    known = desk.clients.pagerduty.priorities()
    found = next((one.id for one in known if one.name.casefold() == wanted.casefold()), None)
    return {"priority": found} if found else {LEFT: "PagerDuty has no such priority"}


def _over(row: OperationRow, error: NotDone) -> str | None:
    """Why a refusal is final: empty where what was wanted is so already; None: it is not final."""
    if error.cause is not Cause.REJECTED or error.code not in {*ALREADY, MERGED}:
        return None
    state = ALREADY.get(error.code)
    if state is not None and row.meaning.get("status") == state:
        return ""
    return "the incident was merged" if error.code == MERGED else f"the incident is {state} already"


def _text_agreed(row: OperationRow, incident: IncidentRow) -> dict[str, JsonValue]:
    text = row.meaning.get("text")
    return {"summary": text} if text and not incident.restricted else {}


def _leave(session: Session, desk: Desk, row: OperationRow, ticket: TicketRow, why: str) -> None:
    """The ticket keeps what it shows, and the incident what it says."""
    showing = Issue.model_validate(ticket.snapshot) if ticket.snapshot else None
    ticket.agreed = {**ticket.agreed, **_as_shown(row, showing)}
    session.add(ticket)
    audit.append(
        session,
        desk.clock.now(),
        "left",
        incident=row.incident_id,
        issue=ticket.issue_id,
        operation=row.id,
        data={"rule": "two_way", "reason": f"{row.aspect}: {why}"},
    )
    said = Operation(
        key=f"say/{row.incident_id}/two-way/{row.id}",
        kind=Kind.SAY_ON_TICKET,
        incident=row.incident_id,
        object=f"ticket:{row.incident_id}",
        meaning={
            "subject": row.aspect,
            "text": f"this change was not carried to PagerDuty: {why}",
            "value": "",
        },
        reason="people learn what did not reach PagerDuty",
    )
    outbox.add(session, [said], desk.clock.now(), row.mapping_version)


def _as_shown(row: OperationRow, issue: Issue | None) -> dict[str, JsonValue]:
    """What was to travel counts as seen, so that it is not tried again."""
    if row.aspect == "status":
        return {name: one for name, one in row.meaning["agree"].items() if name != "state"}
    if row.aspect == "summary":
        return seen("summary", issue.summary) if issue else {}
    return seen(row.aspect, row.meaning["agree"][row.aspect])
