"""How people, statuses and metadata of Jira look on the wire, on Cloud and on Data Center."""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from syncd.sandbox.jira import adf
from syncd.sandbox.jira.model import (
    Component,
    FieldDef,
    IssueType,
    Option,
    Person,
    Priority,
    Project,
    Resolution,
    SecurityLevel,
)
from syncd.sandbox.jira.site import Site
from syncd.sandbox.jira.workflow import Status
from syncd.sandbox.wire import Json

CATEGORIES = {
    "new": {"id": 2, "key": "new", "colorName": "blue-gray", "name": "To Do"},
    "indeterminate": {"id": 4, "key": "indeterminate", "colorName": "yellow", "name": "In Progress"},
    "done": {"id": 3, "key": "done", "colorName": "green", "name": "Done"},
}

SCHEMAS: dict[str, Json] = {
    "string": {"type": "string"},
    "text": {"type": "string"},
    "labels": {"type": "array", "items": "string"},
    "priority": {"type": "priority"},
    "user": {"type": "user"},
    "date": {"type": "date"},
    "issue": {"type": "issuelink"},
    "components": {"type": "array", "items": "component"},
    "security": {"type": "securitylevel"},
    "resolution": {"type": "resolution"},
    "option": {"type": "option"},
    "cascade": {"type": "option-with-child"},
    "options": {"type": "array", "items": "option"},
    "number": {"type": "number"},
    "datetime": {"type": "datetime"},
    "versions": {"type": "array", "items": "version"},
}

CUSTOM = {
    "string": "textfield",
    "text": "textarea",
    "option": "select",
    "options": "multiselect",
    "cascade": "cascadingselect",
    "versions": "multiversion",
    "number": "float",
    "date": "datepicker",
    "user": "userpicker",
    "datetime": "datetime",
    "labels": "labels",
}


@dataclass(frozen=True)
class View:
    """The reader of an answer: version of the API and time zone."""

    site: Site
    version: int
    zone: tzinfo

    def url(self, path: str) -> str:
        """Return the address of an object in the API."""
        return f"{self.site.base_url}/rest/api/{self.version}/{path}"

    def time(self, moment: datetime | None) -> str | None:
        """Return a time as Jira writes it: milliseconds, and an offset without a colon."""
        if moment is None:
            return None
        local = moment.astimezone(self.zone)
        return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"

    def text(self, value: str | None) -> Any:
        """Return a multi-line text: a document by version 3, a string by version 2."""
        return adf.document(value) if self.version == 3 else value


def person(view: View, user: Person | None) -> Json | None:
    """Return a user: by account id on Cloud, by name and key on Data Center."""
    if user is None:
        return None
    shown: Json = {"displayName": user.name, "active": user.active, "timeZone": user.time_zone}
    # People can hide their address; Jira then leaves it out.
    if user.email_visible:
        shown["emailAddress"] = user.email
    # Data Center knows no account ids.
    if view.site.edition == "server":
        return {
            "self": view.url(f"user?username={user.username}"),
            "name": user.username,
            "key": user.key,
            **shown,
        }
    return {
        "self": view.url(f"user?accountId={user.account_id}"),
        "accountId": user.account_id,
        "accountType": user.account_type,
        "avatarUrls": {},
        **shown,
    }


def status(view: View, row: Status) -> Json:
    """Return a status with its category."""
    category = CATEGORIES[row.category]
    shown: Json = {
        "self": view.url(f"status/{row.id}"),
        "description": "",
        "iconUrl": f"{view.site.base_url}/images/icons/status_generic.gif",
        "name": row.name,
        "id": row.id,
        "statusCategory": {"self": view.url(f"statuscategory/{category['id']}"), **category},
    }
    if view.site.edition == "cloud":
        shown["untranslatedName"] = row.untranslated or row.name
    return shown


def issue_type(view: View, row: IssueType) -> Json:
    """Return an issue type."""
    shown: Json = {
        "self": view.url(f"issuetype/{row.id}"),
        "id": row.id,
        "description": "",
        "iconUrl": f"{view.site.base_url}/images/icons/issuetypes/{row.id}.svg",
        "name": row.name,
        "subtask": row.subtask,
    }
    if view.site.edition == "cloud":
        shown |= {
            "untranslatedName": row.untranslated or row.name,
            "hierarchyLevel": -1 if row.subtask else 0,
        }
    return shown


def priority(view: View, row: Priority) -> Json:
    """Return a priority as an issue shows it."""
    icon = f"{view.site.base_url}/images/icons/priorities/{row.id}.svg"
    return {"self": view.url(f"priority/{row.id}"), "iconUrl": icon, "name": row.name, "id": row.id}


def resolution(view: View, row: Resolution) -> Json:
    """Return a resolution."""
    return {"self": view.url(f"resolution/{row.id}"), "id": row.id, "description": "", "name": row.name}


def component(view: View, row: Component) -> Json:
    """Return a component."""
    return {"self": view.url(f"component/{row.id}"), "id": row.id, "name": row.name}


def level(view: View, row: SecurityLevel) -> Json:
    """Return a security level."""
    return {"self": view.url(f"securitylevel/{row.id}"), "id": row.id, "name": row.name, "description": ""}


def option(view: View, row: Option) -> Json:
    """Return one choice of a select field."""
    shown: Json = {"self": view.url(f"customFieldOption/{row.id}"), "value": row.value, "id": row.id}
    if row.children:
        shown["children"] = [option(view, child) for child in row.children]
    return shown


def project(view: View, row: Project) -> Json:
    """Return a project as an issue shows it."""
    return {
        "self": view.url(f"project/{row.id}"),
        "id": row.id,
        "key": row.key,
        "name": row.name,
        "projectTypeKey": row.kind,
        "simplified": row.simplified,
        "avatarUrls": {},
    }


def schema(field: FieldDef) -> Json:
    """Return the type of a field."""
    shown = dict(SCHEMAS[field.kind])
    if field.custom:
        kind = CUSTOM[field.kind]
        shown["custom"] = f"com.atlassian.jira.plugin.system.customfieldtypes:{kind}"
        shown["customId"] = int(field.id.removeprefix("customfield_"))
    else:
        shown["system"] = field.id
    return shown


def field_meta(view: View, field: FieldDef, project_: Project, required: bool) -> Json:
    """Return a field as create, edit and transition screens describe it."""
    site = view.site
    shown: Json = {
        "required": required,
        "schema": schema(field),
        "name": field.name,
        "key": field.id,
        "hasDefaultValue": field.kind == "priority",
        "operations": ["add", "set", "remove"] if SCHEMAS[field.kind]["type"] == "array" else ["set"],
    }
    allowed: dict[str, list[Json]] = {
        "priority": [
            priority(view, row)
            for row in site.priorities.values()
            if not project_.priorities or row.id in project_.priorities
        ],
        "resolution": [resolution(view, row) for row in site.resolutions.values()],
        "components": [component(view, row) for row in project_.components],
        "security": [level(view, row) for row in project_.levels],
        "option": [option(view, row) for row in field.options],
        "options": [option(view, row) for row in field.options],
        "cascade": [option(view, row) for row in field.options],
        "versions": [component(view, row) for row in project_.versions],
    }
    if field.kind in allowed:
        shown["allowedValues"] = allowed[field.kind]
    return shown
