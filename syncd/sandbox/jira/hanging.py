"""Comments and links as they are added to an issue, whether by their own endpoint or within an edit."""

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
    """Add the comments and links that came with an edit."""
    for row in wish.comments:
        given = shaped(shapes.COMMENT, row)
        properties = shapes.values(given.get("properties"))
        comment(ask.site, issue, row["body"], ask.account, properties, given.get("visibility"))
    for row in wish.links:
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
    """Write a comment; the issue counts as updated."""
    if not body.strip():
        raise error(400, errors={"comment": "Comment body can not be empty!"})
    if units(body) > TEXT_LIMIT:
        raise error(400, errors={"comment": TOO_LONG})
    at = site.now()
    made = Comment(site.new_comment_id(), by, body, at, at, by, dict(properties or {}), visibility)
    issue.comments.append(made)
    site.revise(issue, by)
    return made


def from_request(ask: Ask, row: LinkBody) -> None:
    """Link two issues as a request says. Raise the 404 of an unknown type or issue."""
    kind = row.get("type") or Named()
    names = (kind.get("id"), kind.get("name"))
    found = next((one for one in ask.site.link_types.values() if one.id in names or one.name in names), None)
    if found is None:
        raise error(404, f"No issue link type with name '{kind.get('name')}' found.")
    ends = [row.get("inwardIssue") or Named(), row.get("outwardIssue") or Named()]
    source, target = (ask.issue(str(end.get("id") or end.get("key") or "-")) for end in ends)
    link(ask.site, found.id, source, target, ask.account)


def link(site: Site, type_id: str, source: Issue, target: Issue, by: str) -> None:
    """Link two issues unless they already are, and write it into both changelogs."""
    if any((one.type_id, one.source, one.target) == (type_id, source.id, target.id) for one in site.links):
        return
    site.links.append(Link(site.new_link_id(), type_id, source.id, target.id))
    kind = site.link_types[type_id]
    for one, other, reading in ((source, target, kind.outward), (target, source, kind.inward)):
        words = f"This issue {reading} {other.key}"
        site.revise(one, by, [Item("Link", "issuelinks", None, None, other.key, words)])


def unlink(site: Site, source: Issue, target: Issue, by: str) -> None:
    """Take the links between two issues away, and write it into both changelogs."""
    pair = {source.id, target.id}
    for row in [one for one in site.links if {one.source, one.target} == pair]:
        site.links.remove(row)
        kind = site.link_types[row.type_id]
        first, second = site.issues[row.source], site.issues[row.target]
        for one, other, reading in ((first, second, kind.outward), (second, first, kind.inward)):
            words = f"This issue {reading} {other.key}"
            site.revise(one, by, [Item("Link", "issuelinks", other.key, words, None, None)])
