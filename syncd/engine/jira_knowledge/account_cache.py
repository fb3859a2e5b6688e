"""Who is whose account, at hand for a minute, so that the ledger is not asked for every incident."""

from __future__ import annotations

from syncd.domain.clock import Clock
from syncd.domain.ticket import Account

AT_HAND = 60.0
"""Seconds for which an answer is taken from memory, without asking the ledger."""


class AccountCache:
    """The accounts that were looked up, by address and project; None is an answer too: nobody's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts: dict[tuple[str, str], tuple[float, Account | None]] = {}

    def get(self, email: str, project: str) -> tuple[Account | None] | None:
        """Return the answer that is at hand, None where there is none or it is too old."""
        since, account = self._accounts.get((email, project), (None, None))
        if since is None or self._clock.boottime() - since >= AT_HAND:
            return None
        return (account,)

    def keep(self, email: str, project: str, account: Account | None) -> None:
        """Keep an answer of now."""
        self._accounts[email, project] = self._clock.boottime(), account

    def clear(self) -> None:
        """Forget all answers."""
        self._accounts.clear()
