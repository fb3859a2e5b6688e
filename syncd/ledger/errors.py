"""What can be wrong with a ledger, named for the situation; the command line turns it into advice."""

from __future__ import annotations


class LedgerError(Exception):
    """Something about the ledger; `hint` is the next thing to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)


class LedgerBusy(LedgerError):
    """Another process holds the lock; `holder` is what it wrote there."""

    def __init__(self, path: str, holder: str) -> None:
        self.holder = holder
        super().__init__(
            f"{path} is held by another process ({holder or 'unknown'})",
            "wait for it, or stop it: one ledger has one executor",
        )


class LedgerMissing(LedgerError):
    """There is no ledger yet where a reading command looks for one."""


class LedgerFromTheFuture(LedgerError):
    """The ledger was written by a newer syncd."""


class LedgerNotOurs(LedgerError):
    """The ledger belongs to another PagerDuty account or another Jira."""


class LedgerUnreadable(LedgerError):
    """The file where the ledger should be cannot be read as one."""


class OperationMoved(LedgerError):
    """An operation is not in the state that the caller knew: nothing was written."""

    def __init__(self, row_id: int | None, known: str, wanted: str) -> None:
        super().__init__(
            f"operation {row_id} cannot go from {known} to {wanted}: that is not where it stands (any more)",
            "nothing was changed; look at it: syncd outbox",
        )


class LedgerUnsafe(LedgerError):
    """A setting or trigger that the promises rest on is not in force."""


class LedgerUnwritable(LedgerError):
    """The disk under the ledger takes no write: it is full, read-only or broken. Nothing was changed."""
