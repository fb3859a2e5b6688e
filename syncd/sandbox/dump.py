"""The whole state of a world as JSON, as the owner of both services would see it: all of it at once."""

from zoneinfo import ZoneInfo

from syncd.sandbox.jira.issue_json import change_json, chosen, comment_json, issue_json
from syncd.sandbox.jira.render import View
from syncd.sandbox.jira.site import Site
from syncd.sandbox.pagerduty.render import alert_json, entry_json, incident_json, note_json
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.wire import Json
from syncd.sandbox.world import World


def pagerduty(account: Account) -> Json:
    """Return all incidents with notes, alerts and fields, and the log, oldest first."""
    return {
        "incidents": [
            {
                **incident_json(account, one, detail=True),
                "notes": [note_json(account, note) for note in one.notes if not note.deleted],
                "alerts": [alert_json(account, one, alert) for alert in one.alerts],
            }
            for one in account.incidents.values()
        ],
        "log_entries": [entry_json(account, entry) for entry in account.log],
    }


def jira(site: Site) -> Json:
    """Return all issues that were not deleted with properties, comments, links and changelog."""
    view = View(site, 2, ZoneInfo("Etc/UTC"))
    fields = chosen(view, ["*all"], "*all")
    issues = []
    for one in site.issues.values():
        if one.deleted_at is None:
            shown = issue_json(view, one, fields, properties=["*all"])
            shown["made_by"] = one.made_by
            shown["comments"] = [
                comment_json(view, one, row, ["properties"]) for row in one.comments if not row.deleted
            ]
            shown["changelog"] = [change_json(view, row) for row in one.changes]
            issues.append(shown)
    deleted = [one.key for one in site.issues.values() if one.deleted_at is not None]
    return {"issues": issues, "deleted": deleted}


def whole(world: World) -> Json:
    """Return both."""
    with world.pagerduty.lock, world.jira.lock:
        return {"pagerduty": pagerduty(world.pagerduty.account), "jira": jira(world.jira.site)}
