"""Operations in words, as people read them in `syncd show` and in the demo."""

from __future__ import annotations

from syncd.domain.operation import Kind

_DONE = {
    Kind.CREATE_TICKET: "{key} made for {incident}",
    Kind.LINK_NOTE: "{key} named in a note on {incident}",
    Kind.MOVE_TICKET: "{key} moved to {status}",
    Kind.EDIT_TICKET: "{key} brought up to date",
    Kind.FILL_RESTRICTED_STUB: "{key} given its full text under its security level",
    Kind.LINK_TICKETS: "{key} linked",
    Kind.MIRROR_NOTE: "note of {incident} copied to {key} as a comment",
    Kind.MIRROR_COMMENT: "comment on {key} copied to {incident} as a note",
    Kind.REWRITE_COMMENT: "copy of a note of {incident} on {key} brought up to date",
    Kind.REWRITE_NOTE: "copy of a comment on {key} on {incident} brought up to date",
    Kind.CHANGE_INCIDENT: "{incident} changed as somebody changed {key}",
    Kind.COMMENT_ON_TICKET: "comment written on {key}",
    Kind.CREATE_POSTMORTEM: "postmortem made for {incident}",
    Kind.LINK_POSTMORTEM: "postmortem of {incident} linked",
    Kind.LINK_ACTION_ITEM: "an action item of {incident} linked",
    Kind.EDIT_POSTMORTEM: "postmortem of {incident} brought up to date",
    Kind.EDIT_ACTION_ITEM: "an action item of {incident} brought up to date",
    Kind.COMMENT_ON_POSTMORTEM: "comment written on the postmortem of {incident}",
    Kind.COMMENT_ON_ACTION_ITEM: "comment written on an action item of {incident}",
    Kind.CREATE_ACTION_ITEM: "an action item made for {incident}",
    Kind.LINK_DUPLICATE: "a duplicate of {key} linked to it",
    Kind.CLOSE_DUPLICATE: "a duplicate of {key} closed",
    Kind.SEND_MAIL: "a mail about {incident} sent",
}


def done_words(kind: str, incident: str, key: str, status: str = "") -> str:
    """What a finished operation did, given the incident's number, its ticket's key and a status's name."""
    words = _DONE.get(Kind(kind)) if kind in set(Kind) else None
    said = words or f"{kind.replace('_', ' ')} for {{incident}}"
    return said.format(incident=incident, key=key, status=status or "its status")
