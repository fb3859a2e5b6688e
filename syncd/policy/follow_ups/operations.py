"""Make, link and assign action items, and comment on them; their duties are judged already.

syncd does this only in mode `enforce`. In mode `report`, `syncd status` shows what syncd would have done.
"""

from __future__ import annotations

from syncd.domain.duty import DutyState
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import CreateActionItem, EditActionItem, LinkActionItem
from syncd.domain.operation.keys import action_item_key
from syncd.policy.case import Case, Decision, ItemState, Rulebook
from syncd.policy.follow_ups.duties import active
from syncd.policy.follow_ups.judge import NONE_LABEL, follow_ups_unsaid
from syncd.policy.follow_ups.membership import DEFAULT_LINK_TYPE, KNOWLEDGE, MADE
from syncd.policy.follow_ups.table_rows import comment_on_postmortem, decide_rows, rows_of
from syncd.policy.postmortem.create import LINK
from syncd.policy.postmortem.owed import counts_for_another

"""The aspect of the link between syncd's item and its postmortem; in the item's facts: the link was made."""


def act_on_follow_ups(case: Case, book: Rulebook) -> Decision:
    """Return the creates, links, assignments and comments; the case's duties are judged already."""
    rules = book.mapping.follow_ups
    if rules.mode is Mode.OFF or case.before_enforcement or counts_for_another(case):
        return Decision()
    decision = Decision()
    postmortem = case.postmortem
    if postmortem is not None and postmortem.in_sight and postmortem.issue_id not in case.unread:
        decision = decide_rows(case, book).plus(_knowledge(case, book)).plus(_unsaid(case, book))
    for item in case.items:
        decision = decision.plus(_assign(case, item, book)).plus(_link(case, item, book))
    if rules.mode is Mode.ENFORCE or decision.look:
        return decision
    # syncd never does a once-operation on record again, so a note about it would be wrong.
    new = [
        operation for operation in decision.operations if operation.aspect or operation.key not in case.once
    ]
    notes = tuple(
        f"{operation.kind.replace('_', ' ')}: {operation.reason} (follow_ups.mode: report)"
        for operation in new
    )
    return Decision(again=decision.again, dry_run_notes=notes)


def _knowledge(case: Case, book: Rulebook) -> Decision:
    """Make the runbook item of an incident that owes a postmortem.

    QRPay runbook, "Post-Incident": "Ensure knowledge base article is created/updated"; "Post-Incident
    Actions": "Update runbooks/playbooks after every incident".
    """
    duty = case.duty("scheduled")
    owing = duty is None or duty.state is not DutyState.CANCELLED
    unread = case.postmortem is None or case.postmortem.issue is None
    if not book.mapping.follow_ups.knowledge_base or case.incident.open or not owing or unread:
        return Decision()
    # Only a sub-task takes over the security level of its postmortem.
    if case.restricted and book.project.sub_task is None:
        return Decision()
    made = CreateActionItem(
        key=action_item_key(case.incident.id, KNOWLEDGE),
        incident=case.incident.id,
        knowledge=True,
        reason="every incident that needs a postmortem gets a follow-up on runbook and knowledge base",
    )
    return Decision(operations=(made,))


def _unsaid(case: Case, book: Rulebook) -> Decision:
    if not follow_ups_unsaid(case, book):
        return Decision()
    # Rows without an owner become no issues. They are no reason to say that there is nothing.
    listed = (
        case.postmortem is not None
        and book.mapping.follow_ups.rows != "off"
        and bool(rows_of(case.postmortem))
    )
    give = "name an owner in each row of its table" if listed else "create a sub-task for each follow-up"
    text = (
        f"the postmortem is completed, and no follow-up with an owner is recorded: {give}, or set the label"
        f" {NONE_LABEL} if none are needed"
    )
    return Decision(operations=(comment_on_postmortem(case, "none", text, ""),))


def _assign(case: Case, state: ItemState, book: Rulebook) -> Decision:
    """Assign an item without an owner to the service's owner, once, after its deadline.

    Only with `follow_ups.unowned: assign` in the mapping.
    """
    duty, issue = case.duty("owned", state.issue_id), state.issue
    assigns = book.mapping.follow_ups.unowned == "assign" and book.section.owner is not None
    overdue = duty is not None and duty.state is DutyState.BREACHED and state.ended_at is None
    # A deadline that passed before `enforce_from` is only listed: syncd gives nobody old work.
    listed = duty is not None and (duty.breached_at or duty.due_at) < book.mapping.enforced_since
    if not assigns or not overdue or listed:
        return Decision()
    if issue is None or not state.in_sight or state.issue_id in case.unread or active(issue.assignee):
        return Decision()
    # What is done needs no owner, and syncd never changes it.
    if issue.status.category == "done":
        return Decision()
    if not case.owner_known:
        return Decision(look=frozenset({"owner"}))
    owner = case.service_owner
    # syncd assigned the item once already: a person who unassigns it is not overruled.
    if owner is None or "by_rule" in state.facts:
        return Decision()
    edit = EditActionItem(
        incident=case.incident.id,
        aspect="assignee",
        issue=state.issue_id,
        fields={"assignee": book.project.person(owner.id)},
        update={},
        agree={"by_rule": owner.id},
        reason=f"nobody owned {state.key} in time, so the service's owner gets it",
    )
    return Decision(operations=(edit,))


def _link(case: Case, state: ItemState, book: Rulebook) -> Decision:
    """Link an action item that syncd made as a separate issue to its postmortem, once."""
    issue, postmortem = state.issue, case.postmortem
    # A sub-task needs no link: its parent is the postmortem.
    apart = state.source == MADE and issue is not None and issue.parent_id is None
    if not apart or postmortem is None or LINK in state.facts or not state.in_sight:
        return Decision()
    link = LinkActionItem(
        incident=case.incident.id,
        aspect=LINK,
        issue=state.issue_id,
        other=postmortem.issue_id,
        types=tuple(book.mapping.follow_ups.link_types or (DEFAULT_LINK_TYPE,)),
        purpose=LINK,
        reason=f"so that people find {state.key} from its postmortem",
    )
    return Decision(operations=(link,))
