"""Count what Jira refused along a route of the workflow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Trail:
    """What happened to a ticket since it last arrived where it should: steps taken, refusals, last words.

    `goal` says where it should be; another goal begins another trail.
    """

    goal: str
    hops: int = 0
    refusals: int = 0
    words: str = ""
