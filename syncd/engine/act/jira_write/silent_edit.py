"""Edits that are worth nobody's mail: labels and security levels change without Jira telling every watcher.

Title, priority, severity, component, owner and date are told as ever: people watch an issue to hear of these.
Only an account that administers the project can keep Jira quiet, so that is asked first.
"""

from __future__ import annotations

from collections.abc import Iterable

from syncd.domain.base import JsonValue
from syncd.engine.context import Desk
from syncd.remote.errors import Cause, NotDone

MAILS_NOBODY = frozenset({"labels", "security"})


def quiet(desk: Desk, project: str, names: Iterable[str]) -> bool:
    """Whether an edit of these fields is to mail nobody; raises `RemoteError` where Jira cannot be asked."""
    return MAILS_NOBODY.issuperset(names) and desk.facts.may_be_quiet(project)


def edit(
    desk: Desk,
    issue: str,
    fields: dict[str, JsonValue],
    update: dict[str, JsonValue] | None,
    quiet_in: JsonValue,
) -> None:
    """One edit; `quiet_in` is the project in which it is quiet, None where it is not.

    Where Jira refuses that (the right may be gone by now), it is made as any other edit.
    """
    if isinstance(quiet_in, str):
        try:
            return desk.clients.jira.edit(issue, fields, update, quiet=True)
        except NotDone as error:
            if error.cause is not Cause.FORBIDDEN:
                raise
            desk.facts.never_quiet(quiet_in)
    return desk.clients.jira.edit(issue, fields, update)
