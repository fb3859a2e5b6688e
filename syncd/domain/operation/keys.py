"""How objects and operations are named: the only place that builds or splits these names.

An object is `KIND:ID`. An operation's key holds ids of the services and the rule's own moment alone, so
that a ledger that was restored derives the same key. The keys of mails stand in `domain.mail`.
"""

from __future__ import annotations

from enum import StrEnum


class ObjectKind(StrEnum):
    """What an operation touches."""

    TICKET = "ticket"
    POSTMORTEM = "postmortem"
    ACTION_ITEM = "action_item"
    INCIDENT = "incident"
    ISSUE = "issue"
    COMMENT = "comment"
    NOTE = "note"
    MAIL = "mail"


_NOTE, _COMMENT = "note/", "comment/"


def _object(kind: ObjectKind, ident: str) -> str:
    return f"{kind}:{ident}"


def object_of_ticket(incident_id: str) -> str:
    """Return the object of an incident's ticket."""
    return _object(ObjectKind.TICKET, incident_id)


def object_of_postmortem(incident_id: str) -> str:
    """Return the object of an incident's postmortem."""
    return _object(ObjectKind.POSTMORTEM, incident_id)


def object_of_action_item(issue_id: str) -> str:
    """Return the object of an action item."""
    return _object(ObjectKind.ACTION_ITEM, issue_id)


def object_of_incident(incident_id: str) -> str:
    """Return the object of an incident in PagerDuty."""
    return _object(ObjectKind.INCIDENT, incident_id)


def object_of_issue(issue_id: str) -> str:
    """Return the object of an issue that the ledger does not hold: a duplicate."""
    return _object(ObjectKind.ISSUE, issue_id)


def object_of_comment(comment_id: str) -> str:
    """Return the object of a comment that is a copy."""
    return _object(ObjectKind.COMMENT, comment_id)


def object_of_note(note_id: str) -> str:
    """Return the object of a note that is a copy."""
    return _object(ObjectKind.NOTE, note_id)


def object_of_mail(about: str) -> str:
    """Return the object of mails about an incident, a team or the daemon itself."""
    return _object(ObjectKind.MAIL, about)


def split_object(name: str) -> tuple[str, str]:
    """Return kind and id of an object."""
    kind, _, ident = name.partition(":")
    return kind, ident


def ticket_key(incident_id: str) -> str:
    """The key of the create of an incident's ticket, which everything on the ticket needs."""
    return f"ticket/{incident_id}"


def postmortem_key(incident_id: str) -> str:
    """The key of the create of an incident's postmortem, which everything on the postmortem needs."""
    return f"postmortem/{incident_id}"


def incident_of_create(key: str) -> str:
    """Return the incident id in the key of a create of a ticket or postmortem."""
    return key.partition("/")[2]


def link_note_key(incident_id: str) -> str:
    """The key of the note that names the ticket."""
    return f"link-note/{incident_id}"


def status_key(incident_id: str) -> str:
    """The key of every move of the ticket."""
    return f"status/{incident_id}"


def fields_key(incident_id: str) -> str:
    """The key of every edit that carries the incident's fields to the ticket."""
    return f"fields/{incident_id}"


def level_key(incident_id: str) -> str:
    """The key of the edit that puts the ticket under a security level."""
    return f"security/{incident_id}"


def fill_key(incident_id: str) -> str:
    """The key of the edit that gives a stub its texts."""
    return f"fill/{incident_id}"


def merge_link_key(incident_id: str) -> str:
    """The key of the link to the ticket of the incident that this one was merged into."""
    return f"duplicate/{incident_id}"


def gate_key(incident_id: str, missing: str) -> str:
    """The key of the comment on a close while duties are owed; `missing` is a print of the duties."""
    return f"gate/{incident_id}/{missing}"


def comment_key(incident_id: str, *parts: str | int) -> str:
    """The key of a comment of ours; `parts` tell it from the incident's other comments."""
    return "/".join(("comment", incident_id, *(str(part) for part in parts)))


def mention_key(incident_id: str, step: str, when: str) -> str:
    """The key of a comment that names the owner of an action item."""
    return f"mention/{incident_id}/{step}/{when}"


def postmortem_aspect_key(incident_id: str, aspect: str) -> str:
    """The key of the link or the security level of the postmortem."""
    return f"postmortem/{incident_id}/{aspect}"


def overdue_key(incident_id: str) -> str:
    """The key of the label of an overdue postmortem."""
    return f"overdue/{incident_id}"


def action_item_key(incident_id: str, identity: str) -> str:
    """The key of the create of an action item; `identity` is the mark of a row, or our own item's name."""
    return f"item/{incident_id}/{identity}"


def action_item_link_key(issue_id: str) -> str:
    """The key of the link between an action item and its postmortem."""
    return f"item/{issue_id}/link"


def assign_key(issue_id: str) -> str:
    """The key of the edit that gives an action item an owner."""
    return f"assign/{issue_id}"


def incident_aspect_key(incident_id: str, aspect: str) -> str:
    """The key of a change of the incident that a person asked for on the ticket."""
    return f"incident/{incident_id}/{aspect}"


def copy_of_note_key(note_id: str) -> str:
    """The key of the comment that copies a note."""
    return f"{_NOTE}{note_id}"


def copy_of_comment_key(comment_id: str) -> str:
    """The key of the note that copies a comment."""
    return f"{_COMMENT}{comment_id}"


def copies_a_note(key: str) -> bool:
    """Return True if this is the key of a copy of a note, not of a comment."""
    return key.startswith(_NOTE)


def rewrite_key(copy: str) -> str:
    """The key of the rewriting of a copy, named by its object."""
    return f"text/{copy}"


def duplicate_link_key(issue_id: str) -> str:
    """The key of the link from an issue that was made twice to the older one."""
    return f"duplicate/{issue_id}/link"


def duplicate_close_key(issue_id: str) -> str:
    """The key of the close of an issue that was made twice."""
    return f"duplicate/{issue_id}/close"
