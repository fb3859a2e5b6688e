"""A day of both companies: the morning at QRPay, and six incidents at Ramen during the same time.

Jira has a part in it, too: its administrator takes a field off a screen for a while, and a validator refuses
one title.
"""

from collections.abc import Callable

from syncd.sandbox import faults
from syncd.sandbox.story.story import INES, MORNING, PRIYA, Scene, Step, Story, jira, opens, pagerduty
from syncd.sandbox.world import World

DIEGO, HANNAH, SAMUEL, NOOR = "Diego Fuentes", "Hannah Weiss", "Samuel Adeyemi", "Noor Haddad"

OFF_SCREEN = "Field 'components' cannot be set. It is not on the appropriate screen, or unknown."
NOT_NOW = "The validator of this workflow does not take the title at the moment."


def _jira_refuses(title: str, field: str, words: str) -> Callable[[Scene], object]:
    """Return the act that lets Jira refuse the next create with `title`, because of one field."""

    def act(scene: Scene) -> None:
        # Jira's answer names the refused field, and nothing is created.
        refusal = faults.error(400, body={"errorMessages": [], "errors": {field: words}})
        scene.world.faults.add(refusal, service="jira", method="POST", path=r"/issue$", body=title, times=1)

    return act


EVENING = (
    Step(
        200,
        "The delivery provider fails",
        opens("dispatch", "Dispatch", "Provider API answers 5xx", priority="P2"),
    ),
    Step(320, "Diego acknowledges", pagerduty("acknowledge", "dispatch", DIEGO)),
    Step(500, "Orders cannot be sent out at all", pagerduty("set_priority", "dispatch", "P1", DIEGO)),
    Step(
        640,
        "ETAs drift",
        opens("eta", "ETA", "ETA drift: p90 error 9 min for 30 min", priority="P3"),
    ),
    Step(760, "Hannah takes it; she has no Jira account", pagerduty("reassign", "eta", HANNAH, DIEGO)),
    Step(880, "Hannah acknowledges", pagerduty("acknowledge", "eta", HANNAH)),
    Step(
        1000,
        "Somebody's data leaked",
        opens("pii", "Ordering API", "Security: personal data of 212 guests leaked", priority="P1"),
    ),
    Step(1060, "Noor acknowledges", pagerduty("acknowledge", "pii", NOOR)),
    Step(
        1150,
        "Noor writes what is known",
        pagerduty("note", "pii", "Export of guest addresses was public for an hour.", NOOR),
    ),
    Step(
        1290,
        "Jira's admin takes components off the screen",
        _jira_refuses("Refund rate", "components", OFF_SCREEN),
    ),
    Step(
        1320,
        "Refunds rise",
        opens("refunds", "Payments", "Refund rate above 6 % of GMV", priority="P3"),
    ),
    Step(1590, "A validator in Jira refuses a title", _jira_refuses("DLQ holds", "summary", NOT_NOW)),
    Step(
        1620,
        "The dead letter queue grows",
        opens("dlq", "Webhooks", "DLQ holds 61 events", priority="P2"),
    ),
    Step(1800, "Diego acknowledges", pagerduty("acknowledge", "dlq", DIEGO)),
    Step(
        2200,
        "One restaurant's portal is down",
        opens("portal", "Restaurant Portal", "Portal of restaurant 4711 is down", urgency="low"),
    ),
    Step(2600, "Diego resolves dispatch", pagerduty("resolve", "dispatch", DIEGO)),
    Step(2900, "Hannah resolves the portal", pagerduty("resolve", "portal", HANNAH)),
    Step(3400, "Samuel resolves the refunds", pagerduty("resolve", "refunds", SAMUEL)),
    Step(3700, "Diego resolves the queue", pagerduty("resolve", "dlq", DIEGO)),
    Step(4200, "Hannah resolves the drift", pagerduty("resolve", "eta", HANNAH)),
    Step(5600, "Noor resolves the leak", pagerduty("resolve", "pii", NOOR)),
)
"""Six incidents at Ramen: one rises in severity, one is restricted, Jira refuses a field, one is parked."""

SPOKEN = (
    Step(
        1000,
        "Priya names who speaks for the team",
        pagerduty("note", "alipay", "communications lead: Ines Carvalho", PRIYA),
    ),
    Step(1040, "Ines says that customers are affected", jira("comment", "alipay", "impact: customers", INES)),
    Step(
        1080,
        "Priya tells how it stands",
        pagerduty("note", "alipay", "update: Payments by Alipay fail in Shanghai alone.", PRIYA),
    ),
    Step(
        2300,
        "And what helps",
        pagerduty("note", "alipay", "mitigation: The backup provider carries the Shanghai route.", PRIYA),
    ),
)
"""Lines of people that begin with a keyword: a role, the impact, an update and a mitigation."""


def day(world: World) -> Story:
    """Return the story of both companies; it begins now."""
    return Story(world, (*MORNING, *EVENING, *SPOKEN))
