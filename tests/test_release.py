"""What a release consists of: one version everywhere, and files that are made from the commands."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import click
import pytest
from click.shell_completion import get_completion_class

from syncd import __version__
from syncd.cli import COMMANDS, cli
from syncd.commands.shared.man_page import EXIT_CODES, man_page
from syncd.config.settings.settings import Settings, variable

ROOT = Path(__file__).parents[1]
CONTAINERFILE = (ROOT / "systemd/Containerfile").read_text(encoding="utf-8")
PACKED = re.search(r"^cp (.*) \"\$work/\$image\"$", (ROOT / ".ci/dist").read_text("utf-8"), re.MULTILINE)
"""The line of the build that fills the folder from which an image is built."""


def instructions() -> Iterator[tuple[str, str]]:
    """Yield the Containerfile's instructions: name and words, with continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", CONTAINERFILE)
    for line in joined.splitlines():
        if line and not line.startswith("#"):
            name, _, words = line.partition(" ")
            yield name, words


def test_version_changelog_and_tag_agree() -> None:
    section = re.search(r"^## (\S+) \((.+)\)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert section is not None
    assert section[1] == __version__
    day = re.fullmatch(r"\d{4}-\d\d-\d\d", section[2])
    assert day or section[2] == "not yet released"
    tags = subprocess.run(
        ["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    for tag in tags:
        assert tag == f"v{__version__}"
        assert day, f"{tag} is released, so its section names the day"


def test_the_manual_page_names_every_command_option_setting_and_exit_code() -> None:
    page = man_page(cli, __version__).replace(r"\-", "-")
    assert f'"syncd {__version__}"' in page
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert re.search(rf'^\.SS "syncd {name}\b', page, re.MULTILINE), name
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert re.search(rf"^\\fB.*{parameter.opts[0]}", page, re.MULTILINE), parameter.opts
    assert '.SS "syncd audit verify' in page
    assert [field for field in Settings.model_fields if rf"\fB{variable(field)}\fR" not in page] == []
    assert [code for code, _ in EXIT_CODES if rf"\fB{code}\fR" not in page] == []
    # a line that begins with a dot is an instruction to the formatter
    assert {line.split()[0] for line in page.splitlines() if line.startswith(".")} == {
        ".TH",
        ".SH",
        ".SS",
        ".TP",
        ".B",
    }


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", "bash-completion/completions/syncd"),
        ("zsh", "zsh/site-functions/_syncd"),
        ("fish", "fish/vendor_completions.d/syncd.fish"),
    ],
)
def test_the_completion_files_are_those_that_the_command_line_makes(shell: str, file: str) -> None:
    kind = get_completion_class(shell)
    assert kind is not None
    # `source` asks for the shell's version, which may not be installed here
    made = kind.source_template % kind(cli, {}, "syncd", "_SYNCD_COMPLETE").source_vars()
    assert (ROOT / "systemd/share" / file).read_text("utf-8").strip() == made.strip()


def test_the_image_is_built_from_files_that_are_packed_beside_it() -> None:
    assert PACKED is not None
    packed = [Path(word.strip('"')).name for word in PACKED[1].split()]
    assert {"Containerfile", "compose.yaml", "syncd.env", "requirements.lock"} <= set(packed)
    names = [name.replace("$wheel", f"syncd-{__version__}-py3-none-any.whl") for name in packed]
    copied = [words for name, words in instructions() if name == "COPY"]
    assert copied
    for words in copied:
        for source in words.split()[:-1]:
            assert any(fnmatch(name, source) for name in names), source


def test_the_image_runs_the_daemon_as_nobody_special_and_is_asked_for_its_health() -> None:
    given = dict(instructions())
    assert json.loads(given["ENTRYPOINT"]) == ["syncd"]
    assert json.loads(given["CMD"]) == ["run"]
    uid, _, gid = given["USER"].partition(":")
    assert uid.isdecimal() and gid.isdecimal() and int(uid) > 0
    assert f"--uid {uid}" in given["RUN"] and f"--gid {gid}" in given["RUN"]
    environment = dict(word.split("=", 1) for word in shlex.split(given["ENV"]))
    settings = {variable(field) for field in Settings.model_fields}
    assert {name for name in environment if name.startswith("SYNCD_")} <= settings
    assert f"-o syncd -g syncd {environment['SYNCD_STATE_DIR']}" in given["RUN"]
    assert given["VOLUME"] == environment["SYNCD_STATE_DIR"]
    port = environment["SYNCD_HTTP_LISTEN"].rpartition(":")[2]
    assert given["EXPOSE"] == port
    assert f"http://127.0.0.1:{port}/healthz" in given["HEALTHCHECK"]
