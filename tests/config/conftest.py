"""What the tests of the configuration share: a clean environment, a folder of mappings, templates."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.config.templates.templates import Templates

sys.path.insert(0, str(Path(__file__).parents[1] / "domain"))

SMALL = """\
syncd: 1
team: Payments
enforce_from: 2026-12-01
jira:
  project: OPS
services:
  Payments: {}
"""


@pytest.fixture(autouse=True)
def _nobody_has_set_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("SYNCD_") or name in ("STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def small() -> str:
    """The smallest mapping."""
    return SMALL


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes mappings into a folder: `folder(a="...", b="...")`."""

    def write(**files: str) -> Path:
        made = tmp_path / "mappings"
        made.mkdir(exist_ok=True)
        for name, text in files.items():
            (made / f"{name}.yaml").write_text(text, encoding="utf-8")
        return made

    return write


@pytest.fixture(scope="session")
def templates() -> Templates:
    """The shipped templates."""
    return Templates()
