"""Holds what follows the incidents to account: postmortems, action items, duties.

A postmortem is made once where one is owed, and none where none is; what people hang on it is on record for
good, with the duties that it brings. Where people's acts leave open what is owed (a severity that changed, a
merge, a move to another service), only the rest is held.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ledger_reading import ActionItemRow, DutyRow, PostmortemRow, operations, rows

from simulation.people import papers
from simulation.plan import FOREIGN
from simulation.play import Ending
from syncd.domain.operation import op_of, postmortem_key
from syncd.ledger.database.connection import Transactions
from syncd.sandbox.jira.model import Issue
from syncd.sandbox.pagerduty.records import Incident


@dataclass
class DutyIssueComplaints:
    """What was not as promised."""

    duplicates: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def duty_issue_complaints(ledger: Transactions, ending: Ending) -> DutyIssueComplaints:
    """Given the ledger and an ending, return what its postmortem and action items lack."""
    found = DutyIssueComplaints()
    known = {row.incident_id: row for row in rows(ledger, PostmortemRow)}
    for incident in ending.world.pagerduty.account.incidents.values():
        _hold_postmortem(ending, incident, known.get(incident.id), found)
    _hold_marks(ledger, ending, found)
    _hold_items(ledger, ending, found)
    return found


def _hold_postmortem(
    ending: Ending, incident: Incident, row: PostmortemRow | None, found: DutyIssueComplaints
) -> None:
    made = papers(ending.world, incident.id)
    if len(made) > 1:
        found.duplicates.append(f"{len(made)} postmortems of {incident.id}: {[one.key for one in made]}")
    owes = _owes(ending, incident)
    if owes is False and made:
        found.others.append(f"{incident.id} owes no postmortem and has {made[0].key}")
    if owes and not made:
        found.losses.append(f"{incident.id} owes a postmortem and has none")
    if made and (row is None or row.issue_id != str(made[0].id)):
        found.others.append(f"the ledger does not know {made[0].key} as the postmortem of {incident.id}")
    if made and incident.id not in ending.people.deleted and not _linked(ending, incident, made[0]):
        found.losses.append(f"{made[0].key} is not linked to the ticket of {incident.id}")


def _owes(ending: Ending, incident: Incident) -> bool | None:
    """Whether it owes a postmortem at the end; None: people's acts leave that open."""
    people, account = ending.people, ending.world.pagerduty.account
    if not ending.plan.papers:
        return False
    if incident.id in people.priority_changed or incident.id in people.deleted:
        return None
    if incident.merged_into or people.owed_for_others(incident.id):
        return None
    services = people.services[incident.id]
    if len(services) > 1 or FOREIGN in services or incident.is_open:
        return None
    priority = account.priorities.get(incident.priority_id or "")
    return incident.urgency == "high" if priority is None else priority.name != "P4"


def _linked(ending: Ending, incident: Incident, paper: Issue) -> bool:
    ticket = ending.people.ticket(incident.id)
    links = ending.world.jira.site.links
    return ticket is None or any({one.source, one.target} == {ticket.id, paper.id} for one in links)


def _hold_marks(ledger: Transactions, ending: Ending, found: DutyIssueComplaints) -> None:
    """Each issue with our mark is what one operation of this ledger made, and no other is."""
    keys = {row.op for row in operations(ledger)}
    marks: Counter[str] = Counter()
    for issue in ending.world.jira.site.issues.values():
        mark = issue.now.properties.get("syncd") or {}
        if not mark:
            continue
        if issue.deleted_at is None or mark["incident"] not in ending.people.deleted_unseen:
            marks[mark["op"]] += 1
        if mark["op"] not in keys:
            found.others.append(f"{issue.key} bears the mark of no operation")
        if mark["kind"] == "create_postmortem" and mark["op"] != op_of(postmortem_key(mark["incident"])):
            found.others.append(f"{issue.key} is the postmortem of no incident")
    found.duplicates += [
        f"{number} issues of the operation {op}" for op, number in marks.items() if number > 1
    ]


def _hold_items(ledger: Transactions, ending: Ending, found: DutyIssueComplaints) -> None:
    """An action item that once was is never dropped."""
    items = {row.issue_id: row for row in rows(ledger, ActionItemRow)}
    with_duties = {row.subject for row in rows(ledger, DutyRow)}
    incidents = ending.world.pagerduty.account.incidents
    for item in ending.people.items:
        row = items.get(item.ident)
        heirs = (item.incident, incidents[item.incident].merged_into)
        if row is None or row.incident_id not in heirs:
            found.losses.append(f"the action item {item.ident} of {item.incident} is not on record")
        elif row.ended_at is not None:
            found.losses.append(f"the action item {row.key} of {item.incident} was dropped")
        elif item.ident not in with_duties and not incidents[row.incident_id].is_open:
            # while its incident is open once more, no clock of an action item begins
            found.losses.append(f"the action item {row.key} of {item.incident} brings no duty")
