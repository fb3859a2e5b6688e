"""Builds the case of one incident from the ledger: what a decision may look at, and nothing else."""

from __future__ import annotations

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from syncd.domain.base import JsonValue
from syncd.domain.history import Spell
from syncd.domain.incident import Incident, Note
from syncd.domain.operation import OperationClass
from syncd.domain.ticket import Account
from syncd.engine.context import Desk
from syncd.engine.notify.mail_history import mails_of
from syncd.engine.observe.accounts import person_key
from syncd.engine.observe.earlier_ledger.rebuild_duties import to_recall
from syncd.engine.observe.item_membership import neighbours
from syncd.ledger.store import outbox, postmortems
from syncd.ledger.store.duties import duties_of, waivers_of
from syncd.ledger.store.incident_log import turns_known
from syncd.ledger.store.postmortems import earlier, item_state, ticket_state
from syncd.ledger.store.related_rows import Tables, tables_with
from syncd.ledger.store.tables import (
    ActionItemRow,
    DutyRow,
    IncidentRow,
    MirrorLinkRow,
    OperationRow,
    PersonRow,
    PostmortemRow,
    TicketRow,
    WaiverRow,
)
from syncd.policy.case import Absorbed, Case, MergeTarget, MirrorPair, Rulebook
from syncd.policy.postmortem.waiver_labels import LABEL
from syncd.policy.severity import decide_severity
from syncd.policy.ticket.silence import is_silent
from syncd.policy.two_way.ticket_to_incident import travels


def build_case(
    session: Session,
    desk: Desk,
    row: IncidentRow,
    book: Rulebook,
    people: tuple[dict[str, Account | None], Account | None],
) -> Case:
    """Given an incident's row, return its case as of this transaction."""
    incident = Incident.model_validate(row.snapshot)
    there, whose = tables_with(session, row.id), {"incident": row.id}
    ticket = session.get(TicketRow, row.id) if TicketRow in there else None
    once = session.connection().scalars(_ONCE, whose).all() if OperationRow in there else ()
    pairs = session.connection().execute(_PAIRS, whose).all() if MirrorLinkRow in there else ()
    sources = session.connection().scalars(MERGED_FROM, whose).all() if IncidentRow in there else ()
    case = Case(
        incident=incident,
        notes=tuple(Note.model_validate(note) for note in row.notes) if row.notes is not None else None,
        ticket=ticket_state(ticket) if ticket else None,
        pairs=tuple(
            MirrorPair(
                origin=pair.origin,
                note_id=pair.note_id,
                comment_id=pair.comment_id,
                note_hash=pair.note_hash,
                comment_hash=pair.comment_hash,
            )
            for pair in pairs
        ),
        people=people[0],
        fallback=people[1],
        once=frozenset(once),
        instance=desk.ledger.instance,
        silent=is_silent(incident, book),
        restricted=row.restricted,
        attempted=_attempted(session, ticket, book) if ticket else {},
        now=desk.clock.now(),
        merged_into=_merge_target(session, incident),
        merged_from=tuple(sources),
    )
    return extend_case(session, desk, row, case, book, there)


_ONCE = select(col(OperationRow.key)).where(
    col(OperationRow.incident_id) == bindparam("incident"), col(OperationRow.op_class) == OperationClass.ONCE
)
_PAIRS = select(
    col(MirrorLinkRow.origin),
    col(MirrorLinkRow.note_id),
    col(MirrorLinkRow.comment_id),
    col(MirrorLinkRow.note_hash),
    col(MirrorLinkRow.comment_hash),
).where(col(MirrorLinkRow.incident_id) == bindparam("incident"))
MERGED_FROM = select(col(IncidentRow.id)).where(col(IncidentRow.merged_into) == bindparam("incident"))
"""What was merged into an incident."""


def _attempted(session: Session, ticket: TicketRow, book: Rulebook) -> dict[str, JsonValue]:
    """What our latest writes to the ticket meant whose outcome nobody knows.

    They are asked for only where the ticket stands elsewhere than where we put it last, or shows something
    else than what was agreed on.
    """
    twoway, place = travels(book.mapping.two_way), f"ticket:{ticket.incident_id}"
    astray = ticket.snapshot is not None and ticket.snapshot["status"]["id"] != ticket.placed_status
    edit = outbox.perhaps_done(session, place, "fields") if twoway or _shows_otherwise(ticket) else None
    move = outbox.perhaps_done(session, place, "status") if twoway or astray else None
    to = (move.rendered or {}).get("to") if move else None
    status: dict[str, JsonValue] = {"status": to["id"]} if isinstance(to, dict) else {}
    return {**(edit.meaning.get("agree", {}) if edit else {}), **status}


