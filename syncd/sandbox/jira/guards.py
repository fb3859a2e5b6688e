"""Refuse writes whose values are right, each by itself: permissions, security levels, the hierarchy."""

from syncd.sandbox.jira.asking import Ask
from syncd.sandbox.jira.editing import Wish
from syncd.sandbox.jira.errors import not_on_screen
from syncd.sandbox.jira.model import Project, TypeSetup

MUST = {"summary": "You must specify a summary of the issue."}
NEEDED = {"assignee": "ASSIGN_ISSUES", "security": "SET_ISSUE_SECURITY", "duedate": "SCHEDULE_ISSUES"}


def guard(ask: Ask, project: Project, setup: TypeSetup, wish: Wish) -> None:
    """Add to the problems of a wish what the caller may not do."""
    for name, permission in NEEDED.items():
        if wish.values.get(name) is not None and permission in project.denied:
            # Jira answers a missing permission like a missing field on the screen.
            wish.problems[name] = not_on_screen(name)
    level = wish.values.get("security")
    # Jira answers a level that the caller is not in like one that does not exist.
    if level and not any(row.id == level and ask.account in row.members for row in project.levels):
        wish.problems.setdefault("security", f"Security level with id '{level}' does not exist.")
    if parent := wish.values.get("parent"):
        above = ask.site.setup(ask.site.issues[parent].now).type
        # Only a sub-task has a parent, and a sub-task cannot be a parent.
        if above.subtask or not setup.type.subtask:
            wish.problems["parent"] = "Given parent issue does not belong to appropriate hierarchy."


def required(ask: Ask, setup: TypeSetup, wish: Wish, names: frozenset[str]) -> None:
    """Add to the problems of a wish the fields in `names` that the type demands and the wish leaves empty."""
    for name in sorted((setup.required | setup.validated) & names):
        if wish.values.get(name) is None:
            wish.problems.setdefault(name, MUST.get(name, f"{ask.site.fields[name].name} is required."))
    if setup.type.subtask and "parent" in names and wish.values.get("parent") is None:
        words = "Issue type is a sub-task but parent issue key or id not specified."
        wish.problems.setdefault("parent", words)
