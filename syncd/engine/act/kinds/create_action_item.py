"""Makes the issue of an action item: of a row of the postmortem's table, or on runbook and knowledge base.

It is a sub-task of the postmortem, or, where the project has no sub-tasks, an issue of the postmortem's type
with the label `action-item`, linked afterwards. Owner and date are taken from the row where they can be told;
what cannot stays as it was typed, in the issue's text.
"""

from __future__ import annotations

from sqlmodel import Session

from syncd.config.templates.text_limits import slug_label, summary_line, wiki_within
from syncd.domain.base import JsonValue
from syncd.domain.field import FieldFacts
from syncd.domain.incident import Incident, stub_title
from syncd.domain.text import escape_wiki, one_line
from syncd.domain.ticket import Account
from syncd.engine.act.find_created import find_labelled, find_made
from syncd.engine.act.jira_write.field_values import demanded_values
from syncd.engine.act.jira_write.refusals import create_issue, sent_fields, with_keys_to_add
from syncd.engine.act.jira_write.reread import incident_and_book
from syncd.engine.act.jira_write.row_owner import date_in, owner_in, plain
from syncd.engine.act.kind import BaseAct, Outcome, Rendered, is_restricted
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.tables import ActionItemRow, OperationRow, PostmortemRow
from syncd.policy.case import Rulebook
from syncd.policy.follow_ups.duties import active
from syncd.policy.follow_ups.judge import KNOWLEDGE
from syncd.policy.follow_ups.membership import ITEM_LABEL, MADE
from syncd.remote.errors import NotDone

LABEL = "syncd-action-item"
"""On every action item of ours, for people and for finding candidates."""
OPTIONAL = frozenset({"assignee", "duedate", "labels"})
TEXT_LIMIT = 30_000
"""UTF-16 units of the issue's text, below Jira's limit of 32,767."""


