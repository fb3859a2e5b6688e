"""`syncd resume`, the other half of `syncd pause`."""

from __future__ import annotations

from syncd.commands.pause import resume as command

__all__ = ["command"]
