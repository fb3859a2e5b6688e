"""Fields: reading a value from a request, and wording it in the changelog.

The sandbox stores a value in its smallest form: an id for a person, priority, option, component, level or
parent, a tuple for a list, text for text, an ISO date for a date. `FieldProblem` carries Jira's words.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from syncd.sandbox.jira import adf
from syncd.sandbox.jira.errors import TOO_LONG
from syncd.sandbox.jira.model import FieldDef, Kind, Person, Project
from syncd.sandbox.jira.site import Site

SUMMARY_LIMIT = 255
TEXT_LIMIT = 32_767


class FieldProblem(Exception):
    """A value that the field does not accept, in Jira's words."""


def units(text: str) -> int:
    """Return the length of a text as Jira counts it, in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def read_text(value: Any, version: int) -> str | None:
    """Return a multi-line text from a request: a document by version 3, a string by version 2."""
    if value is None:
        return None
    if version == 3:
        if not isinstance(value, dict):
            raise FieldProblem(
                "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
            )
        value = adf.text(value)
    if not isinstance(value, str):
        raise FieldProblem("Operation value must be a string")
    if units(value) > TEXT_LIMIT:
        raise FieldProblem(TOO_LONG)
    return value or None


def _string(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if value is None and field.id != "summary":
        return None
    if not isinstance(value, str):
        raise FieldProblem("Operation value must be a string")
    if field.id == "summary":
        if not value.strip():
            raise FieldProblem("You must specify a summary of the issue.")
        # A summary is a single line in Jira.
        if "\n" in value or "\r" in value:
            raise FieldProblem("The summary is invalid because it contains newline characters.")
        if units(value) > SUMMARY_LIMIT:
            raise FieldProblem("Summary can't exceed 255 characters.")
        return value.strip()
    if units(value) > SUMMARY_LIMIT:
        raise FieldProblem(f"{field.name} can't exceed 255 characters.")
    return value or None


def _labels(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
        raise FieldProblem("Operation value must be an array of strings")
    for label in value:
        if any(character.isspace() for character in label):
            raise FieldProblem(f"The label '{label}' contains spaces which is invalid.")
        if units(label) > SUMMARY_LIMIT:
            raise FieldProblem(f"The label '{label}' exceeds the maximum length of 255 characters.")
    return tuple(dict.fromkeys(value)) or None


def person_in(site: Site, value: Any) -> Person | None:
    """Return the user that a request names, or None.

    Cloud names users by account id, Data Center by user name.
    """
    if not isinstance(value, dict):
        raise FieldProblem("data was not an object")
    if site.edition == "server":
        return next((person for person in site.people.values() if person.username == value.get("name")), None)
    return site.people.get(str(value.get("accountId") or value.get("id")))


def _user(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    # Cloud and Data Center have different ways to say "nobody".
    empty = {"accountId": None}, {"id": None}, {"name": None}, {"name": ""}
    if value is None or value in empty:
        return None
    person = person_in(site, value)
    # "-1" means the project's default assignee; the sandbox takes the lead.
    if field.id == "assignee" and (value.get("accountId") or value.get("id") or value.get("name")) == "-1":
        return project.lead
    name = value.get("accountId") or value.get("id") or value.get("name")
    if person is None:
        raise FieldProblem(f"User '{name}' does not exist.")
    # A closed account may stay a reporter, but Jira assigns it nothing.
    if field.id == "assignee" and (not person.active or person.account_id in project.unassignable):
        raise FieldProblem(f"User '{name}' cannot be assigned issues.")
    return person.account_id


def _date(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if value in (None, ""):
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError) as problem:
        raise FieldProblem("Error parsing date string: " + str(value)) from problem


def _parent(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if value is None:
        return None
    name = (value.get("id") or value.get("key")) if isinstance(value, dict) else None
    parent = site.find(str(name)) if name else None
    if parent is None:
        raise FieldProblem("Could not find issue by id or key.")
    # Jira allows no sub-task across projects.
    if parent.now.project_id != project.id:
        raise FieldProblem("Sub-tasks must be created in the same project as the parent.")
    return parent.id


def _named(value: Any, rows: Any, problem: str) -> Any:
    if not isinstance(value, dict):
        raise FieldProblem("data was not an object")
    for row in rows:
        texts = (getattr(row, "name", None), getattr(row, "value", None))
        # An id wins: a name counts only where the request gives no id.
        if "id" in value and str(value["id"]) == row.id:
            return row.id
        if "id" not in value and (value.get("name") or value.get("value") or "") in texts:
            return row.id
    name = value.get("id") or value.get("name") or value.get("value")
    raise FieldProblem(problem.format(name))


def _priority(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if value is None:
        return None
    scheme = project.priorities or site.priorities
    rows = [row for row in site.priorities.values() if row.id in scheme]
    return _named(value, rows, "The priority selected is invalid.")


def _resolution(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if value is None:
        return None
    return _named(value, site.resolutions.values(), "Resolution '{}' does not exist.")


def _security(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if value is None:
        return None
    return _named(value, project.levels, "Security level with id '{}' does not exist.")


def _option(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if value is None:
        return None
    return _named(value, field.options, "Option value '{}' is not valid")


def _options(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if not value:
        return None
    if not isinstance(value, list):
        raise FieldProblem("data was not an array")
    return tuple(_named(row, field.options, "Option value '{}' is not valid") for row in value)


def _components(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if not value:
        return None
    if not isinstance(value, list):
        raise FieldProblem("data was not an array")
    return tuple(_named(row, project.components, "Component name '{}' is not valid") for row in value)


def _cascade(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if value is None:
        return None
    above = _named(value, field.options, "Option value '{}' is not valid")
    choice = next(row for row in field.options if row.id == above)
    if value.get("child") is None:
        return (above,)
    return above, _named(value["child"], choice.children, "Option value '{}' is not valid")


def _versions(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if not value:
        return None
    if not isinstance(value, list):
        raise FieldProblem("data was not an array")
    return tuple(_named(row, project.versions, "Version name '{}' is not valid") for row in value)


def _datetime(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if value is None:
        return None
    try:
        # Jira takes its own form alone: milliseconds, and an offset without a colon.
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%f%z").isoformat()
    except (TypeError, ValueError) as problem:
        raise FieldProblem("Error parsing date string: " + str(value)) from problem


def _number(site: Site, project: Project, field: FieldDef, value: Any) -> Any:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise FieldProblem("Operation value must be a number")
    return value


READERS: dict[Kind, Callable[[Site, Project, FieldDef, Any], Any]] = {
    "string": _string,
    "labels": _labels,
    "priority": _priority,
    "user": _user,
    "date": _date,
    "issue": _parent,
    "components": _components,
    "security": _security,
    "resolution": _resolution,
    "option": _option,
    "options": _options,
    "number": _number,
    "cascade": _cascade,
    "datetime": _datetime,
    "versions": _versions,
}


def read(site: Site, project: Project, field: FieldDef, value: Any, version: int = 2) -> Any:
    """Return the value of a request as the sandbox stores it, None for an emptied field.

    Raise FieldProblem.
    """
    if field.kind == "text":
        return read_text(value, version)
    return READERS[field.kind](site, project, field, value)


def words(site: Site, project: Project, field: FieldDef, value: Any) -> tuple[str | None, str | None]:
    """Return what the changelog shows of a value: its id, if it has one, and its text."""
    if value is None:
        # Jira shows an empty text as "" and an empty choice as null.
        return (None, "") if field.kind in ("labels", "string", "text") else (None, None)
    if field.kind == "labels":
        return None, " ".join(value)
    if field.kind == "user":
        person = site.people[value]
        return (person.key if site.edition == "server" else value), person.name
    if field.kind == "date":
        return value, f"{value} 00:00:00.0"
    if field.kind == "issue":
        return str(value), site.issues[value].key
    named: Any = {
        "priority": site.priorities,
        "resolution": site.resolutions,
        "security": {level.id: level for level in project.levels},
        "option": {option.id: option for option in field.options},
    }.get(field.kind)
    if named is not None:
        row = named.get(value)
        return value, getattr(row, "name", None) or getattr(row, "value", value)
    if field.kind in ("components", "options", "versions"):
        rows: Any = {"components": project.components, "versions": project.versions}.get(
            field.kind, field.options
        )
        texts = {row.id: getattr(row, "name", None) or getattr(row, "value", "") for row in rows}
        return ", ".join(value), ", ".join(texts.get(row, row) for row in value)
    return None, str(value)
