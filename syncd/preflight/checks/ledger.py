"""Check that the next start of the daemon can use the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from syncd.ledger.database.connection import Transactions
from syncd.ledger.errors import LedgerError
from syncd.ledger.open import look_before_start
from syncd.ledger.store.former_rules import former_words
from syncd.preflight.checks.finding import Finding, ok, unknown, wrong


def ledger(url: str, state_dir: Path) -> Iterator[Finding]:
    """Check the ledger of a URL as a start does; take no lock and change nothing."""
    code, where = "C14", "ledger"
    try:
        words, doubt = look_before_start(url, state_dir)
    except LedgerError as error:
        yield wrong(code, where, str(error), error.hint)
        return
    yield ok(code, where, words)
    if doubt is not None:
        hint = "keep the ledger on a disk of this machine, or in PostgreSQL"
        yield unknown(code, where, f"{doubt}: syncd cannot tell if it keeps its locks and writes", hint)


def former(ledger: Transactions, teams: Collection[str]) -> Iterator[Finding]:
    """Tell the teams with incidents whose mapping is gone, given the teams whose mappings are there."""
    for team, words in former_words(ledger, teams):
        hint = "put the file back if it went by mistake, then: syncd reload"
        yield ok("C15", team, words, hint)
