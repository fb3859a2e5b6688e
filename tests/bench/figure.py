"""One measured figure beside its physical limit and its goal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured figure in its unit. Less is better; None where there is no goal or no limit.

    `details` go into the JSON file alone, and `notes` are printed below the table.
    """

    name: str
    measured: float
    unit: str
    goal: float | None = None
    limit: float | None = None
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Return the measured figure as a share of the goal (1 or less: met), or None without a goal."""
        return self.measured / self.goal if self.goal else None


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share (0 to 1) of the values do not exceed.

    Raise ValueError without values.
    """
    if not values:
        raise ValueError("no value was measured")
    place = math.ceil(share * len(values) - 1e-9)
    return sorted(values)[max(0, place - 1)]
