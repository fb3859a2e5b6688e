"""The command line: `syncd` and its commands. Each command is imported only when called, so help is quick.

Every failure becomes one message that says what is wrong and what to do, and an exit code of sysexits.
syncd prints a traceback only with `--debug`.
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
"""The exit code that shells expect after Ctrl-C: 128 + SIGINT."""


@dataclass(frozen=True)
class Entry:
    """One command: its module under `syncd.commands`, its line in the help, its name in the module."""

    module: str
    help: str
    name: str = "command"


COMMANDS = {
    "run": Entry("run", "Run the daemon in the foreground (plain `syncd` does the same)."),
    "status": Entry(
        "status", "Show open incidents, their tickets, the outbox, and when each service was last read well."
    ),
    "show": Entry("show", "Show everything that syncd knows and did about one incident, with reasons."),
    "actions": Entry("actions", "List open action items: owner, due date, and what is wrong."),
    "plan": Entry("plan", "Show what the next cycle would do, and write nothing."),
    "resync": Entry(
        "resync", "Compare the ledger with PagerDuty and Jira, list the differences, ask you, then repair."
    ),
    "check": Entry("check", "Check that PagerDuty and Jira have everything that the mappings need."),
    "adopt": Entry("adopt", "Take an issue that a person made as the ticket of an incident."),
    "accept": Entry(
        "accept",
        "Allow a new ledger to create the tickets that wait for your consent (`syncd status` counts them).",
    ),
    "pause": Entry("pause", "Stop writes to jira, pagerduty, mail or all, until `syncd resume`."),
    "reload": Entry("reload", "Make the running daemon read its mappings again: all of them or none."),
    "resume": Entry("pause", "End a pause. Waiting writes that are out of date are dropped.", "resume"),
    "waive": Entry("waive", "Waive a duty until a date, with a reason, on record."),
    "unwaive": Entry("waive", "End a waiver early.", "unwaive"),
    "correct": Entry(
        "waive", "Take back a breach that was recorded wrongly; both events stay on record.", "correct"
    ),
    "outbox": Entry("outbox", "List the operations that are not done; retry, release or drop them."),
    "report": Entry("report", "Print, write or mail the weekly compliance report of one team or of all."),
    "audit": Entry("audit", "Verify the audit trail, or export the evidence of a period."),
    "forget": Entry("forget", "Erase a person and their texts from the ledger; the audit trail stays valid."),
    "backup": Entry("backup", "Copy the ledger and check the copy; the daemon may run."),
    "restore": Entry("restore", "Replace the ledger with a copy; the daemon must not run."),
    "ledger": Entry("ledger", "Move the ledger to another database; the daemon must not run."),
    "relocate": Entry("relocate", "Record that Jira or PagerDuty was renamed; the daemon must not run."),
    "init": Entry("init", "Write a first mapping, or copy one of the shipped examples."),
    "schema": Entry("schema", "Print the JSON Schema of a mapping, for editors."),
    "demo": Entry("demo", "Play a story on the embedded sandbox with the real daemon."),
    "sandbox": Entry("sandbox", "Serve the embedded PagerDuty, Jira and chat on loopback."),
}


DEBUG_HELP = "Show tracebacks, and log at level DEBUG."


def _note_debug(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        root = ctx.find_root()
        root.obj = {**(root.obj or {}), "debug": True}


def _take_debug(command: click.Command) -> None:
    """Let a command and all below it take `--debug`, as `syncd` itself does."""
    if not any(parameter.name == "debug" for parameter in command.params):
        command.params.append(
            click.Option(["--debug"], is_flag=True, expose_value=False, callback=_note_debug, help=DEBUG_HELP)
        )
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _take_debug(below)


class LazyGroup(click.Group):
    """The group of all commands. It imports a command when it is called; its help imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command's module."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"syncd.commands.{entry.module}")
        command: click.Command = getattr(module, entry.name)
        _take_debug(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands from the table and options as click does, so a key press imports no command."""
        from click.shell_completion import CompletionItem

        fitting = [(name, entry) for name, entry in COMMANDS.items() if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=entry.help) for name, entry in fitting), *options]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Do what click does, and suggest a command for a word that is nearly one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write where the documents are, also those of an installed wheel."""
        from syncd.config.shipped import shipped

        with formatter.section("Documents"):
            formatter.write_dl(
                [
                    (str(shipped("systemd") / "README.md"), "install, run, watch, upgrade, restore"),
                    (str(shipped("mappings") / "README.md"), "what syncd does to people; every key"),
                    (str(shipped("templates") / "README.md"), "the texts of tickets, postmortems, mails"),
                ]
            )


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Mirrors PagerDuty incidents into Jira:"
    " exactly one ticket for each incident, with every act on record.",
)
@click.option("--resync", is_flag=True, help="The same as `syncd resync`; it takes the same options.")
@click.option("--since", metavar="30d|DATE", hidden=True)
@click.option("--incident", "incidents", multiple=True, metavar="ID", hidden=True)
@click.option("--dry-run", is_flag=True, hidden=True)
@click.option("--yes", is_flag=True, hidden=True)
@click.option("--debug", is_flag=True, help=DEBUG_HELP)
@click.version_option(__version__, prog_name="syncd")
@click.pass_context
def cli(ctx: click.Context, /, debug: bool, resync: bool, **options: Any) -> None:
    """Run the daemon for plain `syncd`, and the manual resync for `syncd --resync`."""
    ctx.obj = {"clock": None, **(ctx.obj or {}), "debug": debug}
    if not resync and any(options.values()):
        raise click.UsageError("--since, --incident, --dry-run and --yes need --resync")
    if resync and ctx.invoked_subcommand is not None:
        raise click.UsageError(f"--resync takes no command: leave out {ctx.invoked_subcommand!r}")
    if resync:
        # imported here and not above: help must not load a command
        from syncd.commands.resync import resync as run_resync

        run_resync(ctx, **options)
    elif ctx.invoked_subcommand is None:
        command = cli.get_command(ctx, "run")
        if command is not None:
            ctx.invoke(command)


def main(clock: Clock | None = None) -> None:
    """Run the command line; turn every failure into a message and an exit code.

    `clock` is for callers in Python; no setting and no option moves the clock.
    """
    # read by hand: a failure may come before click has parsed the options
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
        # the reader (head, less) has ended: that is no failure, and closing keeps Python from complaining
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:  # the last net: one message instead of a traceback
        if debug:
            raise
        from syncd.commands.shared.exit_codes import advise

        sys.exit(advise(error))
