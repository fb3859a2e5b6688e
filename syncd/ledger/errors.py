"""The errors of a ledger, one class for each situation; the command line prints the message and the hint."""

from __future__ import annotations

from pathlib import Path


class LedgerError(Exception):
    """An error of the ledger; `hint` tells the operator the next step."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)


class LedgerBusy(LedgerError):
    """Another process holds the lock; `holder` is the name that it wrote into the lock file."""

    def __init__(self, path: str, holder: str) -> None:
        self.holder = holder
        super().__init__(
            f"{path} is held by another process ({holder or 'unknown'})",
            "wait for it, or stop it: one ledger has one executor",
        )


class LedgerMissing(LedgerError):
    """A command finds no ledger, or with `old` one that needs a migration first: the daemon makes both.

    How the daemon starts depends on the machine, so the command line adds the hint.
    """

    def __init__(self, message: str, *, old: bool = False) -> None:
        self.old = old
        super().__init__(message)


class LedgerFromTheFuture(LedgerError):
    """A newer syncd wrote the ledger."""


class LedgerMoved(LedgerError):
    """The ledger was moved to another database, or it is a copy that is not finished."""


class LedgerNotOurs(LedgerError):
    """The ledger belongs to another PagerDuty account or another Jira."""


class LedgerMisconfigured(LedgerError):
    """SYNCD_LEDGER_URL, or the database that it names, is not set up for a ledger."""


class LedgerUnreadable(LedgerError):
    """The ledger's file cannot be read as a database."""


class LedgerUnreachable(LedgerError):
    """The server with the ledger does not answer, or refuses the connection."""


class OperationMoved(LedgerError):
    """An operation is no longer in the state in which the caller read it: nothing was written."""

    def __init__(self, row_id: int | None, before: str, after: str) -> None:
        super().__init__(
            f"operation {row_id} cannot go from {before} to {after}: it is in another state by now",
            "nothing was changed; look at it: syncd outbox",
        )


class LedgerUnsafe(LedgerError):
    """A setting or a trigger that the ledger's promises rest on is missing, or a copy is damaged."""


class LedgerUnwritable(LedgerError):
    """The ledger's disk rejects writes: it is full, read-only or broken. Nothing was changed."""


class LedgerReplaced(LedgerUnwritable):
    """The ledger's file was deleted, replaced or overwritten while this process had it open."""


class LeadershipLost(LedgerUnwritable):
    """Another daemon leads this ledger by now, or may lead it: this process changes nothing any more."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"syncd leads its ledger no more: {why}",
            "the other daemon goes on; start this one again, and it waits as a standby",
        )


class CommitUnknown(LedgerReplaced):
    """The connection to the database broke during a commit: nobody can tell if the ledger took it."""

    def __init__(self, words: str) -> None:
        super().__init__(
            f"the connection to the ledger broke during a commit ({words.splitlines()[0]}), so"
            " syncd stops: only the ledger can tell what it took",
            "start syncd again: it reads from the ledger how far it came",
        )


class NoRoom(LedgerError):
    """A disk has no room for a file that syncd wants to write. Nothing was changed.

    `words` are the system's, where the disk has free space and a quota, a limit or a fault stops the file.
    """

    def __init__(self, disk: Path, what: str, size: int, words: str = "") -> None:
        needs = f"{what} (needs {size / 1e6:.1f} MB)"
        super().__init__(
            f"{disk} rejects {needs}: {words}" if words else f"no space left on {disk} for {needs}",
            "make room there, or name a folder on another disk",
        )
