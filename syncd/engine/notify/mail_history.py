"""What is known of an incident's mails, and which of those that wait are not true any more.

A mail that never left, or was certainly not taken, is decided again before it leaves: it goes out as long as
the decision asks for it, and is on record as not sent, with the reason, when it does so no more (rules:
"Before anything leaves, the truth is read again").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from syncd.domain.mail import DECIDED, KEYS
from syncd.domain.operation import Kind, OperationState
from syncd.ledger.store.tables import IncidentRow, OperationRow, PersonRow
from syncd.policy.case import Case, Decision
from syncd.policy.notify.notices import SKIP
from syncd.policy.notify.recipients import account_of_duty

UNSURE = "unsure"
"""In the meaning of a mail that left once without an answer: it may have arrived."""
NOT_SENT = (OperationState.PENDING, OperationState.HELD, OperationState.PARKED)


def mails_of(session: Session, row: IncidentRow, case: Case) -> Case:
    """The case with its mails and the addresses that are known."""
    mailed = bool(case.merged_from) or any(key.startswith(KEYS) for key in case.once)
    return case.model_copy(
        update={
            "sent": sent_of(session, [row.id, *case.merged_from]) if mailed else {},
            "addresses": _addresses(session, case),
        }
    )


def sent_of(session: Session, incidents: list[str]) -> dict[str, datetime]:
    """The mails of these incidents that left or may have left, by key, with the moment."""
    return {
        row.key: row.claimed_at
        for row in session.exec(_MAILS, params={"incidents": incidents}).all()
        if row.claimed_at is not None and may_have_left(row)
    }


_MAILS = select(OperationRow).where(
    col(OperationRow.incident_id).in_(bindparam("incidents", expanding=True)),
    OperationRow.kind == Kind.SEND_MAIL,
)


def may_have_left(row: OperationRow) -> bool:
    """Whether somebody may have received the mail."""
    left = (OperationState.DONE, OperationState.IN_FLIGHT, OperationState.SETTLING)
    return row.state in left or bool(row.meaning.get(UNSURE))


def _addresses(session: Session, case: Case) -> dict[str, str]:
    """What the look-ups of people have found of the accounts that owe something and hide their address."""
    accounts = [account_of_duty(case, duty) for duty in case.duties]
    wanted = {one.id for one in accounts if one is not None and not one.email}
    if not wanted:
        return {}
    found = {}
    for person in session.exec(select(PersonRow)).all():
        ident = (person.account or {}).get("id")
        if ident in wanted:
            found[str(ident)] = person.email
    return found


def undecided(rows: Iterable[OperationRow]) -> dict[str, OperationRow]:
    """Of an incident's rows, the mails that a decision asks for and that certainly did not leave, by key."""
    return {
        row.key: row
        for row in rows
        if row.kind == Kind.SEND_MAIL
        and row.state in NOT_SENT
        and row.meaning.get("mail") in DECIDED
        and not row.meaning.get(UNSURE)
    }


def untrue(rows: Iterable[OperationRow], decision: Decision) -> Iterator[tuple[OperationRow, str]]:
    """The mails that wait and are not to be sent any more, each with the reason."""
    wanted = {op.key: op for op in decision.operations if op.kind is Kind.SEND_MAIL}
    for key, row in undecided(rows).items():
        op = wanted.get(key)
        why = row.meaning.get(SKIP) if op is None else op.meaning.get(SKIP)
        if op is None or why:
            yield row, f"not sent: {why or 'it is not true any more'}"
