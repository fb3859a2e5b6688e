"""The scenarios by name, each played in a folder of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cheap_ledgers import memory

from golden.lives import CASTS, play_life
from golden.seams import play_seed
from golden.story import play_story
from golden.trace import Trace

SEEDS = range(1, 101)

Play = Callable[[Trace, Path], None]


def _lives() -> dict[str, Play]:
    editions = (("cloud", False), ("datacenter", True))
    return {
        f"life-{name}-{edition}": partial(play_life, name, data_center=server)
        for name in CASTS
        for edition, server in editions
    }


SCENARIOS: dict[str, Play] = {"story": play_story, **_lives()}


def trace_of(play: Play) -> str:
    """Play a scenario and return its trace."""
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        trace = Trace()
        play(trace, Path(folder) / "state")
        return trace.text()


def trace_of_seed(seed: int) -> str:
    """Play a seed and return its trace."""
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        trace = Trace()
        play_seed(seed, trace, Path(folder))
        return trace.text()
