"""Who is no person: the accounts of syncd itself and of the team's robots, marked in a case."""

from __future__ import annotations

from collections.abc import Container
from typing import TypeVar

from syncd.domain.history import Change
from syncd.domain.incident import Note
from syncd.domain.ticket import Account, Comment
from syncd.policy.case import Case, IssueState, ItemState, PostmortemState, TicketState


def judged_people(case: Case, nobodies: Container[str]) -> Case:
    """Return the case with these accounts marked as no persons: syncd's own and the team's robots.

    `nobodies` holds Jira accounts and users of PagerDuty. Each rule asks only `Account.human` or
    `Note.by_person`. This function is the only place that decides about it by account.
    """
    ticket, postmortem, owner = case.ticket, case.postmortem, case.service_owner
    return case.model_copy(
        update={
            "service_owner": owner if owner is not None and owner.id not in nobodies else None,
            "ticket": _judged(ticket, nobodies) if ticket else None,
            "postmortem": _judged(postmortem, nobodies) if postmortem else None,
            "items": tuple(_judged(item, nobodies) for item in case.items),
            "roles": case.roles.without(nobodies),
            "notes": case.notes and tuple(_note_judged(note, nobodies) for note in case.notes),
        }
    )


State = TypeVar("State", bound=IssueState)


def _judged(state: State, nobodies: Container[str]) -> State:
    update: dict[str, object] = {}
    issue = state.issue
    if issue is not None:
        # None means that syncd does not have the comments, an empty tuple that there are none: keep both.
        comments = issue.comments and tuple(_author_judged(comment, nobodies) for comment in issue.comments)
        assignee = _account_judged(issue.assignee, nobodies)
        update["issue"] = issue.model_copy(update={"comments": comments, "assignee": assignee})
    if isinstance(state, PostmortemState | ItemState | TicketState):
        update["changes"] = tuple(_author_judged(change, nobodies) for change in state.changes)
    return state.model_copy(update=update)


def _note_judged(note: Note, nobodies: Container[str]) -> Note:
    if note.author is None or not note.by_person or note.author.id not in nobodies:
        return note
    return note.model_copy(update={"by_person": False})


Act = TypeVar("Act", Comment, Change)


def _author_judged(act: Act, nobodies: Container[str]) -> Act:
    # Most acts are people's: return those as they are, without a copy.
    author = _account_judged(act.author, nobodies)
    return act if author is act.author else act.model_copy(update={"author": author})


def _account_judged(account: Account | None, nobodies: Container[str]) -> Account | None:
    if account is None or account.human is False or not account.is_among(nobodies):
        return account
    return account.model_copy(update={"human": False})
