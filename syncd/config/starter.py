"""A first mapping: what `syncd init` writes, short enough to be read before anything is switched on."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date
from typing import Literal

from syncd.config.shipped import shipped
from syncd.domain.text import one_line

EXAMPLES = ("qrpay", "ramen")

_PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9 _.()/-]*[A-Za-z0-9)]|[A-Za-z]")
_OTHER_THAN_TEXT = ("true", "false", "null")
_ENFORCE_FROM = re.compile(r"^enforce_from: .*$", re.MULTILINE)
_SERVICES_TO_SHOW = 5


def starter_mapping(
    team: str,
    project: str,
    services: Sequence[str],
    enforce_from: date,
    mode: Literal["report", "enforce"] = "report",
) -> str:
    """A mapping of at most 15 lines that loads as it stands.

    More than five services are written on one line. Raises `ValueError` without any.
    """
    if not services:
        raise ValueError("a mapping needs at least one service")
    names = [_scalar(name) for name in services]
    if len(names) > _SERVICES_TO_SHOW:
        lines = ["services: {" + ", ".join(f"{_scalar(name, flow=True)}: {{}}" for name in services) + "}"]
    else:
        lines = ["services:", *(f"  {name}: {{}}" for name in names)]
    return "\n".join(
        [
            "syncd: 1",
            f"team: {_scalar(team)}",
            f"enforce_from: {enforce_from.isoformat()}  # what was resolved before is left in peace",
            "jira:",
            f"  project: {_scalar(project)}",
            *lines,
            "closing:",
            f"  mode: {mode}  # enforce: tickets that owe nothing close by themselves",
            "",
        ]
    )


def example_mapping(name: str, enforce_from: date) -> str:
    """A shipped mapping, `qrpay` or `ramen`, with this date; raises `ValueError` for another name."""
    if name not in EXAMPLES:
        raise ValueError(f"no example {name}; there are {' and '.join(EXAMPLES)}")
    text = (shipped("mappings") / f"{name}.yaml").read_text(encoding="utf-8")
    return _ENFORCE_FROM.sub(f"enforce_from: {enforce_from.isoformat()}", text, count=1)


def _scalar(text: str, flow: bool = False) -> str:
    """A text as a YAML scalar, quoted where it would mean something else or might."""
    plain = _PLAIN_WORD.fullmatch(text) and text.casefold() not in _OTHER_THAN_TEXT and not flow
    return text if plain else json.dumps(one_line(text), ensure_ascii=False)
