"""What `syncd plan` asks the ledger about what keeps decided writes from leaving."""

from __future__ import annotations

from typing import Any

from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import holds


def first_load_data(ledger: Transactions) -> dict[str, Any]:
    """Return the first load: its state, and while it is held, what waits by kind."""
    with ledger.read() as session:
        return holds.first_load_data(session)
