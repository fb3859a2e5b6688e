"""How Jira's people, statuses and metadata look on the wire, on Cloud and on Data Center."""

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
    "number": "float",
    "date": "datepicker",
    "user": "userpicker",
    "datetime": "datetime",
    "labels": "labels",
}


@dataclass(frozen=True)
class View:
    """For whom something is shown: by which version of the API and in whose time zone."""

    site: Site
    version: int
    zone: tzinfo

    def url(self, path: str) -> str:
        """Return the address of something in the API."""
        return f"{self.site.base_url}/rest/api/{self.version}/{path}"

    def time(self, moment: datetime | None) -> str | None:
        """Return a moment as Jira writes it: milliseconds, and an offset without a colon."""
        if moment is None:
            return None
        local = moment.astimezone(self.zone)
        return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"

    def text(self, value: str | None) -> Any:
        """Return a multi-line text: a document by version 3, the string by version 2."""
        return adf.document(value) if self.version == 3 else value


def person(view: View, one: Person | None) -> Json | None:
    """Return a user: by account id on Cloud, by name and key on Data Center."""
    if one is None:
        return None
    shown: Json = {"displayName": one.name, "active": one.active, "timeZone": one.time_zone}
    if one.email_visible:
        shown["emailAddress"] = one.email
    if view.site.edition == "server":
        return {
            "self": view.url(f"user?username={one.username}"),
            "name": one.username,
            "key": f"JIRAUSER{one.account_id[-5:]}",
            **shown,
        }
    return {
        "self": view.url(f"user?accountId={one.account_id}"),
        "accountId": one.account_id,
        "accountType": one.account_type,
        "avatarUrls": {},
        **shown,
    }


def status(view: View, one: Status) -> Json:
    """Return a status with its category."""
    category = CATEGORIES[one.category]
    shown: Json = {
        "self": view.url(f"status/{one.id}"),
        "description": "",
        "iconUrl": f"{view.site.base_url}/images/icons/status_generic.gif",
        "name": one.name,
        "id": one.id,
        "statusCategory": {"self": view.url(f"statuscategory/{category['id']}"), **category},
    }
    if view.site.edition == "cloud":
        shown["untranslatedName"] = one.untranslated or one.name
    return shown


def issue_type(view: View, one: IssueType) -> Json:
    """Return an issue type."""
    shown: Json = {
        "self": view.url(f"issuetype/{one.id}"),
        "id": one.id,
        "description": "",
        "iconUrl": f"{view.site.base_url}/images/icons/issuetypes/{one.id}.svg",
        "name": one.name,
        "subtask": one.subtask,
    }
    if view.site.edition == "cloud":
        shown |= {
            "untranslatedName": one.untranslated or one.name,
            "hierarchyLevel": -1 if one.subtask else 0,
        }
    return shown


def priority(view: View, one: Priority) -> Json:
    """Return a priority as issues carry it."""
    icon = f"{view.site.base_url}/images/icons/priorities/{one.id}.svg"
    return {"self": view.url(f"priority/{one.id}"), "iconUrl": icon, "name": one.name, "id": one.id}


def resolution(view: View, one: Resolution) -> Json:
    """Return a resolution."""
    return {"self": view.url(f"resolution/{one.id}"), "id": one.id, "description": "", "name": one.name}


def component(view: View, one: Component) -> Json:
    """Return a component."""
    return {"self": view.url(f"component/{one.id}"), "id": one.id, "name": one.name}


def level(view: View, one: SecurityLevel) -> Json:
    """Return a security level."""
    return {"self": view.url(f"securitylevel/{one.id}"), "id": one.id, "name": one.name, "description": ""}


def option(view: View, one: Option) -> Json:
    """Return a choice of a select field."""
    return {"self": view.url(f"customFieldOption/{one.id}"), "value": one.value, "id": one.id}


def project(view: View, one: Project) -> Json:
    """Return a project as issues carry it."""
    return {
        "self": view.url(f"project/{one.id}"),
        "id": one.id,
        "key": one.key,
        "name": one.name,
        "projectTypeKey": one.kind,
        "simplified": one.simplified,
        "avatarUrls": {},
    }


def schema(one: FieldDef) -> Json:
    """Return the type of a field."""
    shown = dict(SCHEMAS[one.kind])
    if one.custom:
        kind = CUSTOM[one.kind]
        shown["custom"] = f"com.atlassian.jira.plugin.system.customfieldtypes:{kind}"
        shown["customId"] = int(one.id.removeprefix("customfield_"))
    else:
        shown["system"] = one.id
    return shown


def field_meta(view: View, one: FieldDef, project_: Project, required: bool) -> Json:
    """Return a field as create, edit and transition screens describe it."""
    site = view.site
    shown: Json = {
        "required": required,
        "schema": schema(one),
        "name": one.name,
        "key": one.id,
        "hasDefaultValue": one.kind == "priority",
        "operations": ["add", "set", "remove"] if SCHEMAS[one.kind]["type"] == "array" else ["set"],
    }
    allowed: dict[str, list[Json]] = {
        "priority": [priority(view, row) for row in site.priorities.values()],
        "resolution": [resolution(view, row) for row in site.resolutions.values()],
        "components": [component(view, row) for row in project_.components],
        "security": [level(view, row) for row in project_.levels],
        "option": [option(view, row) for row in one.options],
        "options": [option(view, row) for row in one.options],
    }
    if one.kind in allowed:
        shown["allowedValues"] = allowed[one.kind]
    return shown
