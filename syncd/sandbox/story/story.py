"""Stories: what people and monitoring do, second by second, played on a world in sandbox time.

A story acts on PagerDuty and Jira only as people would. A step that needs a ticket which does not exist
(syncd did not create it, or not yet) is skipped and remembered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.world import World


class NoTicket(LookupError):
    """A step needs the ticket of an incident that has none."""


@dataclass
class Scene:
    """The steps of a story share this: the world, and the ids of incidents by their names in the story."""

    world: World
    incidents: dict[str, str] = field(default_factory=dict)

    def ticket(self, name: str) -> str:
        """Return the key of an incident's ticket, found by its label `pd-<incident id>`. Raise NoTicket."""
        label = f"pd-{self.incidents[name].lower()}"
        with self.world.jira.lock:
            for issue in self.world.jira.site.issues.values():
                labels = [text.lower() for text in issue.now.values.get("labels") or ()]
                # By label, as a person finds it: the story must not depend on syncd's mark.
                if label in labels and issue.deleted_at is None:
                    return issue.key
        raise NoTicket(name)


@dataclass(frozen=True)
class Step:
    """An act that happens `at` seconds after the story began; `says` describes it."""

    at: float
    says: str
    act: Callable[[Scene], object]


class Story:
    """A story while it is played on a world."""

    def __init__(self, world: World, steps: Sequence[Step]) -> None:
        """Begin now, in sandbox time."""
        self.scene = Scene(world)
        self.began: datetime = world.clock()
        self.played: list[Step] = []
        self.passed_over: list[Step] = []
        self._steps_left = sorted(steps, key=lambda step: step.at)

    @property
    def next_at(self) -> float | None:
        """Return the seconds from the beginning of the story to its next step, or None at the end."""
        return self._steps_left[0].at if self._steps_left else None

    def play_until(self, seconds: float) -> list[Step]:
        """Play all steps up to `seconds`, moving the clock. Raise TypeError if it cannot be moved."""
        clock = self.scene.world.clock
        if not isinstance(clock, SandboxClock):
            raise TypeError("this world's clock is not a SandboxClock; move it where it was made")
        done = []
        while self._steps_left and self._steps_left[0].at <= seconds:
            self._advance_to(clock, self._steps_left[0].at)
            done += self.play_due()
        self._advance_to(clock, seconds)
        self.scene.world.catch_up()
        return done

    def _advance_to(self, clock: SandboxClock, seconds: float) -> None:
        moment = self.began + timedelta(seconds=seconds)
        # The clock may be ahead: an act or a test can have moved it.
        if clock.now() < moment:
            clock.set(moment)

    def play_due(self) -> list[Step]:
        """Play the steps that are due by now, without moving the clock, and return them."""
        passed = (self.scene.world.clock() - self.began).total_seconds()
        done = []
        while self._steps_left and self._steps_left[0].at <= passed:
            step = self._steps_left.pop(0)
            try:
                step.act(self.scene)
            # A story must not fail because syncd created no ticket; the caller decides what it means.
            except NoTicket:
                self.passed_over.append(step)
            else:
                self.played.append(step)
            done.append(step)
        return done


def opens(name: str, service: str, title: str, **more: object) -> Callable[[Scene], object]:
    """Return the act of opening an incident, which the story calls `name`."""

    def act(scene: Scene) -> None:
        incident = scene.world.pagerduty.trigger(service, title, **more)  # type: ignore[arg-type]  # as the act takes them
        scene.incidents[name] = incident.id

    return act


def pagerduty(act: str, name: str, *rest: object, **more: object) -> Callable[[Scene], object]:
    """Return an act on an incident of the story, by the name of the act."""
    return lambda scene: getattr(scene.world.pagerduty, act)(scene.incidents[name], *rest, **more)


def jira(act: str, name: str, *rest: object, **more: object) -> Callable[[Scene], object]:
    """Return an act on the ticket of an incident of the story, by the name of the act."""
    return lambda scene: getattr(scene.world.jira, act)(scene.ticket(name), *rest, **more)


