"""Projects: their components, statuses, security levels and create screens, and what we may do in them."""

from syncd.sandbox.jira import render
from syncd.sandbox.jira.asking import ROOT, Ask, Routes, page
from syncd.sandbox.jira.errors import error
from syncd.sandbox.jira.model import Project, SecurityLevel, TypeSetup
from syncd.sandbox.wire import Json, Reply

routes = Routes(ROOT)
GLOBAL = ("USER_PICKER", "ADMINISTER", "BULK_CHANGE", "CREATE_SHARED_OBJECTS")
IN_PROJECT = (
    "BROWSE_PROJECTS",
    "CREATE_ISSUES",
    "EDIT_ISSUES",
    "TRANSITION_ISSUES",
    "ASSIGN_ISSUES",
    "ASSIGNABLE_USER",
    "ADD_COMMENTS",
    "EDIT_OWN_COMMENTS",
    "EDIT_ALL_COMMENTS",
    "LINK_ISSUES",
    "SET_ISSUE_SECURITY",
    "SCHEDULE_ISSUES",
    "MODIFY_REPORTER",
    "CLOSE_ISSUES",
    "RESOLVE_ISSUES",
    "DELETE_ISSUES",
    "MOVE_ISSUES",
    "ADMINISTER_PROJECTS",
)


@routes.on("GET", "/project/search")
def search(ask: Ask) -> Reply:
    """Answer with a page of the projects that the account may browse."""
    keys = ask.call.values("keys")
    rows = [
        one
        for one in ask.site.projects.values()
        if "BROWSE_PROJECTS" not in one.denied and (not keys or one.key in keys)
    ]
    return page(ask, "values", rows, lambda one: render.project(ask.view, one))


@routes.on("GET", "/project/{project}")
def read(ask: Ask) -> Reply:
    """Answer with a project, its components and types."""
    one = ask.project()
    return Reply.of(
        {
            **render.project(ask.view, one),
            "description": "",
            "lead": render.person(ask.view, ask.site.people[one.lead]),
            "components": [render.component(ask.view, row) for row in one.components],
            "issueTypes": [render.issue_type(ask.view, row.type) for row in one.setups.values()],
            "assigneeType": "UNASSIGNED",
            "versions": [],
            "roles": {},
            "style": "next-gen" if one.simplified else "classic",
            "isPrivate": False,
            "properties": {},
        }
    )


@routes.on("GET", "/project")
def listing(ask: Ask) -> Reply:
    """Answer with the projects that the account may browse, all at once."""
    rows = [one for one in ask.site.projects.values() if "BROWSE_PROJECTS" not in one.denied]
    return Reply.of([render.project(ask.view, one) for one in rows])


@routes.on("GET", "/project/{project}/components")
def components(ask: Ask) -> Reply:
    """Answer with a project's components."""
    return Reply.of([render.component(ask.view, row) for row in ask.project().components])


@routes.on("GET", "/project/{project}/statuses")
def statuses(ask: Ask) -> Reply:
    """Answer with the statuses of each issue type."""
    rows = []
    for setup in ask.project().setups.values():
        shown = [render.status(ask.view, one) for one in setup.workflow.statuses]
        type_ = render.issue_type(ask.view, setup.type)
        kept = {name: type_[name] for name in ("self", "id", "name", "subtask")}
        rows.append({**kept, "statuses": shown})
    return Reply.of(rows)


@routes.on("GET", "/project/{project}/securitylevel")
def levels(ask: Ask) -> Reply:
    """Answer with the security levels that the account may set: those it is in, with the permission."""
    project = ask.project()
    rows = [] if "SET_ISSUE_SECURITY" in project.denied else project.levels
    return Reply.of({"levels": [render.level(ask.view, one) for one in rows if ask.account in one.members]})


@routes.on("GET", "/securitylevel/{level}")
def level(ask: Ask) -> Reply:
    """Answer with one security level."""
    return Reply.of(render.level(ask.view, _level(ask)))


