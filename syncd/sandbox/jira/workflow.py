"""Workflows as data: statuses, the transitions between them, and what a transition asks and sets.

As on real sites, the id of a transition is unique only within its workflow and differs from status to status.
A client that matches by transition id instead of by target status fails here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Category = Literal["new", "indeterminate", "done"]


@dataclass(frozen=True)
class Status:
    """A status: `name` in the site's language, `untranslated` as it was created."""

    id: str
    name: str
    category: Category
    untranslated: str = ""


@dataclass(frozen=True)
class Transition:
    """A transition to status `to` from `sources` (None: from every status), with the fields of its `screen`.

    `resolution` is the id that the transition sets by itself; "" clears the resolution, None leaves it alone.
    `validated` are fields that a validator demands: the screen does not tell that they are compulsory.
    """

    id: str
    name: str
    to: str
    sources: frozenset[str] | None = None
    screen: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()
    validated: frozenset[str] = frozenset()
    resolution: str | None = None


@dataclass(frozen=True)
class Workflow:
    """Statuses (issues begin in the first) and transitions."""

    name: str
    statuses: tuple[Status, ...]
    transitions: tuple[Transition, ...]

    @property
    def initial(self) -> Status:
        """Return the status of a new issue."""
        return self.statuses[0]

    def status(self, name: str) -> Status:
        """Return a status by id, name or untranslated name. Raise LookupError if there is none."""
        for status in self.statuses:
            if name in (status.id, status.name, status.untranslated):
                return status
        raise LookupError(f"no status {name!r} in workflow {self.name!r}")

    def ways(self, status_id: str) -> list[Transition]:
        """Return the transitions out of a status, without those that lead back to it."""
        return [
            transition
            for transition in self.transitions
            if transition.to != status_id and (transition.sources is None or status_id in transition.sources)
        ]


def any_to_any(name: str, statuses: Sequence[Status], done: str = "10000") -> Workflow:
    """Return a workflow in which every status leads to every other, each by a transition id of its own.

    Entering a status of category done sets the resolution `done`; leaving it clears the resolution.
    """
    transitions = []
    for row, source in enumerate(statuses, 1):
        for column, target in enumerate(statuses, 1):
            if source is target:
                continue
            ends, ended = target.category == "done", source.category == "done"
            # Only a move into or out of the category done touches the resolution.
            resolution = done if ends and not ended else "" if ended and not ends else None
            transitions.append(
                Transition(
                    f"{row}{column}", target.name, target.id, frozenset({source.id}), resolution=resolution
                )
            )
    return Workflow(name, tuple(statuses), tuple(transitions))
