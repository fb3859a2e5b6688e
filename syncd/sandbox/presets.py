"""Ways in which a real site differs from the simple one: workflows, languages, kinds of projects, editions.

The functions on top build workflows; `use_workflow` puts one under the types of a project. The others, such
as `team_managed`, `service_desk` and `data_center`, change a project or a world that `cast.default_world`
made.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from syncd.sandbox.jira.model import FieldDef, Project
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


def _transition(id_: str, name: str, source: Status, target: Status, **more: object) -> Transition:
    plain = Transition(id_, name, target.id, frozenset({source.id}))
    return replace(plain, **more)  # type: ignore[arg-type]  # the caller names the fields of Transition


def simple() -> Workflow:
    """Return a workflow of four statuses; every status leads to every other."""
    return any_to_any("Simple", PLAIN, DONE_RESOLUTION)


def strict() -> Workflow:
    """Return a workflow of single steps forward and back; Done leads only to the first status."""
    return Workflow(
        "Strict",
        PLAIN,
        (
            _transition("11", "Start work", TO_DO, IN_PROGRESS),
            _transition("21", "Ask for review", IN_PROGRESS, IN_REVIEW),
            _transition("22", "Stop work", IN_PROGRESS, TO_DO),
            _transition("31", "Accept", IN_REVIEW, DONE, resolution=DONE_RESOLUTION),
            _transition("32", "Send back", IN_REVIEW, IN_PROGRESS),
            _transition("41", "Reopen", DONE, TO_DO, resolution=""),
        ),
    )


def no_way_back() -> Workflow:
    """Return the simple workflow without any transition out of Done."""
    plain = simple()
    transitions = tuple(
        transition for transition in plain.transitions if DONE.id not in (transition.sources or ())
    )
    return Workflow("No way back", PLAIN, transitions)


def resolution_screen() -> Workflow:
    """Return the simple workflow whose transitions to Done ask for a resolution and set none themselves."""
    return replace(closing_screen("resolution"), name="Resolution screen")


def closing_screen(*fields: str) -> Workflow:
    """Return the simple workflow whose transitions to Done ask for `fields`.

    Unless `resolution` is among the fields, the transitions set a resolution themselves.
    """
    transitions = []
    for transition in simple().transitions:
        if transition.to == DONE.id:
            # A screen that asks for the resolution leaves it to the caller.
            resolution = None if "resolution" in fields else transition.resolution
            transition = replace(transition, screen=fields, required=frozenset(fields), resolution=resolution)
        transitions.append(transition)
    return Workflow("Closing screen", PLAIN, tuple(transitions))


def classic() -> Workflow:
    """Return Jira's oldest workflow: a finished issue can only be reopened, to a status of its own.

    Resolved and Closed both count as done, and the transitions to them ask for a resolution.
    """
    live = frozenset({OPEN.id, IN_PROGRESS.id, REOPENED.id})
    over = frozenset({RESOLVED.id, CLOSED.id})
    screen, required = ("resolution",), frozenset({"resolution"})
    transitions = (
        Transition("4", "Start Progress", IN_PROGRESS.id, live - {IN_PROGRESS.id}),
        Transition("301", "Stop Progress", OPEN.id, frozenset({IN_PROGRESS.id})),
        Transition("5", "Resolve Issue", RESOLVED.id, live, screen, required),
        Transition("2", "Close Issue", CLOSED.id, live, screen, required),
        Transition("701", "Close Issue", CLOSED.id, frozenset({RESOLVED.id})),
        Transition("3", "Reopen Issue", REOPENED.id, over, resolution=""),
    )
    return Workflow("Classic", (OPEN, IN_PROGRESS, RESOLVED, REOPENED, CLOSED), transitions)


def unresolving() -> Workflow:
    """Return a workflow with one global transition to each status; none touches the resolution."""
    transitions = tuple(
        Transition(f"{number}1", status.name, status.id) for number, status in enumerate(PLAIN, 1)
    )
    return Workflow("Unresolving", PLAIN, transitions)


def localised() -> Workflow:
    """Return the simple workflow with German names; Jira keeps the first names as untranslated."""
    names = {"To Do": "Zu erledigen", "In Progress": "In Arbeit", "In Review": "In Prüfung", "Done": "Fertig"}
    statuses = [replace(status, name=names[status.name], untranslated=status.name) for status in PLAIN]
    return any_to_any("Einfach", statuses, DONE_RESOLUTION)


def use_workflow(site: Site, project_key: str, workflow: Workflow, *types: str) -> None:
    """Put the types of a project (all, or the named ones) under a workflow; no issue may exist yet."""
    project = _project(site, project_key)
    for id_, setup in project.setups.items():
        if not types or setup.type.name in types:
            project.setups[id_] = replace(setup, workflow=workflow)


def _project(site: Site, key: str) -> Project:
    project = site.project(key)
    if project is None:
        raise LookupError(f"no project {key!r}")
    return project


def without_types(site: Site, project_key: str, *names: str) -> None:
    """Remove issue types from a project."""
    project = _project(site, project_key)
    project.setups = {id_: setup for id_, setup in project.setups.items() if setup.type.name not in names}


def localise(site: Site, project_key: str = "OPS") -> None:
    """Translate the statuses and types of a project into German.

    Jira keeps the first names as untranslated.
    """
    names = {"Incident": "Vorfall", "Bug": "Fehler", "Task": "Aufgabe", "Sub-task": "Unteraufgabe"}
    use_workflow(site, project_key, localised())
    project = _project(site, project_key)
    for id_, setup in project.setups.items():
        local = names.get(setup.type.name, setup.type.name)
        kind = replace(setup.type, name=local, untranslated=setup.type.name)
        project.setups[id_] = replace(setup, type=kind)


def without_fields(site: Site, project_key: str, *names: str) -> None:
    """Remove fields from every screen of a project."""
    project = _project(site, project_key)
    for id_, setup in project.setups.items():
        project.setups[id_] = replace(
            setup, screen=setup.screen - set(names), required=setup.required - set(names)
        )


def priority_scheme(site: Site, project_key: str, *names: str) -> None:
    """Give a project its own priorities, the default one first."""
    ids = {priority.name: priority.id for priority in site.priorities.values()}
    _project(site, project_key).priorities = tuple(ids[name] for name in names)


def add_field(site: Site, project_key: str, field: FieldDef) -> None:
    """Add a field to the site and to every screen of a project."""
    site.fields[field.id] = field
    project = _project(site, project_key)
    for id_, setup in project.setups.items():
        project.setups[id_] = replace(setup, screen=setup.screen | {field.id})


def validate(site: Site, project_key: str, *names: str) -> None:
    """Let a validator of every create in a project demand fields; no screen tells of it."""
    project = _project(site, project_key)
    for id_, setup in project.setups.items():
        project.setups[id_] = replace(setup, validated=setup.validated | set(names))


def require(site: Site, project_key: str, *names: str) -> None:
    """Put fields on every screen of a project and make them compulsory."""
    project = _project(site, project_key)
    for id_, setup in project.setups.items():
        project.setups[id_] = replace(
            setup, screen=setup.screen | set(names), required=setup.required | set(names)
        )


def team_managed(site: Site, project_key: str = "OPS") -> None:
    """Make a project team-managed: it has no components, priorities or security levels."""
    project = _project(site, project_key)
    # Jira calls a team-managed project "simplified" in its API.
    project.simplified = True
    project.components.clear()
    project.levels.clear()
    without_fields(site, project_key, "components", "priority", "security")


def service_desk(site: Site, project_key: str = "OPS") -> None:
    """Make a project a service project: customers see a comment unless it is marked internal."""
    _project(site, project_key).kind = "service_desk"


def data_center(world: "World") -> None:
    """Turn a world's Jira into Data Center: users by name, a bearer token, no bulk fetch, the old search."""
    site = world.jira.site
    site.edition = "server"
    # Data Center knows a personal access token by itself, without an address beside it.
    site.tokens = {("", token): account for (_, token), account in site.tokens.items()}
    for person in site.people.values():
        # Data Center names people by user name; Cloud people have none yet.
        person.username = person.username or person.email.partition("@")[0]
