"""Issues one at a time: create, read, edit, and their changelog."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from syncd.sandbox.jira import hanging, shapes
from syncd.sandbox.jira.asking import ROOT, Ask, Routes, page, shaped
from syncd.sandbox.jira.editing import edit, follow, read_wish
from syncd.sandbox.jira.errors import envelope, error
from syncd.sandbox.jira.guards import guard, required
from syncd.sandbox.jira.issue_json import change_json, chosen, issue_json
from syncd.sandbox.jira.model import Issue, Project, TypeSetup
from syncd.sandbox.jira.shapes import IssueBody
from syncd.sandbox.jira.site import Site
from syncd.sandbox.wire import Json, Refusal, Reply

routes = Routes(ROOT)
ANY = TypeAdapter[Any](Any)


def make(ask: Ask, body: IssueBody) -> Json:
    """Create the issue that a body describes and return the answer. Raise a 400 for what Jira refuses."""
    site, fields = ask.site, body.get("fields") or {}
    project, setup = _where(site, fields)
    if "CREATE_ISSUES" in project.denied:
        raise error(400, errors={"project": "You do not have permission to create issues in this project."})
    rest = {name: value for name, value in fields.items() if name not in ("project", "issuetype")}
    wish = read_wish(site, project, setup.screen, {"fields": rest, "update": body.get("update")}, ask.version)
    guard(ask, project, setup, wish)
    required(ask, setup, wish, setup.required | setup.validated | {"parent"})
    if wish.problems:
        raise error(400, errors=wish.problems)
    properties = shapes.values(body.get("properties"))
    issue = site.create(project, setup, wish.values, ask.account, properties)
    hanging.add(ask, issue, wish)
    answer: Json = {"id": str(issue.id), "key": issue.key, "self": ask.view.url(f"issue/{issue.id}")}
    transition = body.get("transition")
    # Data Center is reported to ignore `transition` in a create (JRASERVER-66881).
    if transition and site.edition == "cloud":
        answer["transition"] = _first_move(ask, issue, str(transition.get("id")))
    return answer


def _where(site: Site, fields: Mapping[str, Any]) -> tuple[Project, TypeSetup]:
    project_ref, type_ref = (
        value if isinstance(value := fields.get(name), dict) else {} for name in ("project", "issuetype")
    )
    name = str(project_ref.get("id") or project_ref.get("key") or "")
    project = site.project(name) if name else None
    if project is None or "BROWSE_PROJECTS" in project.denied:
        raise error(400, errors={"project": "Specify a valid project ID or key"})
    for id_, setup in project.setups.items():
        if str(type_ref.get("id", "")) == id_ or (
            "id" not in type_ref and type_ref.get("name") == setup.type.name
        ):
            return project, setup
    raise error(400, errors={"issuetype": "Specify a valid issue type"})


def _first_move(ask: Ask, issue: Issue, id_: str) -> Json:
    transitions = ask.site.workflow(issue.now).ways(issue.now.status_id)
    transition = next((row for row in transitions if row.id == id_), None)
    # The issue exists by now: Jira answers 201 and reports the failed move beside it.
    if transition is None or transition.required or transition.validated:
        words = f"Transition id '{id_}' is not valid for this issue."
        return {"status": 400, "errorCollection": envelope([words], {})}
    follow(ask.site, issue, transition, {}, ask.account)
    return {"status": 200, "errorCollection": envelope([], {})}


@routes.on("POST", "/issue")
def create(ask: Ask) -> Reply:
    """Create an issue."""
    return Reply.of(make(ask, ask.read(shapes.ISSUE)), 201)


@routes.on("POST", "/issue/bulk")
def create_many(ask: Ask) -> Reply:
    """Create up to 50 issues; the answer names a failed one by its place, but no successful one."""
    rows = ask.read(shapes.BULK).get("issueUpdates") or []
    if not rows or len(rows) > 50:
        raise error(400, "The number of issues to be created must be between 1 and 50.")
    made: list[Json] = []
    failed: list[Json] = []
    for place, row in enumerate(rows):
        try:
            made.append(make(ask, shaped(shapes.ISSUE, row)))
        except Refusal as refusal:
            problem = {"status": refusal.reply.status, "elementErrors": refusal.reply.json()}
            failed.append({**problem, "failedElementNumber": place})
    if ask.site.options.shuffle_bulk:
        # Jira promises no order and does not say which input an issue came from.
        ask.site.rng.shuffle(made)
    return Reply.of({"issues": made, "errors": failed}, 201 if made else 400)


@routes.on("GET", "/issue/{issue}")
def read(ask: Ask) -> Reply:
    """Answer with one issue, with all its fields unless the request asks for some."""
    field_ids = chosen(ask.view, ask.call.listed("fields"), "*all")
    properties, expand = ask.call.listed("properties"), ask.call.listed("expand")
    return Reply.of(issue_json(ask.view, ask.issue(), field_ids, properties=properties, expand=expand))


@routes.on("PUT", "/issue/{issue}")
def update(ask: Ask) -> Reply:
    """Edit an issue; like Jira, ignore a transition in the body."""
    issue, body, site = ask.issue(), ask.read(shapes.ISSUE), ask.site
    ask.may("EDIT_ISSUES", issue, "You do not have permission to edit issues in this project.")
    project, setup = site.projects[issue.now.project_id], site.setup(issue.now)
    wish = read_wish(site, project, setup.screen, body, ask.version, issue.now)
    guard(ask, project, setup, wish)
    required(ask, setup, wish, frozenset(wish.values))
    if wish.problems:
        raise error(400, errors=wish.problems)
    edit(site, issue, wish.values, ask.account)
    hanging.add(ask, issue, wish)
    if rows := body.get("properties"):
        merged = {**issue.now.properties, **shapes.values(rows)}
        # Writing a property does not change `updated`.
        site.revise(issue, ask.account, touch=False, properties=merged)
    if ask.call.value("returnIssue") == "true":
        return Reply.of(issue_json(ask.view, issue, chosen(ask.view, None, "*all")))
    return Reply(204)


@routes.on("PUT", "/issue/{issue}/assignee")
def assign(ask: Ask) -> Reply:
    """Assign an issue to a person, to nobody (null), or to the project's default (-1)."""
    issue, site = ask.issue(), ask.site
    project = site.projects[issue.now.project_id]
    wish = read_wish(
        site, project, {"assignee"}, {"fields": {"assignee": ask.read(ANY)}}, ask.version, issue.now
    )
    if wish.problems:
        raise error(400, errors=wish.problems)
    edit(site, issue, wish.values, ask.account)
    return Reply(204)


@routes.on("GET", "/issue/{issue}/changelog")
def changelog(ask: Ask) -> Reply:
    """Answer with a page of the changelog, oldest first."""
    return page(ask, "values", ask.issue().changes, lambda change: change_json(ask.view, change), 100)
