"""Comments and links: adding them to an issue, by an endpoint of their own or within an edit."""

from collections.abc import Mapping
from typing import Any

from syncd.sandbox.jira import shapes
from syncd.sandbox.jira.asking import Ask, shaped
from syncd.sandbox.jira.editing import Wish
from syncd.sandbox.jira.errors import TOO_LONG, error
from syncd.sandbox.jira.fields import TEXT_LIMIT, units
from syncd.sandbox.jira.model import Comment, Issue, Item, Link
from syncd.sandbox.jira.shapes import LinkBody, Named
from syncd.sandbox.jira.site import Site
from syncd.sandbox.wire import Json


def add(ask: Ask, issue: Issue, wish: Wish) -> None:
    """Add the comments and links that come with an edit."""
    for row in wish.comments:
        body = shaped(shapes.COMMENT, row)
        properties = shapes.values(body.get("properties"))
        comment(ask.site, issue, row["body"], ask.account, properties, body.get("visibility"))
    for row in wish.links:
        # A link within an edit names only its other end; this issue is the end that is missing.
        sides = {"inwardIssue": {"id": str(issue.id)}, "outwardIssue": {"id": str(issue.id)}, **row}
        from_request(ask, shaped(shapes.LINK, sides))


def comment(
    site: Site,
    issue: Issue,
    body: str,
    by: str,
    properties: Mapping[str, Any] | None = None,
    visibility: Json | None = None,
) -> Comment:
    """Write a comment; this counts as an update of the issue."""
    if not body.strip():
        raise error(400, errors={"comment": "Comment body can not be empty!"})
    if units(body) > TEXT_LIMIT:
        raise error(400, errors={"comment": TOO_LONG})
    at = site.now()
    new = Comment(site.new_comment_id(), by, body, at, at, by, dict(properties or {}), visibility)
    issue.comments.append(new)
    site.revise(issue, by)
    return new


def from_request(ask: Ask, body: LinkBody) -> None:
    """Link two issues as a request says. Raise a 404 for an unknown type or issue."""
    kind = body.get("type") or Named()
    names = (kind.get("id"), kind.get("name"))
    link_type = next(
        (row for row in ask.site.link_types.values() if row.id in names or row.name in names), None
    )
    if link_type is None:
        raise error(404, f"No issue link type with name '{kind.get('name')}' found.")
    ends = [body.get("inwardIssue") or Named(), body.get("outwardIssue") or Named()]
    source, target = (ask.issue(str(end.get("id") or end.get("key") or "-")) for end in ends)
    link(ask.site, link_type.id, source, target, ask.account)


def link(site: Site, type_id: str, source: Issue, target: Issue, by: str) -> None:
    """Link two issues, unless they are linked already, and write it into both changelogs."""
    # Jira answers a second request for the same link with 201, but makes no second link.
    if any((row.type_id, row.source, row.target) == (type_id, source.id, target.id) for row in site.links):
        return
    site.links.append(Link(site.new_link_id(), type_id, source.id, target.id))
    kind = site.link_types[type_id]
    for issue, other, reading in ((source, target, kind.outward), (target, source, kind.inward)):
        words = f"This issue {reading} {other.key}"
        site.revise(issue, by, [Item("Link", "issuelinks", None, None, other.key, words)])


def unlink(site: Site, source: Issue, target: Issue, by: str) -> None:
    """Remove all links between two issues and write it into both changelogs."""
    pair = {source.id, target.id}
    for row in [link for link in site.links if {link.source, link.target} == pair]:
        site.links.remove(row)
        kind = site.link_types[row.type_id]
        first, second = site.issues[row.source], site.issues[row.target]
        for issue, other, reading in ((first, second, kind.outward), (second, first, kind.inward)):
            words = f"This issue {reading} {other.key}"
            site.revise(issue, by, [Item("Link", "issuelinks", other.key, words, None, None)])
