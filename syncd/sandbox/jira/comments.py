"""Comments of an issue, with properties: list, read, write, edit."""

from syncd.sandbox.jira import hanging, shapes
from syncd.sandbox.jira.asking import ROOT, Ask, Routes, page
from syncd.sandbox.jira.errors import error
from syncd.sandbox.jira.fields import FieldProblem, read_text
from syncd.sandbox.jira.issue_json import comment_json
from syncd.sandbox.jira.model import Comment, Issue
from syncd.sandbox.jira.shapes import CommentBody
from syncd.sandbox.wire import Reply

routes = Routes(ROOT)


def _found(ask: Ask, issue: Issue) -> Comment:
    for one in issue.comments:
        if str(one.id) == ask.params["comment"] and not one.deleted:
            return one
    raise error(404, f"Can not find a comment for the id: {ask.params['comment']}.")


def _text(ask: Ask, given: CommentBody) -> str:
    try:
        return read_text(given.get("body"), ask.version) or ""
    except FieldProblem as problem:
        raise error(400, errors={"comment": str(problem)}) from problem


@routes.on("GET", "/issue/{issue}/comment")
def listing(ask: Ask) -> Reply:
    """Answer with a page of comments, oldest first unless ordered by `-created`."""
    issue = ask.issue()
    rows = [one for one in issue.comments if not one.deleted]
    if ask.call.value("orderBy") == "-created":
        rows.reverse()
    expand = ask.call.listed("expand")
    return page(
        ask, "comments", rows, lambda one: comment_json(ask.view, issue, one, expand), 100, extra=False
    )


@routes.on("GET", "/issue/{issue}/comment/{comment}")
def read(ask: Ask) -> Reply:
    """Answer with one comment."""
    issue = ask.issue()
    return Reply.of(comment_json(ask.view, issue, _found(ask, issue), ask.call.listed("expand")))


@routes.on("POST", "/issue/{issue}/comment")
def write(ask: Ask) -> Reply:
    """Write a comment, with its properties in the same act."""
    issue = ask.issue()
    ask.may("ADD_COMMENTS", issue, "You do not have the permission to comment on this issue.")
    given = ask.read(shapes.COMMENT)
    properties, seen_by = shapes.values(given.get("properties")), given.get("visibility")
    made = hanging.comment(ask.site, issue, _text(ask, given), ask.account, properties, seen_by)
    return Reply.of(comment_json(ask.view, issue, made, ask.call.listed("expand")), 201)


@routes.on("PUT", "/issue/{issue}/comment/{comment}")
def edit(ask: Ask) -> Reply:
    """Replace a comment's text, and those of its properties that are given."""
    issue = ask.issue()
    comment, given = _found(ask, issue), ask.read(shapes.COMMENT)
    body = _text(ask, given)
    own = comment.author == ask.account
    ask.may(
        "EDIT_OWN_COMMENTS" if own else "EDIT_ALL_COMMENTS",
        issue,
        "You do not have the permission to edit this comment.",
    )
    if not body.strip():
        raise error(400, errors={"comment": "Comment body can not be empty!"})
    comment.body, comment.updated, comment.update_author = body, ask.site.now(), ask.account
    comment.properties |= shapes.values(given.get("properties"))
    ask.site.revise(issue, ask.account)
    return Reply.of(comment_json(ask.view, issue, comment, ask.call.listed("expand")))


@routes.on("GET", "/comment/{comment}/properties/{property}")
def read_property(ask: Ask) -> Reply:
    """Answer with one property of a comment."""
    for issue in ask.site.issues.values():
        for comment in issue.comments:
            if str(comment.id) == ask.params["comment"] and ask.params["property"] in comment.properties:
                key = ask.params["property"]
                return Reply.of({"key": key, "value": comment.properties[key]})
    raise error(404, "The property does not exist.")
