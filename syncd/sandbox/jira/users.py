"""Users: the caller, one user, search, and who can be assigned."""

from collections.abc import Iterable

from syncd.sandbox.jira import render
from syncd.sandbox.jira.asking import ROOT, Ask, Routes
from syncd.sandbox.jira.errors import error
from syncd.sandbox.jira.model import Person
from syncd.sandbox.wire import Reply

routes = Routes(ROOT)


@routes.on("GET", "/myself")
def myself(ask: Ask) -> Reply:
    """Answer with the account of the caller, always with its address."""
    shown = render.person(ask.view, ask.me) or {}
    if ask.me:
        shown["emailAddress"] = ask.me.email
    return Reply.of({**shown, "locale": "en_US"})


@routes.on("GET", "/user")
def read(ask: Ask) -> Reply:
    """Answer with a user by account id, or by name or key on Data Center."""
    cloud, key = ask.site.edition == "cloud", ask.call.value("key")
    asked = ask.call.value("accountId" if cloud else "username") or key or ""
    for person in ask.site.people.values():
        if asked == (person.account_id if cloud else person.key if key else person.username):
            return Reply.of(render.person(ask.view, person))
    raise error(
        404,
        f"User with accountId '{asked}' does not exist"
        if cloud
        else f"The user named '{asked}' does not exist",
    )


def matching(people: Iterable[Person], query: str) -> list[Person]:
    """Return the people whose name, a word of it, or address begins with `query`.

    A hidden address matches only as a whole, as on Jira Cloud.
    """
    text = query.lower()
    matches = []
    for person in people:
        words = [person.name.lower(), *person.name.lower().split(), person.username.lower()]
        address = person.email.lower()
        by_name = any(word.startswith(text) for word in words if word)
        # A hidden address matches only if the caller knows it whole.
        by_address = address.startswith(text) and (person.email_visible or address == text)
        if by_name or by_address:
            matches.append(person)
    return matches


def _page(ask: Ask, people: list[Person]) -> Reply:
    start, size = ask.number("startAt", 0), ask.number("maxResults", 50)
    return Reply.of([render.person(ask.view, person) for person in people[start : start + size]])


def _query(ask: Ask) -> str:
    names = ("query", "accountId") if ask.site.edition == "cloud" else ("username",)
    for name in names:
        if (value := ask.call.value(name)) is not None:
            return value
    raise error(400, f"The '{names[0]}' query parameter was not provided")


@routes.on("GET", "/user/search")
def search(ask: Ask) -> Reply:
    """Answer with the users whose name or address begins with the query."""
    query = _query(ask)
    if "USER_PICKER" in ask.site.denied:
        # Without the permission Jira finds nobody and does not say why.
        return Reply.of([])
    people: Iterable[Person] = ask.site.people.values()
    if ask.call.value("accountId"):
        return _page(ask, [person for person in people if person.account_id == query])
    # Data Center leaves out closed accounts unless asked; Cloud always shows them.
    if ask.site.edition == "server" and ask.call.value("includeInactive") != "true":
        people = [person for person in people if person.active]
    return _page(ask, matching(people, query))


@routes.on("GET", "/user/assignable/search")
def assignable(ask: Ask) -> Reply:
    """Answer with the active users to whom issues of a project can be assigned."""
    name = ask.call.value("project")
    if not name and (issue := ask.call.value("issueKey")):
        name = ask.site.projects[ask.issue(issue).now.project_id].key
    project = ask.site.project(name) if name else None
    if project is None:
        raise error(404 if name else 400, f"No project could be found with key '{name}'.")
    people = [
        person
        for person in ask.site.people.values()
        if person.active
        and person.account_type == "atlassian"
        and person.account_id not in project.unassignable
    ]
    if account := ask.call.value("accountId"):
        return _page(ask, [person for person in people if person.account_id == account])
    query = ask.call.value("query") or ask.call.value("username") or ""
    return _page(ask, matching(people, query))
