"""Which incidents may have a ticket that the ledger does not know: few, however many it holds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from ledger_cast import GAVE_UP, NOW, incident, save_incident, ticket
from sqlmodel import Session

from syncd.domain.incident import Incident, IncidentStatus
from syncd.ledger.open import Ledger
from syncd.ledger.restore import begin_anew
from syncd.ledger.store.adoptions import unsearched
from syncd.ledger.store.tables import IncidentRow

DAY = timedelta(days=1)
IN_PEACE = NOW - 10 * DAY


def ids(ledger: Ledger, in_peace: bool = True) -> list[str]:
    return [row.id for row in unsearched(ledger, IN_PEACE if in_peace else None)]


def resolved(ident: str, days_ago: float, **more: object) -> Incident:
    at = NOW - days_ago * DAY
    values = {"id": ident, "created_at": at - DAY, "resolved_at": at, **more}
    return incident(IncidentStatus.RESOLVED, **values)


def test_what_was_over_before_the_rules_held_is_left_out_unless_a_mapping_wants_it(ledger: Ledger) -> None:
    with ledger.write() as session:
        for number, read in enumerate(
            [
                resolved("PLONGAGO", 11),
                resolved("PLATER", 9),
                resolved("PNOTIME", 12, resolved_at=None),
                incident(id="POPEN", created_at=NOW - 20 * DAY),
                # opened again, and PagerDuty still shows its first resolve
                incident(id="PAGAIN", created_at=NOW - 19 * DAY, resolved_at=NOW - 18 * DAY),
                incident(id="PYOUNG", created_at=NOW + DAY),
            ]
        ):
            save_incident(session, read.model_copy(update={"number": number}), 1, NOW, "QRPay")
        save_incident(session, incident(id="PNOBODYS", created_at=NOW - DAY), 1, NOW, None)
    assert ids(ledger) == ["POPEN", "PAGAIN", "PNOTIME", "PLATER"]
    assert ids(ledger, in_peace=False) == ["POPEN", "PAGAIN", "PNOTIME", "PLONGAGO", "PLATER"]


def _searched(session: Session, idents: Iterable[str]) -> list[bool]:
    rows = [session.get(IncidentRow, ident) for ident in idents]
    return [row.searched for row in rows if row is not None]


def test_after_a_restore_only_what_has_no_ticket_is_searched_for(ledger: Ledger) -> None:
    with ledger.write() as session:
        for number, ident in enumerate(("PWITH", "PWITHOUT")):
            save_incident(session, incident(id=ident, number=number), 1, NOW, "QRPay")
        session.flush()
        session.add(ticket("PWITH"))
    begin_anew(ledger, NOW + DAY, GAVE_UP)
    assert ids(ledger) == ["PWITHOUT"]
    # the index of the unsearched ones must not hold all that ever had a ticket
    with ledger.read() as session:
        assert _searched(session, ["PWITH", "PWITHOUT"]) == [True, False]
