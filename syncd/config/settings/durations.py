"""Lengths of time as people write them: `90s`, `30m`, `12h`, `14d`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"\s*(\d{1,6})\s*([smhdw])\s*")


def duration(text: str) -> timedelta:
    """Given a number and one of the units s, m, h, d, w, return the length; raises `ValueError` else."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("not a length of time such as 90s, 30m, 12h, 14d or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
