"""The front door: `syncd` and its commands, loaded only when asked for, so that help is quick.

Every failure becomes one message that says what is wrong and what to do, and an exit code of sysexits
(design: command line); a traceback is shown only with `--debug`.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from syncd.domain.clock import Clock

from syncd import __version__

INTERRUPTED = 130
"""What shells expect of a program that was ended by Ctrl-C."""


@dataclass(frozen=True)
class Entry:
    """A command's module under `syncd.commands`, its line in the help, and its name in the module."""

    module: str
    help: str
    name: str = "command"


COMMANDS = {
    "run": Entry("run", "Run the daemon in the foreground (what plain `syncd` does)."),
    "status": Entry("status", "Open incidents, their tickets, the outbox, the last good cycles."),
    "show": Entry("show", "Everything known and done about one incident, with reasons."),
    "actions": Entry("actions", "Action items that are still to be done: whose, by when, what is wrong."),
    "plan": Entry("plan", "What the next cycle would do; nothing is written anywhere."),
    "check": Entry("check", "Ask both services whether everything that the mappings need is there."),
    "accept": Entry("accept", "Let a new ledger make the tickets that it waits with; status shows them."),
    "pause": Entry("pause", "Let nothing leave for jira, pagerduty, mail, chat or all, until syncd resume."),
    "reload": Entry("reload", "Have the running daemon read its mappings again: all of them or none."),
    "resume": Entry(
        "pause", "Let leave again what was paused; what became untrue meanwhile is not sent.", "resume"
    ),
    "waive": Entry("waive", "Let a duty rest until a day, with a reason, on record."),
    "unwaive": Entry("waive", "End a waiver before its day.", "unwaive"),
    "correct": Entry(
        "waive", "Take back a breach that was recorded wrongly; both stay on record.", "correct"
    ),
    "outbox": Entry(
        "outbox", "Operations that wait, are parked, held or unknown; retry, release or drop them."
    ),
    "report": Entry("report", "The weekly compliance report of a team or over all, in four forms."),
    "audit": Entry("audit", "Verify the audit trail, or export the evidence of a period."),
    "forget": Entry("forget", "Empty a person and their texts in the ledger; the audit trail holds."),
    "backup": Entry("backup", "Copy the ledger: consistent, checked, on disk; also while the daemon works."),
    "restore": Entry("restore", "Put a copy in the place of the ledger; the daemon must not run."),
    "init": Entry("init", "Write a first mapping, or one of the shipped examples."),
    "schema": Entry("schema", "The JSON Schema of a mapping, for editors."),
    "demo": Entry("demo", "Play a story on the embedded sandbox with the real daemon."),
    "sandbox": Entry("sandbox", "Serve the embedded PagerDuty and Jira on loopback."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called; its help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command's module."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"syncd.commands.{entry.module}")
        command: click.Command = getattr(module, entry.name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands from the table, options as click does: a key press imports no command."""
        from click.shell_completion import CompletionItem

        fitting = [(name, entry) for name, entry in COMMANDS.items() if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=entry.help) for name, entry in fitting), *options]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion for a word that is nearly a command."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keeps PagerDuty incidents and Jira tickets in agreement, exactly once and on record.",
)
@click.option("--resync", is_flag=True, help="Compare ledger, PagerDuty and Jira afresh, ask, and repair.")
@click.option("--since", metavar="30d|DATE", help="With --resync: incidents created since then.")
@click.option(
    "--incident", "incidents", multiple=True, metavar="ID", help="With --resync: this one; repeatable."
)
@click.option("--dry-run", is_flag=True, help="With --resync: only show what would be done.")
@click.option("--yes", is_flag=True, help="With --resync: do it without asking.")
@click.option("--debug", is_flag=True, help="Show tracebacks, and log at DEBUG.")
@click.version_option(__version__, prog_name="syncd")
@click.pass_context
def cli(ctx: click.Context, /, debug: bool, resync: bool, **options: Any) -> None:
    """Plain `syncd` is `syncd run`, and `syncd --resync` the manual resync."""
    ctx.obj = {"clock": None, **(ctx.obj or {}), "debug": debug}
    if not resync and any(options.values()):
        raise click.UsageError("--since, --incident, --dry-run and --yes go with --resync")
    if resync and ctx.invoked_subcommand is not None:
        raise click.UsageError(f"--resync goes without {ctx.invoked_subcommand!r}")
    if resync:
        from syncd.commands.resync import resync as run_resync

        run_resync(ctx, **options)
    elif ctx.invoked_subcommand is None:
        command = cli.get_command(ctx, "run")
        if command is not None:
            ctx.invoke(command)


def main(clock: Clock | None = None) -> None:
    """The console script: run, and turn every failure into a message and an exit code.

    `clock` is for callers in Python; no setting and no option moves the clock.
    """
    debug = "--debug" in sys.argv[1:]
    try:
        code = cli.main(standalone_mode=False, prog_name="syncd", obj={"clock": clock})
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(2 if isinstance(error, click.UsageError) else 1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:  # the last net: one message instead of a traceback
        if debug:
            raise
        from syncd.commands.shared.exit_codes import advise

        sys.exit(advise(error))
