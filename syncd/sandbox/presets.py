"""Ways a real site differs from the simple one: workflows, languages, kinds of projects, editions.

Workflows are built here and put under a project's types by `use_workflow`; `team_managed`, `service_desk`
and `data_center` change a project or a world that `cast.default_world` made.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from syncd.sandbox.jira.model import Project
from syncd.sandbox.jira.site import Site
from syncd.sandbox.jira.workflow import Status, Transition, Workflow, any_to_any

if TYPE_CHECKING:
    from syncd.sandbox.world import World

TO_DO = Status("10000", "To Do", "new")
IN_PROGRESS = Status("3", "In Progress", "indeterminate")
IN_REVIEW = Status("10001", "In Review", "indeterminate")
DONE = Status("10002", "Done", "done")
OPEN = Status("1", "Open", "new")
REOPENED = Status("4", "Reopened", "new")
RESOLVED = Status("5", "Resolved", "done")
CLOSED = Status("6", "Closed", "done")
PLAIN = (TO_DO, IN_PROGRESS, IN_REVIEW, DONE)
DONE_RESOLUTION = "10000"


def _way(id_: str, name: str, source: Status, target: Status, **more: object) -> Transition:
    plain = Transition(id_, name, target.id, frozenset({source.id}))
    return replace(plain, **more)  # type: ignore[arg-type]  # the caller names the fields of Transition


def simple() -> Workflow:
    """Four statuses, any to any."""
    return any_to_any("Simple", PLAIN, DONE_RESOLUTION)


def strict() -> Workflow:
    """One step at a time, forward and back, and from done only to the beginning."""
    return Workflow(
        "Strict",
        PLAIN,
        (
            _way("11", "Start work", TO_DO, IN_PROGRESS),
            _way("21", "Ask for review", IN_PROGRESS, IN_REVIEW),
            _way("22", "Stop work", IN_PROGRESS, TO_DO),
            _way("31", "Accept", IN_REVIEW, DONE, resolution=DONE_RESOLUTION),
            _way("32", "Send back", IN_REVIEW, IN_PROGRESS),
            _way("41", "Reopen", DONE, TO_DO, resolution=""),
        ),
    )


def no_way_back() -> Workflow:
    """Any to any, but nothing leaves done."""
    plain = simple()
    ways = tuple(way for way in plain.transitions if DONE.id not in (way.sources or ()))
    return Workflow("No way back", PLAIN, ways)


def resolution_screen() -> Workflow:
    """Any to any; the ways to done ask for a resolution and set none by themselves."""
    return replace(closing_screen("resolution"), name="Resolution screen")


def closing_screen(*fields: str) -> Workflow:
    """Any to any; the ways to done ask for fields, and set a resolution unless they ask for it."""
    ways = []
    for way in simple().transitions:
        if way.to == DONE.id:
            resolution = None if "resolution" in fields else way.resolution
            way = replace(way, screen=fields, required=frozenset(fields), resolution=resolution)
        ways.append(way)
    return Workflow("Closing screen", PLAIN, tuple(ways))


def classic() -> Workflow:
    """Jira's oldest workflow: what is over can only be reopened, to a status of its own.

    Resolved and Closed both count as done, and the ways to them ask for a resolution.
    """
    live = frozenset({OPEN.id, IN_PROGRESS.id, REOPENED.id})
    over = frozenset({RESOLVED.id, CLOSED.id})
    asks, demands = ("resolution",), frozenset({"resolution"})
    ways = (
        Transition("4", "Start Progress", IN_PROGRESS.id, live - {IN_PROGRESS.id}),
        Transition("301", "Stop Progress", OPEN.id, frozenset({IN_PROGRESS.id})),
        Transition("5", "Resolve Issue", RESOLVED.id, live, asks, demands),
        Transition("2", "Close Issue", CLOSED.id, live, asks, demands),
        Transition("701", "Close Issue", CLOSED.id, frozenset({RESOLVED.id})),
        Transition("3", "Reopen Issue", REOPENED.id, over, resolution=""),
    )
    return Workflow("Classic", (OPEN, IN_PROGRESS, RESOLVED, REOPENED, CLOSED), ways)


def unresolving() -> Workflow:
    """Any to any by one global way to each status; the resolution is nobody's business."""
    ways = tuple(Transition(f"{number}1", one.name, one.id) for number, one in enumerate(PLAIN, 1))
    return Workflow("Unresolving", PLAIN, ways)


def localised() -> Workflow:
    """Any to any with German names; the names given at creation are kept as untranslated."""
    names = {"To Do": "Zu erledigen", "In Progress": "In Arbeit", "In Review": "In Prüfung", "Done": "Fertig"}
    statuses = [replace(one, name=names[one.name], untranslated=one.name) for one in PLAIN]
    return any_to_any("Einfach", statuses, DONE_RESOLUTION)


def use_workflow(site: Site, project_key: str, workflow: Workflow, *types: str) -> None:
    """Put a project's types (all, or those named) under a workflow; existing issues must not be there yet."""
    project = _project(site, project_key)
    for id_, setup in project.setups.items():
        if not types or setup.type.name in types:
            project.setups[id_] = replace(setup, workflow=workflow)


def _project(site: Site, key: str) -> Project:
    found = site.project(key)
    if found is None:
        raise LookupError(f"no project {key!r}")
    return found


def without_types(site: Site, project_key: str, *names: str) -> None:
    """Take issue types out of a project."""
    project = _project(site, project_key)
    project.setups = {id_: one for id_, one in project.setups.items() if one.type.name not in names}


def localise(site: Site, project_key: str = "OPS") -> None:
    """Let a project speak German: statuses and types; the names given at creation are kept."""
    names = {"Incident": "Vorfall", "Bug": "Fehler", "Task": "Aufgabe", "Sub-task": "Unteraufgabe"}
    use_workflow(site, project_key, localised())
    project = _project(site, project_key)
    for id_, setup in project.setups.items():
        local = names.get(setup.type.name, setup.type.name)
        kind = replace(setup.type, name=local, untranslated=setup.type.name)
        project.setups[id_] = replace(setup, type=kind)


def without_fields(site: Site, project_key: str, *names: str) -> None:
    """Take fields off every screen of a project."""
    project = _project(site, project_key)
    for id_, setup in project.setups.items():
        project.setups[id_] = replace(
            setup, screen=setup.screen - set(names), required=setup.required - set(names)
        )


def require(site: Site, project_key: str, *names: str) -> None:
    """Make fields of a project's screens compulsory."""
    project = _project(site, project_key)
    for id_, setup in project.setups.items():
        project.setups[id_] = replace(
            setup, screen=setup.screen | set(names), required=setup.required | set(names)
        )


def team_managed(site: Site, project_key: str = "OPS") -> None:
    """Make a project team-managed: no components, priorities or security levels."""
    project = _project(site, project_key)
    project.simplified = True
    project.components.clear()
    project.levels.clear()
    without_fields(site, project_key, "components", "priority", "security")


def service_desk(site: Site, project_key: str = "OPS") -> None:
    """Make a project a service project: comments reach customers unless they are marked internal."""
    _project(site, project_key).kind = "service_desk"


def data_center(world: "World") -> None:
    """Turn a world's Jira into Data Center: users by name, a bearer token, no bulk fetch, the old search."""
    site = world.jira.site
    site.edition = "server"
    site.tokens = {("", token): account for (_, token), account in site.tokens.items()}
    for person in site.people.values():
        person.username = person.username or person.email.partition("@")[0]