def _level(ask: Ask) -> SecurityLevel:
    for project in ask.site.projects.values():
        for one in project.levels:
            if one.id == ask.params["level"]:
                return one
    raise error(404, "The security level does not exist.")


def _create_page(ask: Ask, name: str, rows: list[Json]) -> Reply:
    if ask.number("maxResults", 50) > 200:
        raise error(400, "Parameter 'maxResults' must not exceed the limit '200'")
    on_cloud = ask.site.edition == "cloud"
    size = ask.number("maxResults", 50)
    start = ask.number("startAt", 0)
    shown = {"maxResults": size, "startAt": start, "total": len(rows)}
    more = {} if on_cloud else {"isLast": start + size >= len(rows)}
    return Reply.of({**shown, **more, name if on_cloud else "values": rows[start : start + size]})


def _creatable(ask: Ask) -> Project:
    project = ask.project()
    if "CREATE_ISSUES" in project.denied:
        raise error(404, "You do not have permission to create issues in this project.")
    return project


@routes.on("GET", "/issue/createmeta/{project}/issuetypes")
def create_types(ask: Ask) -> Reply:
    """Answer with the types that can be made in a project."""
    rows = [render.issue_type(ask.view, row.type) for row in _creatable(ask).setups.values()]
    return _create_page(ask, "issueTypes", rows)


@routes.on("GET", "/issue/createmeta/{project}/issuetypes/{type}")
def create_fields(ask: Ask) -> Reply:
    """Answer with the fields of a type's create screen."""
    project = _creatable(ask)
    setup = project.setups.get(ask.params["type"])
    if setup is None:
        raise error(404, "Issue type not found.")
    return _create_page(ask, "fields", _create_rows(ask, project, setup))


def _create_rows(ask: Ask, project: Project, setup: TypeSetup) -> list[Json]:
    rows: list[Json] = [
        _fixed("project", "Project", [render.project(ask.view, project)]),
        _fixed("issuetype", "Issue Type", [render.issue_type(ask.view, setup.type)]),
    ]
    for name, field in ask.site.fields.items():
        if name in setup.screen:
            required = name in setup.required or (name == "parent" and setup.type.subtask)
            rows.append({**render.field_meta(ask.view, field, project, required), "fieldId": name})
    return rows


def _fixed(id_: str, name: str, allowed: list[Json]) -> Json:
    return {
        "required": True,
        "schema": {"type": id_, "system": id_},
        "name": name,
        "key": id_,
        "hasDefaultValue": False,
        "operations": ["set"],
        "fieldId": id_,
        "allowedValues": allowed,
    }


@routes.on("GET", "/mypermissions")
def permissions(ask: Ask) -> Reply:
    """Answer with which of the asked permissions the account has, in a project if one is named."""
    asked = ask.call.listed("permissions")
    if ask.site.edition == "cloud" and not asked:
        raise error(400, "The 'permissions' query parameter is required.")
    name = ask.call.value("projectKey") or ask.call.value("projectId")
    project = ask.site.project(name) if name else None
    if name and project is None:
        raise error(404, f"No project could be found with key '{name}'.")
    unknown = [key for key in asked if key not in GLOBAL + IN_PROJECT]
    if unknown:
        raise error(400, f"Unrecognized permission: {', '.join(unknown)}")
    rows = {key: _permission(ask, project, key) for key in asked or GLOBAL + IN_PROJECT}
    return Reply.of({"permissions": rows})


def _permission(ask: Ask, project: Project | None, key: str) -> Json:
    lacking = ask.site.denied | (project.denied if project else set())
    lacking |= {"ADMINISTER", "ADMINISTER_PROJECTS"}
    return {
        "id": str((GLOBAL + IN_PROJECT).index(key)),
        "key": key,
        "name": key.replace("_", " ").title(),
        "type": "GLOBAL" if key in GLOBAL else "PROJECT",
        "description": "",
        "havePermission": key not in lacking,
    }
