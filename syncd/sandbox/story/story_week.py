"""The days after the day: what people do, and forget, about postmortems and follow-ups.

One postmortem is scheduled in time and one is forgotten. One ticket is closed too early, and closed again
against the gate. One action item has no owner, the owner of another leaves the company, and a third exists
only as a row of a table. The leak is filed with the regulator. In the second week the runbook is reviewed,
and somebody schedules the postmortem that was waived.
"""

from collections.abc import Callable

from syncd.sandbox.jira.model import Issue
from syncd.sandbox.story.story import AMARA, INES, MEI, MORNING, PRIYA, NoTicket, Scene, Step, Story, jira
from syncd.sandbox.story.story_day import DIEGO, EVENING, NOOR, SPOKEN
from syncd.sandbox.world import World

HOUR, DAY = 3600.0, 86400.0
FARID = "Farid Rahimi"

ROW = "|Alert on the age of the callback queue|Priya Raman|2026-11-30|"


def postmortem_of(scene: Scene, name: str) -> Issue:
    """Return the postmortem of an incident of the story. Raise NoTicket."""
    incident = f"pd-{scene.incidents[name].lower()}"
    with scene.world.jira.lock:
        for issue in scene.world.jira.site.issues.values():
            labels = {str(label).lower() for label in issue.now.values.get("labels") or ()}
            if {incident, "syncd-postmortem"} <= labels and issue.deleted_at is None:
                return issue
    raise NoTicket(name)


def on_postmortem(act: str, name: str, *rest: object, **more: object) -> Callable[[Scene], object]:
    """Return an act on the postmortem of an incident of the story, by the name of the act."""
    return lambda scene: getattr(scene.world.jira, act)(postmortem_of(scene, name).key, *rest, **more)


def sub_task(name: str, summary: str, by: str, owner: str | None) -> Callable[[Scene], object]:
    """Return the act of creating a sub-task of a postmortem, with or without an owner."""

    def act(scene: Scene) -> None:
        parent = postmortem_of(scene, name)
        item = scene.world.jira.create(by, summary, type="Sub-task", parent={"id": parent.id})
        if owner is not None:
            scene.world.jira.assign(item.key, owner, by)

    return act


def adds_row(name: str, row: str, by: str) -> Callable[[Scene], object]:
    """Return the act of writing a row under the header of a postmortem's table of follow-ups."""

    def act(scene: Scene) -> None:
        issue = postmortem_of(scene, name)
        lines = str(issue.now.values.get("description") or "").split("\n")
        header = next((place for place, line in enumerate(lines) if line.startswith("||")), None)
        if header is None:
            lines += ["||Task||Owner||Due||", row]
        else:
            lines.insert(header + 1, row)
        scene.world.jira.edit(issue.key, by, description="\n".join(lines))

    return act


def holds_review(by: str) -> Callable[[Scene], object]:
    """Return the act of closing the review of a document that grave incidents ask for."""

    def act(scene: Scene) -> None:
        with scene.world.jira.lock:
            issues = [*scene.world.jira.site.issues.values()]
        reviews = [issue for issue in issues if "syncd-recurring" in (issue.now.values.get("labels") or ())]
        if not reviews:
            raise NoTicket("review")
        scene.world.jira.transition(reviews[0].key, "Done", by)

    return act


def leaves(person: str) -> Callable[[Scene], object]:
    """Return the act of leaving the company: the account of the person is closed."""

    def act(scene: Scene) -> None:
        with scene.world.jira.lock:
            site = scene.world.jira.site
            site.people[scene.world.jira.account_id(person)].active = False

    return act


WEEK = (
    Step(
        3 * HOUR,
        "Mei makes an action item for nobody",
        sub_task("alipay", "Document the switch to the backup provider", MEI, None),
    ),
    Step(
        3.2 * HOUR,
        "Amara makes one for Farid",
        sub_task("alipay", "Rehearse the switch every quarter", AMARA, FARID),
    ),
    Step(4 * HOUR, "Amara closes the web ticket too early", jira("transition", "web", "Done", AMARA)),
    Step(5 * HOUR, "It came back, and Amara closes it again", jira("transition", "web", "Done", AMARA)),
    Step(
        25 * HOUR,
        "Diego sets a review's date",
        on_postmortem("edit", "dispatch", DIEGO, duedate="2026-11-20"),
    ),
    Step(25.2 * HOUR, "And another's", on_postmortem("edit", "eta", DIEGO, duedate="2026-11-20")),
    Step(25.4 * HOUR, "And a third's", on_postmortem("edit", "dlq", DIEGO, duedate="2026-11-23")),
    Step(25.6 * HOUR, "Noor sets hers", on_postmortem("edit", "pii", NOOR, duedate="2026-11-19")),
    Step(
        26 * HOUR,
        "Priya sets the review's date",
        on_postmortem("edit", "alipay", PRIYA, duedate="2026-11-19"),
    ),
    Step(26.5 * HOUR, "Amara sets hers", on_postmortem("edit", "web", AMARA, duedate="2026-11-18")),
    Step(27 * HOUR, "Priya writes down a follow-up", adds_row("alipay", ROW, PRIYA)),
    Step(
        28 * HOUR,
        "Ines comments on the postmortem",
        on_postmortem("comment", "alipay", "Merchants were told on Monday.", INES),
    ),
    Step(
        40 * HOUR,
        "Noor files the leak with the regulator",
        jira("comment", "pii", "filed-gdpr: IC-2026-118", NOOR),
    ),
    Step(50 * HOUR, "Farid leaves the company", leaves(FARID)),
    Step(
        75 * HOUR, "The postmortem is held and closed", on_postmortem("transition", "alipay", "Done", PRIYA)
    ),
    Step(
        8 * DAY + 3 * HOUR,
        "Mei sets the date of the postmortem that was waived",
        on_postmortem("edit", "yoomonea", MEI, duedate="2026-11-27"),
    ),
    Step(9 * DAY + 4 * HOUR, "Priya has reviewed the runbook", holds_review(PRIYA)),
)
"""The steps from Monday noon on."""


def week(world: World) -> Story:
    """Return the day of both companies and the two weeks after it; the story begins now."""
    return Story(world, (*MORNING, *EVENING, *SPOKEN, *WEEK))
