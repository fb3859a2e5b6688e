"""Links between issues by a type."""

from syncd.sandbox.jira import hanging, shapes
from syncd.sandbox.jira.asking import ROOT, Ask, Routes
from syncd.sandbox.jira.issue_json import link_type
from syncd.sandbox.wire import Reply

routes = Routes(ROOT)


@routes.on("POST", "/issueLink")
def link(ask: Ask) -> Reply:
    """Link two issues: 201 without a body, also for a link that exists already."""
    hanging.from_request(ask, ask.read(shapes.LINK))
    return Reply(201)


@routes.on("GET", "/issueLinkType")
def types(ask: Ask) -> Reply:
    """Answer with the link types."""
    return Reply.of({"issueLinkTypes": [link_type(ask.view, id_) for id_ in ask.site.link_types]})
