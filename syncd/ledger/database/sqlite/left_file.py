"""Tell at a start if a ledger's file is the one that syncd left, and set aside a log of another file.

Somebody who puts an older file back may leave the write-ahead log of the newer one beside it, or the daemon
is killed before it sees that its file was overwritten. SQLite would apply the log to the older file, and mix
the pages of two moments. So a file that is not as the note beside it tells is checked before it is used.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from loguru import logger

from syncd.ledger.database.backend import VerifyTrail
from syncd.ledger.database.connection import Database
from syncd.ledger.database.sqlite.backup import check_copy
from syncd.ledger.database.sqlite.migrate import check_revision, tables_of
from syncd.ledger.database.sqlite.watch import keep_from_mixing, log_of, look_of, set_log_aside
from syncd.ledger.errors import LedgerUnreadable, LedgerUnsafe


def check_left_file(file: Path, noted: str | None, verify: VerifyTrail) -> None:
    """Check a ledger's file unless it looks as `noted`; set aside a log that does not belong to it.

    Raise `LedgerUnsafe` if the file is damaged also without the log.
    """
    log = log_of(file)
    has_log = log.exists() and log.stat().st_size > 0
    if not file.exists() or not file.stat().st_size or noted == look_of(file):
        return
    if noted is None and (not has_log or _is_blank(file)):
        return
    damage = _damage_of_file(file) or _damage_of_trail(file, verify)
    if damage is None:
        return
    aside = set_log_aside(file)
    if aside is not None and (_damage_of_file(file) or _damage_of_trail(file, verify)) is None:
        logger.error(
            "the write-ahead log beside {} belongs to another file ({}): somebody put an older file back."
            " syncd keeps the log as {}, and asks Jira what the ledger made before it makes anything",
            file,
            damage,
            aside,
        )
        return
    if aside is not None:
        aside.rename(log)
    # a trail that was broken before does not keep the daemon from working: `syncd audit verify` names it
    damage = _damage_of_file(file)
    if damage is not None:
        raise LedgerUnsafe(damage, "put a copy in its place: syncd restore")


def _is_blank(file: Path) -> bool:
    """Return True if a file and its log hold no table: a first start was killed before its commit."""
    try:
        return not tables_of(file)
    except LedgerUnreadable:
        return False


def _damage_of_file(file: Path) -> str | None:
    """Return what is wrong with a file and its log, None if nothing is."""
    try:
        check_copy(file)
    except (LedgerUnsafe, LedgerUnreadable) as error:
        return str(error)
    return None


def _damage_of_trail(file: Path, verify: VerifyTrail) -> str | None:
    """Return what is wrong with the trail of a sound file, None if nothing is or if it cannot be read yet."""
    if not check_revision(file):
        return None
    kept = keep_from_mixing(file)
    with closing(Database(f"sqlite:///{file}")) as database, database.read() as session:
        broken = verify(session)
    if kept is not None:
        kept.close()
    return str(broken) if broken is not None else None
