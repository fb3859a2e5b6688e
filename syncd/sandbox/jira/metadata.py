"""The site's metadata: server information, types, statuses, priorities, resolutions, fields."""

from syncd.sandbox.jira import render
from syncd.sandbox.jira.asking import ROOT, Ask, Routes, page
from syncd.sandbox.jira.model import FieldDef
from syncd.sandbox.wire import Json, Reply

routes = Routes(ROOT)
SYSTEM = (
    ("project", "Project"),
    ("issuetype", "Issue Type"),
    ("status", "Status"),
    ("created", "Created"),
    ("updated", "Updated"),
    ("creator", "Creator"),
    ("resolutiondate", "Resolved"),
    ("subtasks", "Sub-tasks"),
    ("issuelinks", "Linked Issues"),
    ("comment", "Comment"),
)


@routes.on("GET", "/serverInfo")
def server_info(ask: Ask) -> Reply:
    """Answer with edition, version and time of the site."""
    # The jira library decides by `deploymentType` which endpoints it uses.
    cloud = ask.site.edition == "cloud"
    shown: Json = {
        "baseUrl": ask.site.base_url,
        "version": "1001.0.0-SNAPSHOT" if cloud else "10.3.24",
        "versionNumbers": [1001, 0, 0] if cloud else [10, 3, 24],
        "deploymentType": "Cloud" if cloud else "Server",
        "buildNumber": 100299 if cloud else 10030024,
        "buildDate": "2026-11-02T00:00:00.000+0000",
        "serverTime": ask.view.time(ask.site.now()),
        "scmInfo": "0000000000000000000000000000000000000000",
        "serverTitle": "Jira",
        "defaultLocale": {"locale": "en_US"},
    }
    if cloud:
        shown |= {"displayUrl": ask.site.base_url, "serverTimeZone": "Etc/UTC"}
    return Reply.of(shown)


@routes.on("GET", "/issuetype")
def types(ask: Ask) -> Reply:
    """Answer with every issue type."""
    return Reply.of([render.issue_type(ask.view, kind) for kind in ask.site.types().values()])


@routes.on("GET", "/status")
def statuses(ask: Ask) -> Reply:
    """Answer with every status."""
    return Reply.of([render.status(ask.view, row) for row in ask.site.statuses().values()])


@routes.on("GET", "/priority")
def priorities(ask: Ask) -> Reply:
    """Answer with every priority, the gravest first."""
    return Reply.of([_priority(ask, id_) for id_ in ask.site.priorities])


@routes.on("GET", "/priority/search")
def priority_page(ask: Ask) -> Reply:
    """Answer with a page of priorities."""
    return page(ask, "values", list(ask.site.priorities), lambda id_: _priority(ask, id_))


def _priority(ask: Ask, id_: str) -> Json:
    row = ask.site.priorities[id_]
    # Jira marks the default priority; here it is the middle one.
    middle = list(ask.site.priorities)[len(ask.site.priorities) // 2]
    more = {"description": "", "statusColor": row.color, "isDefault": id_ == middle}
    return {**render.priority(ask.view, row), **more}


@routes.on("GET", "/resolution")
def resolutions(ask: Ask) -> Reply:
    """Answer with every resolution."""
    return Reply.of([render.resolution(ask.view, row) for row in ask.site.resolutions.values()])


@routes.on("GET", "/resolution/search")
def resolution_page(ask: Ask) -> Reply:
    """Answer with a page of resolutions."""
    resolutions = list(ask.site.resolutions.values())
    return page(ask, "values", resolutions, lambda row: render.resolution(ask.view, row))


@routes.on("GET", "/field")
def fields(ask: Ask) -> Reply:
    """Answer with every field, system and custom."""
    rows = [_field(field) for field in ask.site.fields.values()]
    return Reply.of(rows + [_system(id_, name) for id_, name in SYSTEM])


def _field(field: FieldDef) -> Json:
    number = field.id.removeprefix("customfield_")
    return {
        "id": field.id,
        "key": field.id,
        "name": field.name,
        "untranslatedName": field.name,
        "custom": field.custom,
        "orderable": True,
        "navigable": True,
        "searchable": True,
        "clauseNames": [f"cf[{number}]", field.name] if field.custom else [field.id],
        "schema": render.schema(field),
    }


def _system(id_: str, name: str) -> Json:
    shape = {"custom": False, "orderable": False, "navigable": True, "searchable": True, "clauseNames": [id_]}
    return {"id": id_, "key": id_, "name": name, "untranslatedName": name, **shape}
