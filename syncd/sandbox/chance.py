"""Seeded random numbers. Each purpose has its own stream: drawing a fault does not change the next id."""

import random
import string

BASE36 = string.digits + string.ascii_uppercase


def stream(seed: int, purpose: str) -> random.Random:
    """Return the stream of pseudo-random numbers for one purpose under one seed."""
    return random.Random(f"{seed}:{purpose}")  # noqa: S311 - repeatable on purpose, guards nothing


def code(rng: random.Random, first: str, length: int) -> str:
    """Return an id of `length` capital letters and digits that begins with `first`."""
    return first + "".join(rng.choices(BASE36, k=length - len(first)))
