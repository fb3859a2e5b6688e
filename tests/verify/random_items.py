"""Random action items: how they became one, who owned them when, their dates and their ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from syncd.domain.duty import DutyKind, Waiver
from syncd.verify.facts import ItemFacts
from verify.dice import Dice, as_recorded, waivers
from verify.verify_cast import DONE, MACHINES, OPEN, SYNCD, Acts, account, at, item

POSTMORTEM_KEY, TICKET_KEY = "OPS-800", "OPS-700"


@dataclass(frozen=True)
class PlayedItem:
    """An item, how the daemon found it (`source`), and when Jira hid it from syncd, if it did."""

    facts: ItemFacts
    source: str
    hidden: tuple[datetime, datetime | None] | None = None
    waivers: list[Waiver] = field(default_factory=list)


def random_item(dice: Dice, base: float, number: int) -> PlayedItem:
    """Return the item with this number, of an incident that was first resolved at `base`."""
    ident = f"90{number}"
    created = base + dice.hours(-1, 200)
    source, became, acts = _becoming(dice, created)
    runbook = source == "made" and dice.hit(0.5, "runbook item")
    acts += _owners(dice, created, became) + _dates(dice, created, became)
    acts += _ends(dice, became, runbook=runbook)
    hidden = _hidden(dice, became) if dice.hit(0.12) else None
    owner = dice.person(created) if source == "made" and not runbook else None
    acts = as_recorded(acts, dice.away, owner)
    if hidden is not None and hidden[1] is None:
        # what nobody can read any more was recorded before
        acts = [act for act in acts if act[0] <= hidden[0]]
    more: dict[str, object] = {"runbook": runbook}
    if source == "made":
        by = SYNCD
        if not runbook:
            more |= {"named_by": account("ines"), "assignee": owner}
            dice.seen["item from a row of the table"] += 1
    else:
        by = dice.person(created)
    if hidden is not None and hidden[1] is None:
        more["hidden_since"] = at(hidden[0])
    facts = item(acts, created, by=by, became=became, id=ident, **more)
    given = []
    if dice.hit(0.2, "item's duty waived"):
        given = waivers(dice, became, became + 400, (DutyKind.OWNED, DutyKind.DONE, DutyKind.DONE), ident)
    times = (at(hidden[0]), at(hidden[1]) if hidden[1] is not None else None) if hidden else None
    return PlayedItem(facts, source, times, given)


def _becoming(dice: Dice, created: float) -> tuple[str, float, Acts]:
    """Return how an issue became an action item, when, and the acts that made it one."""
    kind = dice.random.choice(["sub-task", "linked", "of the ticket", "made", "made"])
    if kind == "sub-task":
        dice.seen["sub-task of the postmortem"] += 1
        return "sub-task of the postmortem", created, []
    if kind == "of the ticket":
        dice.seen["sub-task of the ticket"] += 1
        return "sub-task of the ticket", created, []
    if kind == "made":
        return "made", created, []
    dice.seen["link and label later"] += 1
    linked, labelled = created + dice.hours(0.2, 40), created + dice.hours(0.2, 60)
    by = dice.person(max(linked, labelled))
    acts: Acts = [(linked, by, "Link", POSTMORTEM_KEY), (labelled, by, "labels", "+action-item")]
    return "linked to the postmortem", max(linked, labelled), acts


def _owners(dice: Dice, created: float, became: float) -> Acts:
    acts: Acts = []
    if dice.hit(0.35, "item owned by rule"):
        acts.append((became + dice.hours(0.1, 60), SYNCD, "assignee", dice.person()))
        if dice.hit(0.5, "item owned by rule and touched"):
            when, owner = acts[0][0] + dice.hours(0.5, 60), str(acts[0][3])
            acts.append((when, owner, "comment", "mine"))
    if dice.hit(0.1, "item owned by a robot's choice"):
        acts.append((became + dice.hours(0.1, 60), dice.machine(), "assignee", dice.person()))
    for place in range(dice.random.choice([0, 1, 1, 2])):
        when = max(created + 0.01, became + dice.hours(-0.9, 60))
        acts.append((when, dice.person(when), "assignee", dice.person(when)))
        dice.seen["item owned by a person"] += 1
        dice.seen["item reassigned"] += place
    if dice.hit(0.2, "item's owner removed"):
        when = became + dice.hours(1, 200)
        acts.append((when, dice.person(when), "assignee", None))
        if dice.hit(0.4, "short gap without an owner"):
            acts.append((when + dice.hours(0.05, 2), dice.person(when), "assignee", dice.person(when)))
    return acts


def _dates(dice: Dice, created: float, became: float) -> Acts:
    acts: Acts = []
    for place in range(dice.random.choice([0, 0, 1, 1, 2, 4])):
        when = max(created + 0.01, became + dice.hours(-0.5, 300))
        removed = dice.hit(0.1, "item's date removed")
        acts.append((when, dice.person(when), "duedate", None if removed else dice.day(when, 1, 40)))
        dice.seen["item's date set"] += 1
        dice.seen["item's date moved"] += place > 0
    return acts


def _ends(dice: Dice, became: float, *, runbook: bool) -> Acts:
    acts: Acts = []
    when = became + dice.hours(2, 900)
    for _ in range(2):
        if not dice.hit(0.6):
            break
        dice.seen["item done"] += 1
        by = dice.machine() if dice.hit(0.15, "item closed by a robot") else dice.person(when)
        if runbook and dice.hit(0.8, "runbook item closed with a link"):
            acts.append((when - 0.1, dice.person(when), "comment", "https://wiki.example/kb"))
        acts.append((when, by, "status", DONE))
        if by in MACHINES and dice.hit(0.5, "robot's close confirmed by a person"):
            acts.append((when + 1, dice.person(when), "comment", "right"))
        if not dice.hit(0.35, "item opened again"):
            break
        when += dice.hours(0.2, 80)
        acts.append((when, dice.person(when), "status", OPEN))
        when += dice.hours(0.5, 200)
    if dice.hit(0.15, "won't do"):
        when = became + dice.hours(5, 300)
        acts.append((when, dice.person(when), "labels", "+wont-do"))
        if dice.hit(0.7, "won't do with a reason"):
            acts.append((when + dice.hours(-20, 30), dice.person(when), "comment", "no"))
        if dice.hit(0.6, "won't do taken back"):
            acts.append((when + dice.hours(1, 90), dice.person(when), "labels", "-wont-do"))
    return acts


def _hidden(dice: Dice, became: float) -> tuple[float, float | None]:
    since = became + dice.hours(2, 400)
    if dice.hit(0.5, "item out of sight for a while"):
        return since, since + dice.hours(2, 300)
    dice.seen["item deleted"] += 1
    return since, None
