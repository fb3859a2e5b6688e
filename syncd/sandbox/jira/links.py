"""Links: to things outside by a global id, and between issues by a type."""

from syncd.sandbox.jira import hanging, shapes
from syncd.sandbox.jira.asking import ROOT, Ask, Routes
from syncd.sandbox.jira.errors import error
from syncd.sandbox.jira.issue_json import link_type
from syncd.sandbox.jira.model import Issue, Item, RemoteLink
from syncd.sandbox.jira.render import View
from syncd.sandbox.wire import Json, Reply

routes = Routes(ROOT)
PARTS = ("globalId", "application", "relationship", "object")


def link_row(view: View, issue: Issue, link: RemoteLink) -> Json:
    """Return a remote link of an issue."""
    own = view.url(f"issue/{issue.id}/remotelink/{link.id}")
    return {"id": link.id, "self": own, **{k: v for k, v in link.body.items() if v is not None}}


@routes.on("GET", "/issue/{issue}/remotelink")
def listing(ask: Ask) -> Reply:
    """Answer with all remote links, or with the one of a global id. Raise the 404 if that one is missing."""
    issue, asked = ask.issue(), ask.call.value("globalId")
    if asked is None:
        return Reply.of([link_row(ask.view, issue, link) for link in issue.remote_links])
    for link in issue.remote_links:
        if link.body.get("globalId") == asked:
            return Reply.of(link_row(ask.view, issue, link))
    raise error(404, f"No remote issue link with the global id '{asked}' could be found.")


@routes.on("POST", "/issue/{issue}/remotelink")
def upsert(ask: Ask) -> Reply:
    """Set the link of a global id, or add one without. What is left out is emptied, as the service does."""
    issue, body = ask.issue(), ask.read(shapes.REMOTE_LINK)
    target = body.get("object") or {}
    missing = {name: f"'{name}' is required." for name in ("title", "url") if not target.get(name)}
    if missing:
        raise error(400, errors=missing)
    if len(str(body.get("globalId") or "")) > 255:
        raise error(400, errors={"globalId": "'globalId' must not exceed 255 characters."})
    kept = {name: body.get(name) for name in PARTS}
    same = [
        one for one in issue.remote_links if kept["globalId"] and one.body["globalId"] == kept["globalId"]
    ]
    held = same[0] if same else RemoteLink(ask.site.new_link_id(), kept)
    held.body = kept
    if not same:
        issue.remote_links.append(held)
    words = f'This issue links to "{target["title"]}"'
    ask.site.revise(issue, ask.account, [Item("RemoteIssueLink", "", None, None, str(held.id), words)])
    status = 200 if same or ask.site.edition == "server" else 201
    return Reply.of({"id": held.id, "self": ask.view.url(f"issue/{issue.id}/remotelink/{held.id}")}, status)


@routes.on("POST", "/issueLink")
def link(ask: Ask) -> Reply:
    """Link two issues: 201 without a body, and the same for a link that was already there."""
    hanging.from_request(ask, ask.read(shapes.LINK))
    return Reply(201)


@routes.on("GET", "/issueLinkType")
def types(ask: Ask) -> Reply:
    """Answer with the link types."""
    return Reply.of({"issueLinkTypes": [link_type(ask.view, id_) for id_ in ask.site.link_types]})
