"""The transitions out of the status of an issue: list them, and take one."""

from syncd.sandbox.jira import hanging, render, shapes
from syncd.sandbox.jira.asking import ROOT, Ask, Routes
from syncd.sandbox.jira.editing import follow, read_wish
from syncd.sandbox.jira.errors import error
from syncd.sandbox.jira.model import Issue
from syncd.sandbox.jira.workflow import Transition
from syncd.sandbox.wire import Json, Reply

routes = Routes(ROOT)


def transitions(ask: Ask, issue: Issue) -> list[Transition]:
    """Return the transitions that the caller may take now; an empty list without the permission."""
    if "TRANSITION_ISSUES" in ask.site.projects[issue.now.project_id].denied:
        # Jira answers a missing permission with an empty list and not with a refusal.
        return []
    return ask.site.workflow(issue.now).ways(issue.now.status_id)


@routes.on("GET", "/issue/{issue}/transitions")
def listing(ask: Ask) -> Reply:
    """Answer with the transitions, with their screens if expanded."""
    issue = ask.issue()
    fields = "transitions.fields" in ask.call.listed("expand")
    asked = ask.call.value("transitionId")
    rows = [
        _shown(ask, issue, transition, fields)
        for transition in transitions(ask, issue)
        if asked in (None, transition.id)
    ]
    return Reply.of({"expand": "transitions", "transitions": rows})


def _shown(ask: Ask, issue: Issue, transition: Transition, fields: bool) -> Json:
    site = ask.site
    shown: Json = {
        "id": transition.id,
        "name": transition.name,
        "to": render.status(ask.view, site.workflow(issue.now).status(transition.to)),
        "hasScreen": bool(transition.screen),
        "isGlobal": transition.sources is None,
        "isInitial": False,
        "isAvailable": True,
        "isConditional": False,
        "isLooped": False,
    }
    if fields:
        project = site.projects[issue.now.project_id]
        shown["fields"] = {
            name: render.field_meta(ask.view, site.fields[name], project, name in transition.required)
            for name in transition.screen
        }
    return shown


@routes.on("POST", "/issue/{issue}/transitions")
def take(ask: Ask) -> Reply:
    """Take a transition out of the present status; its compulsory fields must have values."""
    issue, body, site = ask.issue(), ask.read(shapes.ISSUE), ask.site
    id_ = str((body.get("transition") or {}).get("id", ""))
    transition = next((row for row in transitions(ask, issue) if row.id == id_), None)
    if transition is None:
        raise error(400, f"Transition id '{id_}' is not valid for this issue.")
    project = site.projects[issue.now.project_id]
    wish = read_wish(site, project, transition.screen, body, ask.version, issue.now)
    for name in transition.required | transition.validated:
        # A value that the issue has already satisfies the screen.
        if wish.values.get(name) is None and issue.now.values.get(name) is None:
            wish.problems.setdefault(name, f"{site.fields[name].name} is required.")
    if wish.problems:
        raise error(400, errors=wish.problems)
    follow(site, issue, transition, wish.values, ask.account)
    hanging.add(ask, issue, wish)
    return Reply(204)
