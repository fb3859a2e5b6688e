from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loguru import logger
from rig import Rig

from engine.mail_rig import MakeRig, mailing
from engine.restricted_cast import careful_rigs


@pytest.fixture
def errors() -> list[str]:
    """Return the errors that are logged, as they come."""
    lines: list[str] = []
    logger.add(lambda message: lines.append(message.record["message"]), level="ERROR")
    return lines


@pytest.fixture
def post(make_rig: MakeRig) -> Rig:
    """Return a rig with a mail server, after a first quiet cycle."""
    made = make_rig(mappings=(mailing(),), mail=True)
    made.cycle()
    return made


@pytest.fixture
def careful(make_rig: Any) -> Callable[..., Rig]:
    """Return a function that starts rigs with rules for restricted incidents."""
    return careful_rigs(make_rig)
