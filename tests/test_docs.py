"""The documents cannot fall behind: what exists is documented, and what they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncd.cli import COMMANDS
from syncd.config.settings.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
SHIPPED = ("mappings", "templates", "systemd")
"""The folders that are shipped inside the wheel, each with a README."""
DOCUMENTS = ("README.md", "CHANGELOG.md", *(f"{folder}/README.md" for folder in SHIPPED))
"""What users read."""
PROMISES = "tests/README.md"
"""Which test holds which promise: for developers."""


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


OPERATION = read("systemd/README.md")


def anchors(document: str) -> set[str]:
    """Return the anchors of the document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", read(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_guide_to_operation_names_every_command() -> None:
    assert [
        name for name in COMMANDS if f"syncd {name}" not in OPERATION and f"`{name}" not in OPERATION
    ] == []


def test_the_guide_to_operation_names_every_setting() -> None:
    names = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    assert [name for name in names if f"`{name}`" not in OPERATION] == []


def test_the_guide_to_operation_names_every_metric() -> None:
    source = (ROOT / "syncd" / "web" / "metrics.py").read_text(encoding="utf-8")
    names = set(re.findall(r'"(syncd_[a-z_]+)"', source))
    assert len(names) > 15
    assert sorted(name for name in names if f"`{name}" not in OPERATION) == []


def test_every_test_that_a_promise_names_exists() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", read(PROMISES)))
    assert len(named) > 50
    assert sorted(name for name in named if f"def {name}(" not in tests) == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_document_for_users_names_a_test(document: str) -> None:
    assert re.findall(r"\btest_\w+", read(document)) == []


def test_the_readme_begins_with_the_two_commands_and_stays_short() -> None:
    readme = read("README.md").splitlines()
    head = readme[:6]
    assert any("make demo" in line for line in head)
    assert any("make test" in line for line in head)
    assert len(readme) <= 140, "details belong into the README of the folder that they are about"


def test_the_shipped_folders_have_a_readme() -> None:
    for folder in SHIPPED:
        assert (ROOT / folder / "README.md").stat().st_size > 200


@pytest.mark.parametrize("document", [*DOCUMENTS, PROMISES])
def test_every_link_between_documents_leads_to_a_file_and_a_heading(document: str) -> None:
    broken = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", read(document)):
        file, _, anchor = link.partition("#")
        target = (ROOT / document).parent / file if file else ROOT / document
        if not target.exists() or (anchor and anchor not in anchors(str(target.resolve().relative_to(ROOT)))):
            broken.append(link)
    assert broken == []
