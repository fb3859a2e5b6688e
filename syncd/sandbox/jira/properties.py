"""Properties of an issue: list the keys, read and set a value. Setting one does not update the issue."""

import json

from syncd.sandbox.jira.asking import ROOT, Ask, Routes
from syncd.sandbox.jira.errors import error
from syncd.sandbox.wire import Reply

routes = Routes(ROOT)
KEY_LIMIT = 255
VALUE_LIMIT = 32_768


@routes.on("GET", "/issue/{issue}/properties")
def listing(ask: Ask) -> Reply:
    """Answer with the keys of the properties."""
    issue = ask.issue()
    path = f"issue/{issue.id}/properties"
    return Reply.of(
        {"keys": [{"self": ask.view.url(f"{path}/{key}"), "key": key} for key in issue.now.properties]}
    )


@routes.on("GET", "/issue/{issue}/properties/{property}")
def read(ask: Ask) -> Reply:
    """Answer with the value of one property."""
    key, properties = ask.params["property"], ask.issue().now.properties
    if key not in properties:
        raise error(404, f"The property with key '{key}' does not exist.")
    return Reply.of({"key": key, "value": properties[key]})


@routes.on("PUT", "/issue/{issue}/properties/{property}")
def write(ask: Ask) -> Reply:
    """Set one value: 201 if the property is new, 200 if it existed."""
    issue, key = ask.issue(), ask.params["property"]
    ask.may("EDIT_ISSUES", issue, "You do not have permission to edit this issue.")
    if len(key) > KEY_LIMIT or len(ask.call.body) > VALUE_LIMIT or not ask.call.body:
        raise error(400, "The property key or value is too long or empty.")
    try:
        value = json.loads(ask.call.body)
    except ValueError as problem:
        raise error(400, "The property value must be valid JSON.") from problem
    new = key not in issue.now.properties
    ask.site.revise(issue, ask.account, touch=False, properties={**issue.now.properties, key: value})
    return Reply(201 if new else 200)
