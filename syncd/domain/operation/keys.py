"""How operations are named.

An operation's key holds ids of the services and the rule's own moment alone, so that a ledger that was
restored derives the same key. Where a key follows from an operation's own fields, its model says so
(`key_form`). The others are built here, but for those of mails, which stand in `domain.mail`.
"""

from __future__ import annotations

_NOTE, _COMMENT = "note/", "comment/"
TICKET_FORM = "ticket/{incident}"
POSTMORTEM_FORM = "postmortem/{incident}"


def ticket_key(incident_id: str) -> str:
    """The key of the create of an incident's ticket, which everything on the ticket needs."""
    return TICKET_FORM.format(incident=incident_id)


def postmortem_key(incident_id: str) -> str:
    """The key of the create of an incident's postmortem, which everything on the postmortem needs."""
    return POSTMORTEM_FORM.format(incident=incident_id)


def incident_of_create(key: str) -> str:
    """Return the incident id in the key of a create of a ticket or postmortem."""
    return key.partition("/")[2]


def gate_key(incident_id: str, missing: str) -> str:
    """The key of the comment on a close while duties are owed; `missing` is a print of the duties."""
    return f"gate/{incident_id}/{missing}"


def comment_key(incident_id: str, *parts: str | int) -> str:
    """The key of a comment of ours; `parts` tell it from the incident's other comments."""
    return "/".join(("comment", incident_id, *(str(part) for part in parts)))


def mention_key(incident_id: str, step: str, when: str) -> str:
    """The key of a comment that names the owner of an action item."""
    return f"mention/{incident_id}/{step}/{when}"


def overdue_key(incident_id: str) -> str:
    """The key of the label of an overdue postmortem."""
    return f"overdue/{incident_id}"


def action_item_key(incident_id: str, identity: str) -> str:
    """The key of the create of an action item; `identity` is the mark of a row, or our own item's name."""
    return f"item/{incident_id}/{identity}"


def copy_of_note_key(note_id: str) -> str:
    """The key of the comment that copies a note."""
    return f"{_NOTE}{note_id}"


def copy_of_comment_key(comment_id: str) -> str:
    """The key of the note that copies a comment."""
    return f"{_COMMENT}{comment_id}"


def copies_a_note(key: str) -> bool:
    """Return True if this is the key of a copy of a note, not of a comment."""
    return key.startswith(_NOTE)
