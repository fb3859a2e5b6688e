"""The README cannot fall behind: every command, setting and test that it should name, it names."""

from __future__ import annotations

import re
from pathlib import Path

from syncd.cli import COMMANDS
from syncd.config.settings.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_names_every_command() -> None:
    assert [name for name in COMMANDS if f"syncd {name}" not in README and f"`{name}" not in README] == []


def test_the_readme_names_every_setting() -> None:
    names = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    assert [name for name in names if f"`{name}`" not in README] == []


def test_every_test_that_the_readme_names_exists() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", README))
    assert len(named) > 5
    assert sorted(name for name in named if f"def {name}(" not in tests) == []


def test_the_first_lines_of_the_readme_are_the_two_commands() -> None:
    head = README.splitlines()[:6]
    assert any("make demo" in line for line in head)
    assert any("make test" in line for line in head)


def test_the_shipped_folders_have_a_readme() -> None:
    for folder in ("mappings", "templates", "systemd"):
        assert (ROOT / folder / "README.md").stat().st_size > 200