def merges(target: str, source: str, by: str) -> Callable[[Scene], object]:
    """Return the act of merging one incident of the story into another."""
    return lambda scene: scene.world.pagerduty.merge(scene.incidents[target], [scene.incidents[source]], by)


AMARA, JONAS, MEI, PRIYA = "Amara Osei", "Jonas Lindqvist", "Mei Tanaka", "Priya Raman"
INES = "Ines Carvalho"

MORNING = (
    Step(
        0,
        "Alipay callbacks time out",
        opens("alipay", "Alipay Integration", "Alipay callbacks time out", priority="P2"),
    ),
    Step(150, "Amara acknowledges", pagerduty("acknowledge", "alipay", AMARA)),
    Step(
        300,
        "Amara writes a note",
        pagerduty("note", "alipay", "Only the Shanghai route is slow; trying the backup provider.", AMARA),
    ),
    Step(
        600,
        "The settlement queue of BluBank grows",
        opens("blubank", "BluBank Integration", "BluBank queue backlog above threshold", urgency="high"),
    ),
    Step(660, "Alipay is graver than it looked", pagerduty("set_priority", "alipay", "P1", AMARA)),
    Step(
        720,
        "Ines comments on the Alipay ticket",
        jira("comment", "alipay", "Merchant support counts 14 calls so far.", INES),
    ),
    Step(780, "Jonas acknowledges BluBank", pagerduty("acknowledge", "blubank", JONAS)),
    Step(
        900,
        "Jonas says what it is",
        pagerduty("set_title", "blubank", "BluBank settlement runs 40 minutes late", JONAS),
    ),
    Step(960, "Priya takes Alipay over", pagerduty("reassign", "alipay", PRIYA, AMARA)),
    Step(
        1200,
        "Ines notes the root cause on the BluBank ticket",
        jira("edit", "blubank", INES, customfield_10052="Workers stuck on a locked batch"),
    ),
    Step(
        1500,
        "Amara opens an incident by hand",
        opens("web", "Core QRPay Web", "Checkout answers 500 after a scan", priority="P3", by=AMARA),
    ),
    Step(
        1560,
        "Monitoring sees the same",
        opens("web again", "Core QRPay Web", "Error rate of checkout above 5 %", priority="P3"),
    ),
    Step(1680, "Amara merges the two", merges("web", "web again", AMARA)),
    Step(1740, "Amara acknowledges the web incident", pagerduty("acknowledge", "web", AMARA)),
    Step(1800, "Priya resolves Alipay", pagerduty("resolve", "alipay", PRIYA)),
    Step(1980, "It comes back", pagerduty("reopen", "alipay", PRIYA)),
    Step(2040, "Priya acknowledges again", pagerduty("acknowledge", "alipay", PRIYA)),
    Step(
        2400,
        "Priya resolves Alipay for good",
        pagerduty("resolve", "alipay", PRIYA, resolution="Backup provider carries the Shanghai route."),
    ),
    Step(
        2500,
        "A blip at Yoomonea",
        opens("blip", "Yoomonea Service", "Yoomonea CPU above 80 %", urgency="low", priority="P4"),
    ),
    Step(2700, "Monitoring sees it end", pagerduty("resolve", "blip")),
    Step(
        3300,
        "Amara resolves the web incident",
        pagerduty("resolve", "web", AMARA, resolution="Rolled back to the release of Friday."),
    ),
    Step(3600, "Jonas resolves BluBank", pagerduty("resolve", "blubank", JONAS)),
    Step(
        3900,
        "Yoomonea's database times out",
        opens("yoomonea", "Yoomonea Service", "Yoomonea database timeouts", priority="P2"),
    ),
    Step(5100, "Mei acknowledges after the escalation", pagerduty("acknowledge", "yoomonea", MEI)),
    Step(6600, "Mei resolves Yoomonea", pagerduty("resolve", "yoomonea", MEI)),
)
"""A morning at QRPay: six incidents within two hours."""


def morning(world: World) -> Story:
    """Return the default story; it begins now."""
    return Story(world, MORNING)
