"""Make the manual page syncd(1) from the commands, the settings and the exit codes, so it is never old."""

from __future__ import annotations

from collections.abc import Iterator

import click

from syncd.config.settings.settings import Settings, variable

_FILES = (
    ("/etc/syncd/syncd.env", "Settings of the service, one variable a line."),
    ("/etc/syncd/credentials/", "Secrets, one file each, named like the variable in lower case."),
    ("/etc/syncd/*.yaml", "Mappings, one file a team, where SYNCD_MAPPINGS_DIR names this folder."),
    ("/var/lib/syncd/", "The ledger, its backups, and mail where there is no mail server."),
)
EXIT_CODES = (
    ("0", "Done."),
    ("1", "Something is wrong, told on standard error."),
    ("2", "The command line is wrong."),
    ("69", "A service cannot be reached."),
    ("75", "Try again later: another process holds the ledger, or operations are waiting or parked."),
    ("77", "A service refused our credentials."),
    ("78", "The configuration is wrong; every problem is told with its file, line and column."),
)


def man_page(group: click.Group, version: str) -> str:
    """Return the page in roff, for a group of commands that loads all of them."""
    return "\n".join(_lines(group, version)) + "\n"


def _lines(group: click.Group, version: str) -> Iterator[str]:
    yield f'.TH SYNCD 1 "" "syncd {version}" "User Commands"'
    yield from (".SH NAME", r"syncd \- keep PagerDuty incidents and Jira tickets in agreement")
    yield from (".SH SYNOPSIS", ".B syncd", r"[\fIOPTIONS\fR] [\fICOMMAND\fR [\fIARGUMENTS\fR]]")
    yield from (".SH DESCRIPTION", _text(group.help))
    yield _text("Without a command syncd runs the daemon in the foreground.")
    context = click.Context(group, info_name="syncd", **group.context_settings)
    yield ".SH OPTIONS"
    yield from _options(context)
    yield ".SH COMMANDS"
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield from _command(command, click.Context(command, parent=context, info_name=name))
    yield ".SH ENVIRONMENT"
    for name, setting in Settings.model_fields.items():
        yield from _item(variable(name), setting.description or "")
    for title, items in (("FILES", _FILES), ("EXIT STATUS", EXIT_CODES)):
        yield f".SH {title}"
        for term, words in items:
            yield from _item(term, words)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f'.SS "{_text(f"{context.command_path} {pieces}".strip())}"'
    yield _text(command.help)
    yield from _options(context)
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _command(below, click.Context(below, parent=context, info_name=name))


def _options(context: click.Context) -> Iterator[str]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        # every command takes --debug and --help; the first list tells of them once
        everywhere = context.parent is not None and {"--debug", "--help"} & set(parameter.opts)
        if record is not None and record[1] and not everywhere:
            yield from _item(*record)


def _item(term: str, words: str) -> Iterator[str]:
    yield from (".TP", rf"\fB{_text(term)}\fR", _text(words))


def _text(words: str | None) -> str:
    """Return words as roff: a backslash, a hyphen and a dot at the beginning would be its own signs."""
    plain = " ".join((words or "").replace("`", "").split())
    escaped = plain.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped
