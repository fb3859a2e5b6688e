"""The front door: help, suggestions, what a failure looks like."""

from __future__ import annotations

import importlib
import subprocess
import sys

import click
import pytest

from syncd import __version__, cli
from syncd.commands import schema

HEAVY = ("pydantic", "sqlalchemy", "sqlmodel", "jira", "requests", "rich", "loguru", "apscheduler", "jinja2")


def run(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    """Run the console script in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["syncd", *args])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code if isinstance(ended.value.code, int) else 1


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\nsys.argv = ['syncd', '--help']\nfrom syncd.cli import main\n"
        "try:\n    main()\nfinally:\n    print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    assert not set(HEAVY) & set(done.stderr.split())


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_of_the_list_is_there_under_its_line_of_help(name: str) -> None:
    module = importlib.import_module(f"syncd.commands.{cli.COMMANDS[name].module}")
    command = getattr(module, cli.COMMANDS[name].name)
    assert isinstance(command, click.Command)
    assert command.help
    assert cli.COMMANDS[name].help.endswith(".")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, name, "--help") == 0
    assert f"Usage: syncd {name}" in capsys.readouterr().out


def test_a_word_that_is_nearly_a_command_gets_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "stauts") == 2
    assert "Did you mean 'status'?" in capsys.readouterr().err


def test_a_word_that_is_nothing_like_one_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "xyzzy") == 2
    assert "Did you mean" not in capsys.readouterr().err


def test_it_knows_its_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert __version__ in capsys.readouterr().out


def test_python_m_syncd_is_the_same_as_the_console_script() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "syncd", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"syncd, version {__version__}\n"


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a fault into a command."""

    def explode(*_: object) -> None:
        raise RuntimeError("a screw is loose")

    monkeypatch.setattr(schema.command, "callback", explode)


def test_a_fault_is_one_message_without_a_traceback(
    fault: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "schema") == 1
    err = capsys.readouterr().err
    assert "RuntimeError: a screw is loose" in err
    assert "--debug" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("args", [("--debug", "schema"), ("schema", "--debug")])
def test_with_debug_anywhere_a_fault_shows_its_traceback(
    args: tuple[str, ...], fault: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["syncd", *args])
    with pytest.raises(RuntimeError, match="a screw is loose"):
        cli.main()


def test_a_command_below_a_command_takes_debug_too(monkeypatch: pytest.MonkeyPatch) -> None:
    command = cli.cli.get_command(click.Context(cli.cli), "audit")
    assert isinstance(command, click.Group)
    seen: list[object] = []
    verify = command.commands["verify"]
    note = lambda **_: seen.append(click.get_current_context().find_root().obj)  # noqa: E731
    monkeypatch.setattr(verify, "callback", note)
    cli.cli.main(["audit", "verify", "--debug"], standalone_mode=False, obj={"clock": None})
    assert seen == [{"clock": None, "debug": True}]


def test_help_says_what_the_words_of_the_commands_mean(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "exactly one ticket for each incident, with every act on record." in shown
    assert "list the differences, ask you, then repair." in shown
    assert "until `syncd resume`." in shown
    assert "Waiting writes that are out of date are dropped." in shown
