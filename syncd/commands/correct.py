"""`syncd correct`; see `syncd.commands.waive`."""

from syncd.commands.waive import correct as command

__all__ = ["command"]
