"""The keys of operations.

A key holds only ids of the services and the rule's own time, so that a restored ledger derives the same key.
Where a key follows from an operation's own fields, the model has a `key_form`. This module builds the others;
`domain.mail` builds the keys of mails.
"""

from __future__ import annotations

from collections.abc import Iterable

_NOTE, _COMMENT = "note/", "comment/"
POSTS = "chat/"
"""The prefix of the key of every post to a chat."""
TICKET_FORM = "ticket/{incident}"
POSTMORTEM_FORM = "postmortem/{incident}"
RECURRING_FORM = "create/{incident}"


def ticket_key(incident_id: str) -> str:
    """Return the key of the create of an incident's ticket; every write to the ticket needs it."""
    return TICKET_FORM.format(incident=incident_id)


def postmortem_key(incident_id: str) -> str:
    """Return the key of the create of an incident's postmortem; every write to the postmortem needs it."""
    return POSTMORTEM_FORM.format(incident=incident_id)


def incident_of_create(key: str) -> str:
    """Return the incident id in the key of a create of a ticket or postmortem."""
    return key.partition("/")[2]


def words_of_needs(incident_id: str, keys: Iterable[str]) -> str:
    """Return what an operation of an incident needs, in words that follow "waits for"."""
    own = {ticket_key(incident_id): "its ticket", postmortem_key(incident_id): "its postmortem"}
    return " and ".join(own.get(key) or f"another operation ({key})" for key in keys)


def gate_key(incident_id: str, missing: str) -> str:
    """Return the key of the close gate's comment; `missing` is a hash of the duties that are owed."""
    return f"gate/{incident_id}/{missing}"


def comment_key(incident_id: str, *parts: str | int) -> str:
    """Return the key of a comment by syncd; `parts` identify it among the incident's comments."""
    return "/".join(("comment", incident_id, *(str(part) for part in parts)))


def mention_key(incident_id: str, step: str, when: str) -> str:
    """Return the key of a comment that mentions the owner of an action item."""
    return f"mention/{incident_id}/{step}/{when}"


def post_key(incident_id: str, step: str) -> str:
    """Return the key of a post to the chat; `step` identifies it among the incident's posts."""
    return f"{POSTS}{incident_id}/{step}"


def overdue_key(incident_id: str) -> str:
    """Return the key of the edit that sets or removes the label of an overdue postmortem."""
    return f"overdue/{incident_id}"


def action_item_key(incident_id: str, identity: str) -> str:
    """Return the key of an action item's create; `identity` is a row's mark or the runbook item's name."""
    return f"item/{incident_id}/{identity}"


def copy_of_note_key(note_id: str) -> str:
    """Return the key of the comment that copies a note."""
    return f"{_NOTE}{note_id}"


def copy_of_comment_key(comment_id: str) -> str:
    """Return the key of the note that copies a comment."""
    return f"{_COMMENT}{comment_id}"


def copies_a_note(key: str) -> bool:
    """Return True if this key belongs to the copy of a note, False for the copy of a comment."""
    return key.startswith(_NOTE)
