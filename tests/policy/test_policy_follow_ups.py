"""The two duties of an action item, its ends and its violations, to the second."""

from __future__ import annotations
