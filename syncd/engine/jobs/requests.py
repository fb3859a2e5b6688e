"""What people asked for at the command line, as the engine serves it."""

from __future__ import annotations

from syncd.domain.clock import Clock
from syncd.engine.runtime.brakes import print_of
from syncd.ledger.database.connection import Transactions
from syncd.ledger.requests import answers
from syncd.ledger.store.requests import (
    RELOAD,
    REPORT,
    RESYNC,
    Result,
    answer_of,
    ask,
    end_errand,
    errand_progress,
    give_back_errands,
    request_of,
    take_errand,
)


def serve(ledger: Transactions, clock: Clock) -> list[str]:
    """Answer what was asked, errands aside; return the incidents to look at."""
    return answers.serve(ledger, clock, print_of)


__all__ = [
    "RELOAD",
    "REPORT",
    "RESYNC",
    "Result",
    "answer_of",
    "ask",
    "end_errand",
    "errand_progress",
    "give_back_errands",
    "request_of",
    "serve",
    "take_errand",
]
