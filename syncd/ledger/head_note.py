"""The note on this machine that tells how far a ledger went: by it syncd sees if the record lost its end.

A ledger in a file has the note beside it. Of a ledger on a server each machine keeps one in its state folder,
the leader's and the standby's alike: whoever leads next knows what the other one did.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sqlmodel import Session

from syncd.domain.trail.chain import Anchor, anchor_of, spelled
from syncd.ledger.store.audit import hash_at, head
from syncd.ledger.store.identity import get_meta

_NEVER = "-"


def read_head_file(note: Path | None) -> tuple[str, Anchor | None]:
    """Return whose record the note about a ledger is about, and its end; None: there is no such file.

    A damaged file says nothing: Jira's answers prove the ledger's age as well.
    """
    if note is None:
        return "", None
    try:
        instance, noted, *_ = note.read_text("utf-8").split(" ")
        return instance, anchor_of(noted)
    except (OSError, ValueError):
        return "", None


def noted_look(note: Path | None) -> str | None:
    """Return how a ledger looked when the note about it was written, None if nothing tells."""
    return _word(note, 2)


def write_head_file(note: Path | None, instance: str, end: Anchor, look: str, begun: str | None) -> None:
    """Write the note; `begun` is when the ledger last began anew, `look` what tells its file from another."""
    if note is None:
        return
    # a disk that is full shows by itself
    with suppress(OSError):
        words = f"{instance} {spelled(end)} {look} {begun or _NEVER}"
        try:
            if note.read_text("utf-8") == words:
                return
        except FileNotFoundError:
            # a standby makes the folder that a leader has
            note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        note.write_text(words, "utf-8")


def lost_end(session: Session, note: Path | None, instance: str) -> str | None:
    """Return the proof that a ledger lacks events which the note knows; None: it lacks none.

    It also lacks none if it began anew since the note was written: then another machine saw it before.
    """
    whose, noted = read_head_file(note)
    if whose != instance or noted is None:
        return None
    end, _ = head(session)
    if end >= noted[0] and hash_at(session, noted[0]) == noted[1]:
        return None
    if _word(note, 3) not in (None, begun_anew_at(session) or _NEVER):
        return None
    if end >= noted[0]:
        return f"its event {noted[0]} is not the one that it had"
    return f"its record ends at event {end}, and it went up to event {noted[0]} already"


def note_end_of(session: Session, note: Path | None, look: Callable[[], str]) -> None:
    """Note how far the record goes that a session reads, unless it lacks what the note knows."""
    instance = get_meta(session, "instance")
    if instance is not None and lost_end(session, note, instance) is None:
        write_head_file(note, instance, head(session), look(), begun_anew_at(session))


def begun_anew_at(session: Session) -> str | None:
    """Return when the ledger last began anew, as a text; None: it never did."""
    return get_meta(session, "restored")


def _word(note: Path | None, number: int) -> str | None:
    try:
        return note.read_text("utf-8").split(" ")[number] if note else None
    except (OSError, ValueError, IndexError):
        return None
