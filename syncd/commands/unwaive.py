"""`syncd unwaive`; see `syncd.commands.waive`."""

from syncd.commands.waive import unwaive as command

__all__ = ["command"]