def _shows_otherwise(ticket: TicketRow) -> bool:
    if ticket.snapshot is None:
        return False
    showing = {
        "summary": ticket.snapshot["summary"],
        **{name: (ticket.snapshot[name] or {}).get("id") for name in ("assignee", "priority")},
    }
    return any(ticket.agreed.get(name) not in (None, value) for name, value in showing.items())


def _merge_target(session: Session, incident: Incident) -> MergeTarget | None:
    """The incident that this one was merged into; one that was never read counts as claimed."""
    if incident.merged_into is None:
        return None
    row = session.get(IncidentRow, incident.merged_into)
    if row is None:
        return MergeTarget(id=incident.merged_into)
    return MergeTarget(
        id=row.id,
        number=row.number,
        claimed=row.team is not None,
        has_ticket=session.get(TicketRow, row.id) is not None,
    )


def extend_case(
    session: Session, desk: Desk, row: IncidentRow, case: Case, book: Rulebook, there: Tables
) -> Case:
    """The case with what follows the incident, as of this transaction; `there`: the tables to ask."""
    postmortem = session.get(PostmortemRow, row.id) if PostmortemRow in there else None
    state = postmortems.postmortem_state(postmortem) if postmortem else None
    items = postmortems.items_of(session, row.id) if ActionItemRow in there else ()
    issues = [one.issue for one in (case.ticket, state) if one is not None and one.issue is not None]
    extended = case.model_copy(
        update={
            "turns": turns_known(row, case.incident),
            "spells": tuple(Spell.model_validate(one) for one in row.spells),
            "postmortem": state,
            "items": tuple(item_state(one) for one in items),
            "duties": duties_of(session, row.id) if DutyRow in there else (),
            "waivers": waivers_of(session, row.id) if WaiverRow in there else (),
            "skewed": desk.skewed(),
            "absorbed": absorbed(session, desk, row) if case.merged_from else (),
            "approvers": _approvers(session, book, postmortem),
            "beside": frozenset(neighbours(session, row, issues)),
            "earlier": earlier(session, case.incident, book.mapping.team),
            "recall": to_recall(session, desk, row, postmortem, book),
            **_service_owner(session, book),
        }
    )
    return mails_of(session, row, extended)


def absorbed(session: Session, desk: Desk, row: IncidentRow) -> tuple[Absorbed, ...]:
    """What was merged into an incident, and into that, each judged by its own team's mapping."""
    found = []
    for source in postmortems.absorbed_rows(session, row.id):
        incident = Incident.model_validate(source.snapshot)
        team = desk.team_of(incident.service.id, incident.service.name)
        if team is None:
            continue
        severity = decide_severity(incident, *team)
        merged_at = incident.resolved_at or incident.status_changed_at or incident.created_at
        owes = team[0].owes_postmortem(severity.name, team[1])
        found.append(
            Absorbed(
                id=source.id,
                number=source.number,
                severity=severity.name,
                owes=owes,
                merged_at=merged_at,
            )
        )
    return tuple(found)


def _approvers(session: Session, book: Rulebook, row: PostmortemRow | None) -> frozenset[str] | None:
    """The accounts of who may waive, as far as a label asks for them; None: one was not looked up yet."""
    wanted = book.mapping.people.approvers
    labels = (row.snapshot or {}).get("labels") or () if row else ()
    if not wanted or LABEL not in {label.casefold() for label in labels}:
        return None
    rows = [session.get(PersonRow, person_key(email, book)) for email in wanted]
    if any(one is None for one in rows):
        return None
    return frozenset(str(one.account["id"]) for one in rows if one is not None and one.account)


def _service_owner(session: Session, book: Rulebook) -> dict[str, object]:
    """Who the service's owner is in Jira, as far as that was looked up."""
    address = book.section.owner
    if address is None:
        return {}
    email, project = person_key(address, book)
    known = session.connection().execute(_ACCOUNT, {"email": email, "project": project}).first()
    account = Account.model_validate(known.account) if known and known.account else None
    return {"service_owner": account, "owner_known": known is not None}


_ACCOUNT = select(col(PersonRow.account)).where(
    col(PersonRow.email) == bindparam("email"), col(PersonRow.project) == bindparam("project")
)
