"""Projects: components, statuses, security levels, create screens, and the permissions of the caller."""

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
    """Answer with a page of the projects that the caller may browse."""
    keys = ask.call.values("keys")
    rows = [
        project
        for project in ask.site.projects.values()
        if "BROWSE_PROJECTS" not in project.denied and (not keys or project.key in keys)
    ]
    return page(ask, "values", rows, lambda project: render.project(ask.view, project))


@routes.on("GET", "/project/{project}")
def read(ask: Ask) -> Reply:
    """Answer with a project, its components and types."""
    project = ask.project()
    return Reply.of(
        {
            **render.project(ask.view, project),
            "description": "",
            "lead": render.person(ask.view, ask.site.people[project.lead]),
            "components": [render.component(ask.view, row) for row in project.components],
            "issueTypes": [render.issue_type(ask.view, row.type) for row in project.setups.values()],
            "assigneeType": "UNASSIGNED",
            "versions": [],
            "roles": {},
            "style": "next-gen" if project.simplified else "classic",
            "isPrivate": False,
            "properties": {},
        }
    )


@routes.on("GET", "/project")
def listing(ask: Ask) -> Reply:
    """Answer with all projects that the caller may browse."""
    rows = [project for project in ask.site.projects.values() if "BROWSE_PROJECTS" not in project.denied]
    return Reply.of([render.project(ask.view, project) for project in rows])


@routes.on("GET", "/project/{project}/components")
def components(ask: Ask) -> Reply:
    """Answer with a project's components."""
    return Reply.of([render.component(ask.view, row) for row in ask.project().components])


@routes.on("GET", "/project/{project}/statuses")
def statuses(ask: Ask) -> Reply:
    """Answer with the statuses of each issue type."""
    rows = []
    for setup in ask.project().setups.values():
        shown = [render.status(ask.view, status) for status in setup.workflow.statuses]
        type_ = render.issue_type(ask.view, setup.type)
        brief = {name: type_[name] for name in ("self", "id", "name", "subtask")}
        rows.append({**brief, "statuses": shown})
    return Reply.of(rows)


@routes.on("GET", "/project/{project}/securitylevel")
def levels(ask: Ask) -> Reply:
    """Answer with the security levels that the caller may set: those it is a member of."""
    project = ask.project()
    # Without the permission Jira answers with an empty list and not with a refusal.
    rows = [] if "SET_ISSUE_SECURITY" in project.denied else project.levels
    return Reply.of(
        {"levels": [render.level(ask.view, level) for level in rows if ask.account in level.members]}
    )


@routes.on("GET", "/securitylevel/{level}")
def level(ask: Ask) -> Reply:
    """Answer with one security level."""
    return Reply.of(render.level(ask.view, _level(ask)))


def _level(ask: Ask) -> SecurityLevel:
    for project in ask.site.projects.values():
        for level in project.levels:
            if level.id == ask.params["level"]:
                return level
    raise error(404, "The security level does not exist.")


def _create_page(ask: Ask, name: str, rows: list[Json]) -> Reply:
    # Jira's documented limit; a larger number is an error here, unlike on other pages.
    if ask.number("maxResults", 50) > 200:
        raise error(400, "Parameter 'maxResults' must not exceed the limit '200'")
    # Cloud names the list after what it holds, Data Center always calls it `values`.
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
    """Answer with the types of issues that can be created in a project."""
    rows = [render.issue_type(ask.view, row.type) for row in _creatable(ask).setups.values()]
    return _create_page(ask, "issueTypes", rows)


@routes.on("GET", "/issue/createmeta/{project}/issuetypes/{type}")
def create_fields(ask: Ask) -> Reply:
    """Answer with the fields on a type's create screen."""
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
    """Answer with the permissions of the caller, in a project if the request names one."""
    asked = ask.call.listed("permissions")
    # Cloud demands the list of permissions; Data Center answers with all.
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
    missing = ask.site.denied | (project.denied if project else set())
    # The bot account is never an administrator.
    missing |= {"ADMINISTER", "ADMINISTER_PROJECTS"}
    return {
        "id": str((GLOBAL + IN_PROJECT).index(key)),
        "key": key,
        "name": key.replace("_", " ").title(),
        "type": "GLOBAL" if key in GLOBAL else "PROJECT",
        "description": "",
        "havePermission": key not in missing,
    }
