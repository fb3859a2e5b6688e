"""A rig with the shipped templates and postmortems switched on, and what tests of postmortems ask it."""

from __future__ import annotations

from typing import Any

from rig import Rig, mapping

from syncd.config.templates.templates import Templates
from syncd.engine.rules import TicketRenderer
from syncd.sandbox import dump
from syncd.sandbox.cast import BOT_EMAIL

ME = "Amara Osei"
ALIPAY, BLUBANK = "Alipay Integration", "BluBank Integration"
COMMANDERS = "QRPay incident commanders"
HALF_AN_HOUR = 1830.0

SERVICES = {
    ALIPAY: {"component": ALIPAY, "owner": "mei.tanaka@qrpay.example"},
    BLUBANK: {"component": BLUBANK, "owner": "tomasz.wojcik@qrpay.example"},
    "Core QRPay Web": {},
}


def team(**changes: Any) -> Any:
    """QRPay's mapping with postmortems switched on."""
    postmortem = {"mode": "enforce", "template": "qrpay/postmortem.j2", **changes.pop("postmortem", {})}
    return (mapping(**{"services": SERVICES, "postmortem": postmortem, **changes}),)


def on(make_rig: Any, preset: Any = None, **changes: Any) -> Rig:
    """A rig with the shipped templates, after its first quiet cycle."""
    options = {"preset": preset, "sender": BOT_EMAIL} if preset else {"sender": BOT_EMAIL}
    rig: Rig = make_rig(mappings=team(**changes), renderer=TicketRenderer(Templates()), **options)
    rig.cycle()
    return rig


def postmortems(rig: Rig) -> list[dict[str, Any]]:
    issues = dump.whole(rig.world)["jira"]["issues"]
    return [issue for issue in issues if issue["fields"]["summary"].startswith("Postmortem")]


def postmortem(rig: Rig) -> dict[str, Any]:
    (made,) = postmortems(rig)
    return made


def text(rig: Rig) -> str:
    return str(postmortem(rig)["fields"]["description"])


def live(rig: Rig, service: str = ALIPAY, priority: str = "P2", **more: Any) -> Any:
    """An incident that was acknowledged, talked about and resolved just now."""
    people = rig.world.pagerduty
    made = people.trigger(service, more.pop("title", "Latency above 2 s"), priority=priority, **more)
    rig.cycle()
    people.acknowledge(made.id, ME)
    people.note(made.id, "Traffic goes to the backup provider.", ME)
    rig.settle(2)
    people.resolve(made.id, ME)
    rig.settle(2)
    return made


def later(rig: Rig, seconds: float = HALF_AN_HOUR) -> None:
    rig.cycle(seconds)
    rig.settle(2)


def owner(rig: Rig) -> Any:
    assignee = postmortem(rig)["fields"]["assignee"]
    return assignee and assignee["displayName"]
