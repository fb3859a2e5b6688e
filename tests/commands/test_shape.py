"""What the command line feels like: a live view, completion, colours."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys

from commandline import House, end
from waiting import PATIENCE, wait_for

from syncd.cli import COMMANDS

SCRIPT = [sys.executable, "-c", "from syncd.cli import main\nmain()"]


def complete(house: House, words: str) -> list[str]:
    """What the shell is offered after these words."""
    asked = {"_SYNCD_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(SCRIPT, env={**os.environ, **asked}, capture_output=True, text=True)
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_and_options_complete(bare: House) -> None:
    assert complete(bare, "syncd ") == list(COMMANDS)
    assert complete(bare, "syncd sta") == ["status"]
    assert "--watch" in complete(bare, "syncd status --w")
    assert complete(bare, "syncd pause j") == ["jira"]


def test_a_completion_of_commands_loads_nothing_heavy(bare: House) -> None:
    script = (
        "import sys\nfrom syncd.cli import main\n"
        "try:\n    main()\nfinally:\n    print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    asked = {"_SYNCD_COMPLETE": "bash_complete", "COMP_WORDS": "syncd ", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "plain,status" in done.stdout
    assert not {"pydantic", "sqlalchemy", "jira", "loguru", "rich"} & set(done.stderr.split())


def test_the_live_view_shows_changes_and_ends_with_ctrl_c_without_colours(house: House) -> None:
    house.syncd("run", "--once")
    house.set("NO_COLOR", "1")
    house.set("TERM", "xterm-256color")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", house.clock.script(), "status", "--watch"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    seen = b""

    def until(words: bytes) -> None:
        def shown() -> bool:
            nonlocal seen
            if select.select([ours], [], [], 0.2)[0]:
                seen += os.read(ours, 65536)
            return words in seen

        assert words in seen or wait_for(shown)

    try:
        until(b"No incident is open")
        incident = house.trigger("Callbacks time out")
        house.syncd("run", "--once")
        until(b"OPS-1")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    finally:
        end(process)
        os.close(ours)
    assert house.tickets(incident)
    assert b"Traceback" not in seen
    assert not re.search(rb"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d)(?:;\d+)*m", seen)


def test_a_live_view_is_for_terminals_alone(house: House) -> None:
    house.syncd("run", "--once")
    assert house.syncd("status", "--watch").code == 2
    result = house.syncd("status", "--watch", "--json")
    assert result.code == 2
    assert "leave one out" in result.err