class CreateActionItem(BaseAct):
    """One action item, once for ever."""

    probes = True

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """The fields of the issue; `facts` are what its confirmation keeps."""
        with desk.ledger.db.read() as session:
            paper = session.get(PostmortemRow, row.incident_id)
        if paper is None or paper.out_of_sight_since is not None:
            raise DecideAgain
        incident, book = incident_and_book(desk, row, home=True)
        restricted = is_restricted(desk, row)
        knowledge = bool(row.meaning.get(KNOWLEDGE))
        if restricted and (not knowledge or book.project.sub_task is None):
            raise DecideAgain
        fields = _place(paper, book)
        linked = [ITEM_LABEL] if book.project.sub_task is None else []
        fields["labels"] = ["syncd", LABEL, slug_label(f"pd-{incident.id}"), *linked]
        fields |= demanded_values(desk, _screen(desk, paper, book), incident, book)
        kept: dict[str, JsonValue] = {KNOWLEDGE: True} if knowledge else {}
        if knowledge:
            _knowledge(fields, paper, incident, book, restricted)
        else:
            kept["row"] = _row(desk, fields, row, paper, book)
        for name in _as_list(row.meaning.get("refused")):
            fields.pop(str(name), None)
        return {"fields": fields, "facts": kept, "parent": paper.issue_id}

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """One create; what Jira demands and nothing fills is named with the key that would."""
        try:
            return create_issue(desk, row, rendered)
        except NotDone as error:
            raise with_keys_to_add(desk, row, sent_fields(rendered), error) from None

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """The incident has one more action item; a poll may have seen it before its answer came."""
        rendered, key = row.rendered or {}, str(outcome.data.get("key", ""))
        item = session.get(ActionItemRow, outcome.remote_id)
        if item is None:
            item = ActionItemRow(
                issue_id=outcome.remote_id,
                incident_id=row.incident_id,
                key=key,
                project=key.rpartition("-")[0],
                source=MADE,
                first_seen_at=desk.clock.now(),
            )
        facts = outcome.data.get("facts") or rendered.get("facts")
        item.facts = {**item.facts, **(facts if isinstance(facts, dict) else {})}
        session.add(item)
        look_again(session, [row.incident_id], desk.clock.now(), 0, "an action item was made")
        audit.append(
            session,
            desk.clock.now(),
            "item.adopted" if "facts" in outcome.data else "item.made",
            incident=row.incident_id,
            issue=outcome.remote_id,
            operation=row.id,
            data={"key": key, "refused": row.meaning.get("refused", [])},
        )

    def look(self, desk: Desk, row: OperationRow) -> Outcome | None:
        """Read the keys after `probe_from`; adopt what bears our mark."""
        fields = (row.rendered or {}).get("fields", {})
        project = fields.get("project", {}) if isinstance(fields, dict) else {}
        key = str(project.get("key", "")) if isinstance(project, dict) else ""
        label = slug_label(f"pd-{row.incident_id}")
        issue = find_made(desk, key, row.probe_from or 0, row.op, label)
        return Outcome(issue.id, {"key": issue.key}) if issue else None

    def done_before(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome | None:
        """By its label: it may hang on the postmortem no more."""
        with desk.ledger.db.read() as session:
            paper = session.get(PostmortemRow, row.incident_id)
        label = slug_label(f"pd-{row.incident_id}")
        issue = find_labelled(desk, paper.project, row.op, label) if paper is not None else None
        return Outcome(issue.id, {"key": issue.key, "facts": rendered["facts"]}) if issue else None

    def drop_refused(self, row: OperationRow, refused: dict[str, str]) -> list[str]:
        """Owner, date and labels can be left out, once."""
        fields = (row.rendered or {}).get("fields", {})
        return [name for name in refused if name in fields and name in OPTIONAL]


def _as_list(value: JsonValue) -> list[JsonValue]:
    return list(value) if isinstance(value, list) else []


def _place(paper: PostmortemRow, book: Rulebook) -> Rendered:
    """Where it is made, and as what: under the postmortem, in its project."""
    sub_task = book.project.sub_task
    if sub_task is not None:
        return {
            "project": {"key": paper.project},
            "issuetype": {"id": sub_task.id},
            "parent": {"id": paper.issue_id},
        }
    if book.project.postmortem is None:
        raise CannotRender(
            "the project has neither sub-tasks nor a type for postmortems; see jira.issue_types"
        )
    return {"project": {"key": paper.project}, "issuetype": {"id": book.project.postmortem.type.id}}


def _screen(desk: Desk, paper: PostmortemRow, book: Rulebook) -> tuple[FieldFacts, ...]:
    """What the create screen of its type has."""
    sub_task, papers = book.project.sub_task, book.project.postmortem
    if sub_task is not None:
        return desk.facts.screen(paper.project, sub_task.id)
    return tuple(papers.fields.values()) if papers is not None else ()


def _row(
    desk: Desk, fields: Rendered, row: OperationRow, paper: PostmortemRow, book: Rulebook
) -> dict[str, JsonValue]:
    """Fill in what the row says; return it as it is compared with the table later."""
    cells = {name: one_line(str(row.meaning.get(name, ""))) for name in ("text", "owner", "due")}
    account, due = owner_in(desk, cells["owner"], book), date_in(cells["due"])
    fields["summary"] = summary_line(plain(desk.renderer.mask(cells["text"], book)))
    lines = [f"A follow-up of {paper.key}, from its table."]
    if account is not None:
        fields["assignee"] = {"accountId" if book.project.edition == "cloud" else "name": account.id}
    else:
        lines.append(f"Owner, as it was typed: {escape_wiki(desk.renderer.mask(cells['owner'], book))}")
    if due is not None:
        fields["duedate"] = due.isoformat()
    elif cells["due"].strip():
        lines.append(f"Due, as it was typed: {escape_wiki(desk.renderer.mask(cells['due'], book))}")
    room = TEXT_LIMIT - sum(len(line) for line in lines)
    text = wiki_within(desk.renderer.mask(cells["text"], book), room)
    fields["description"] = "\n".join([text, "", *lines])
    return {**cells}


def _knowledge(
    fields: Rendered, paper: PostmortemRow, incident: Incident, book: Rulebook, restricted: bool
) -> None:
    """What is asked after every incident; it belongs to the postmortem's owner from the start.

    Were it theirs only once they touch it, every postmortem would bring a breach that nobody earned.
    """
    about = stub_title(incident.number) if restricted else f"incident #{incident.number}"
    fields["summary"] = f"Bring runbook and knowledge base up to date after {about}"
    fields["description"] = (
        f"A follow-up of {paper.key}. What would have helped, in the runbook or in an article?"
        "\n\nClose it with a comment that links what was written or changed, or with the label"
        " no-change-needed and a comment that says why nothing had to be."
    )
    owner = (paper.snapshot or {}).get("assignee")
    if isinstance(owner, dict) and active(Account.model_validate(owner)):
        fields["assignee"] = {"accountId" if book.project.edition == "cloud" else "name": owner["id"]}
