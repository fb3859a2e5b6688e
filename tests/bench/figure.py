"""One measured figure beside its target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure, its target (0: none) and its unit. Less is better."""

    name: str
    measured: float
    target: float
    unit: str

    @property
    def ratio(self) -> float | None:
        """Return the measured figure as a share of the target, or None without a target."""
        return self.measured / self.target if self.target else None
