"""The whole state of a world as JSON, as the owner of both services would see it."""

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
                **incident_json(account, incident, detail=True),
                "notes": [note_json(account, note) for note in incident.notes if not note.deleted],
                "alerts": [alert_json(account, incident, alert) for alert in incident.alerts],
            }
            for incident in account.incidents.values()
        ],
        "log_entries": [entry_json(account, entry) for entry in account.log],
    }


def jira(site: Site) -> Json:
    """Return all issues with properties, comments and changelog, and the keys of deleted ones."""
    view = View(site, 2, ZoneInfo("Etc/UTC"))
    fields = chosen(view, ["*all"], "*all")
    issues = []
    for issue in site.issues.values():
        if issue.deleted_at is None:
            shown = issue_json(view, issue, fields, properties=["*all"])
            shown["made_by"] = issue.made_by
            shown["comments"] = [
                comment_json(view, issue, comment, ["properties"])
                for comment in issue.comments
                if not comment.deleted
            ]
            shown["changelog"] = [change_json(view, change) for change in issue.changes]
            issues.append(shown)
    deleted = [issue.key for issue in site.issues.values() if issue.deleted_at is not None]
    return {"issues": issues, "deleted": deleted}


def whole(world: World) -> Json:
    """Return the state of all services at one moment."""
    # Both locks at once: no act may fall between the two halves.
    with world.pagerduty.lock, world.jira.lock:
        return {
            "pagerduty": pagerduty(world.pagerduty.account),
            "jira": jira(world.jira.site),
            "chat": world.chat.dump(),
        }
