"""The ways out of an issue's status: listing them, and taking one."""

from syncd.sandbox.jira import hanging, render, shapes
from syncd.sandbox.jira.asking import ROOT, Ask, Routes
from syncd.sandbox.jira.editing import follow, read_wish
from syncd.sandbox.jira.errors import error
from syncd.sandbox.jira.model import Issue
from syncd.sandbox.jira.workflow import Transition
from syncd.sandbox.wire import Json, Reply

routes = Routes(ROOT)


def ways(ask: Ask, issue: Issue) -> list[Transition]:
    """Return the transitions that the account may take now; none without the permission."""
    if "TRANSITION_ISSUES" in ask.site.projects[issue.now.project_id].denied:
        return []
    return ask.site.workflow(issue.now).ways(issue.now.status_id)


@routes.on("GET", "/issue/{issue}/transitions")
def listing(ask: Ask) -> Reply:
    """Answer with the ways out, with their screens if expanded."""
    issue = ask.issue()
    fields = "transitions.fields" in ask.call.listed("expand")
    asked = ask.call.value("transitionId")
    rows = [_shown(ask, issue, way, fields) for way in ways(ask, issue) if asked in (None, way.id)]
    return Reply.of({"expand": "transitions", "transitions": rows})


def _shown(ask: Ask, issue: Issue, way: Transition, fields: bool) -> Json:
    site = ask.site
    shown: Json = {
        "id": way.id,
        "name": way.name,
        "to": render.status(ask.view, site.workflow(issue.now).status(way.to)),
        "hasScreen": bool(way.screen),
        "isGlobal": way.sources is None,
        "isInitial": False,
        "isAvailable": True,
        "isConditional": False,
        "isLooped": False,
    }
    if fields:
        project = site.projects[issue.now.project_id]
        shown["fields"] = {
            name: render.field_meta(ask.view, site.fields[name], project, name in way.required)
            for name in way.screen
        }
    return shown


@routes.on("POST", "/issue/{issue}/transitions")
def take(ask: Ask) -> Reply:
    """Take a way that leads out of the present status; its required fields must be there."""
    issue, body, site = ask.issue(), ask.read(shapes.ISSUE), ask.site
    id_ = str((body.get("transition") or {}).get("id", ""))
    way = next((one for one in ways(ask, issue) if one.id == id_), None)
    if way is None:
        raise error(400, f"Transition id '{id_}' is not valid for this issue.")
    project = site.projects[issue.now.project_id]
    wish = read_wish(site, project, way.screen, body, ask.version, issue.now)
    for name in way.required:
        if wish.values.get(name) is None and issue.now.values.get(name) is None:
            wish.problems.setdefault(name, f"{site.fields[name].name} is required.")
    if wish.problems:
        raise error(400, errors=wish.problems)
    follow(site, issue, way, wish.values, ask.account)
    hanging.add(ask, issue, wish)
    return Reply(204)
