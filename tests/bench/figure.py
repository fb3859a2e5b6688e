"""One measured figure beside its target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure, its target (0: none) and its unit; less is better."""

    name: str
    measured: float
    target: float
    unit: str

    @property
    def ratio(self) -> float | None:
        """Measured as a share of the target."""
        return self.measured / self.target if self.target else None
