"""Workflows as data: statuses, the ways between them, and what a way asks for and does to the resolution.

Transition ids are only unique within a workflow and differ from status to status, as on real sites; whoever
matches on them instead of on where they lead is found out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Category = Literal["new", "indeterminate", "done"]


@dataclass(frozen=True)
class Status:
    """A status: `name` as the site's language has it, `untranslated` as it was created."""

    id: str
    name: str
    category: Category
    untranslated: str = ""


@dataclass(frozen=True)
class Transition:
    """A way to status `to` from `sources` (None: from anywhere), with the fields of its `screen`.

    `resolution` is the resolution id that the way sets by itself, "" clears it, None leaves it alone.
    """

    id: str
    name: str
    to: str
    sources: frozenset[str] | None = None
    screen: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()
    resolution: str | None = None


@dataclass(frozen=True)
class Workflow:
    """Statuses (the first is where issues begin) and transitions."""

    name: str
    statuses: tuple[Status, ...]
    transitions: tuple[Transition, ...]

    @property
    def initial(self) -> Status:
        """The status of a new issue."""
        return self.statuses[0]

    def status(self, name: str) -> Status:
        """Return a status by id, name or untranslated name. Raise LookupError if there is none."""
        for one in self.statuses:
            if name in (one.id, one.name, one.untranslated):
                return one
        raise LookupError(f"no status {name!r} in workflow {self.name!r}")

    def ways(self, status_id: str) -> list[Transition]:
        """Return the transitions that leave a status, without those that lead back to it."""
        return [
            one
            for one in self.transitions
            if one.to != status_id and (one.sources is None or status_id in one.sources)
        ]


def any_to_any(name: str, statuses: Sequence[Status], done: str = "10000") -> Workflow:
    """Return a workflow in which every status leads to every other, each by an id of its own.

    Entering a status of category done sets the resolution `done`, leaving it clears the resolution.
    """
    ways = []
    for row, source in enumerate(statuses, 1):
        for column, target in enumerate(statuses, 1):
            if source is target:
                continue
            ends, ended = target.category == "done", source.category == "done"
            resolution = done if ends and not ended else "" if ended and not ends else None
            ways.append(
                Transition(
                    f"{row}{column}", target.name, target.id, frozenset({source.id}), resolution=resolution
                )
            )
    return Workflow(name, tuple(statuses), tuple(ways))
