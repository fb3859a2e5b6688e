"""Change notices: a decision drops those that it answers, and no others."""

from __future__ import annotations

import pytest
from ledger_cast import NOW

from syncd.ledger.open import Ledger
from syncd.ledger.store.change_queue import Heard, change_notices_of_in, drop_notices_in, store_heard


@pytest.mark.parametrize("answered", [0, 1, 2, 50, 51, 120])
def test_a_decision_drops_the_notices_that_it_answers_and_no_others(ledger: Ledger, answered: int) -> None:
    for read_seq in range(1, 121):
        store_heard(ledger, [Heard("P1", read_seq, "a webhook"), Heard("P2", read_seq, "a webhook")], NOW)
    with ledger.write() as session:
        drop_notices_in(session, change_notices_of_in(session, "P1")[:answered])
    with ledger.read() as session:
        left = [notice.read_seq for notice in change_notices_of_in(session, "P1")]
        others = change_notices_of_in(session, "P2")
    assert (left, len(others)) == (list(range(answered + 1, 121)), 120)
