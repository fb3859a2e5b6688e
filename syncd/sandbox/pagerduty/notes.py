"""Notes of an incident: list, write, edit. PagerDuty never pages the list and logs no edit."""

from syncd.sandbox.pagerduty import changes, shapes
from syncd.sandbox.pagerduty.asking import Ask, Routes
from syncd.sandbox.pagerduty.errors import not_found
from syncd.sandbox.pagerduty.render import note_json
from syncd.sandbox.wire import Reply

routes = Routes()


@routes.on("GET", "/incidents/{id}/notes")
def listing(ask: Ask) -> Reply:
    """Answer with every note that is not deleted, oldest first."""
    notes = [note for note in ask.incident().notes if not note.deleted]
    return Reply.of({"notes": [note_json(ask.account, note) for note in notes]})


@routes.on("POST", "/incidents/{id}/notes")
def write(ask: Ask) -> Reply:
    """Add a note; the answer is a 201, as in recordings of the real service."""
    incident, user = ask.incident(), ask.requester()
    note = changes.add_note(ask.account, incident, _content(ask), user.id, ask.actor(), ask.now)
    return Reply.of({"note": note_json(ask.account, note)}, 201)


@routes.on("PUT", "/incidents/{id}/notes/{note}")
def edit(ask: Ask) -> Reply:
    """Replace the text of a note."""
    incident = ask.incident()
    ask.requester()
    for note in incident.notes:
        if note.id == ask.params["note"] and not note.deleted:
            changes.edit_note(incident, note, _content(ask), ask.now)
            return Reply.of({"note": note_json(ask.account, note)})
    raise not_found()


def _content(ask: Ask) -> str:
    return ask.body("note", shapes.NOTE)["content"]
