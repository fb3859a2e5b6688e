"""The memory of a process that runs for months: what its start loads is not searched again and again."""

from __future__ import annotations

import gc
import weakref

from syncd.engine.runtime.memory import keep_for_good


class _Cycle:
    def __init__(self) -> None:
        self.itself = self


def _is_searched(wanted: object) -> bool:
    return any(living is wanted for living in gc.get_objects())


def test_what_lives_is_exempt_from_the_search_for_garbage_and_garbage_is_gone() -> None:
    kept, garbage = _Cycle(), weakref.ref(_Cycle())
    assert _is_searched(kept)
    try:
        keep_for_good(clean_up=True)
        assert garbage() is None
        assert not _is_searched(kept)
    finally:
        gc.unfreeze()
