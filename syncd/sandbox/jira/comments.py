"""Comments of an issue, with properties: list, read, write and edit them."""

from syncd.sandbox.jira import hanging, shapes
from syncd.sandbox.jira.asking import ROOT, Ask, Routes, page
from syncd.sandbox.jira.errors import error
from syncd.sandbox.jira.fields import FieldProblem, read_text
from syncd.sandbox.jira.issue_json import comment_json
from syncd.sandbox.jira.model import Comment, Issue
from syncd.sandbox.jira.shapes import CommentBody
from syncd.sandbox.wire import Reply

routes = Routes(ROOT)


def _comment(ask: Ask, issue: Issue) -> Comment:
    for comment in issue.comments:
        if str(comment.id) == ask.params["comment"] and not comment.deleted:
            return comment
    raise error(404, f"Can not find a comment for the id: {ask.params['comment']}.")


def _text(ask: Ask, body: CommentBody) -> str:
    try:
        return read_text(body.get("body"), ask.version) or ""
    except FieldProblem as problem:
        raise error(400, errors={"comment": str(problem)}) from problem


@routes.on("GET", "/issue/{issue}/comment")
def listing(ask: Ask) -> Reply:
    """Answer with a page of comments, the oldest first unless `orderBy` is `-created`."""
    issue = ask.issue()
    rows = [comment for comment in issue.comments if not comment.deleted]
    if ask.call.value("orderBy") == "-created":
        rows.reverse()
    expand = ask.call.listed("expand")
    return page(
        ask,
        "comments",
        rows,
        lambda comment: comment_json(ask.view, issue, comment, expand),
        100,
        extra=False,
    )


@routes.on("GET", "/issue/{issue}/comment/{comment}")
def read(ask: Ask) -> Reply:
    """Answer with one comment."""
    issue = ask.issue()
    return Reply.of(comment_json(ask.view, issue, _comment(ask, issue), ask.call.listed("expand")))


@routes.on("POST", "/issue/{issue}/comment")
def write(ask: Ask) -> Reply:
    """Write a comment together with its properties."""
    issue = ask.issue()
    ask.may("ADD_COMMENTS", issue, "You do not have the permission to comment on this issue.")
    body = ask.read(shapes.COMMENT)
    properties, visibility = shapes.values(body.get("properties")), body.get("visibility")
    comment = hanging.comment(ask.site, issue, _text(ask, body), ask.account, properties, visibility)
    return Reply.of(comment_json(ask.view, issue, comment, ask.call.listed("expand")), 201)


@routes.on("PUT", "/issue/{issue}/comment/{comment}")
def edit(ask: Ask) -> Reply:
    """Replace the text of a comment, and those of its properties that the request names."""
    issue = ask.issue()
    comment, body = _comment(ask, issue), ask.read(shapes.COMMENT)
    text = _text(ask, body)
    # Jira has one permission for own comments and another for those of everybody.
    own = comment.author == ask.account
    ask.may(
        "EDIT_OWN_COMMENTS" if own else "EDIT_ALL_COMMENTS",
        issue,
        "You do not have the permission to edit this comment.",
    )
    if not text.strip():
        raise error(400, errors={"comment": "Comment body can not be empty!"})
    comment.body, comment.updated, comment.update_author = text, ask.site.now(), ask.account
    comment.properties |= shapes.values(body.get("properties"))
    # A new text counts as an update of the issue, but the changelog never has comments.
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
