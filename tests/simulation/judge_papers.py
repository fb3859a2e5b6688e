"""Judges what follows an incident: postmortems, action items, duties.

A postmortem is made once if it is owed, else never. Action items that people add to it stay on record for
ever, with their duties. Where acts of people leave open what is owed (a changed severity, a merge, a move to
another service), only the rest is judged.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ledger_reading import ActionItemRow, DutyRow, PostmortemRow, operations, rows

from simulation.ending import Ending
from simulation.people import papers
from simulation.plan import FOREIGN
from syncd.domain.operation import op_of, postmortem_key
from syncd.ledger.database.connection import Transactions
from syncd.sandbox.jira.model import Issue
from syncd.sandbox.pagerduty.records import Incident


@dataclass
class DutyIssueComplaints:
    """The complaints about postmortems and action items."""

    duplicates: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def duty_issue_complaints(ledger: Transactions, ending: Ending) -> DutyIssueComplaints:
    """Return the complaints about the postmortems and action items of an ending."""
    complaints = DutyIssueComplaints()
    row_by_incident = {row.incident_id: row for row in rows(ledger, PostmortemRow)}
    for incident in ending.people.incidents():
        _hold_postmortem(ending, incident, row_by_incident.get(incident.id), complaints)
    _hold_marks(ledger, ending, complaints)
    _hold_items(ledger, ending, complaints)
    return complaints


def _hold_postmortem(
    ending: Ending, incident: Incident, row: PostmortemRow | None, complaints: DutyIssueComplaints
) -> None:
    made = papers(ending.world, incident.id)
    if len(made) > 1:
        complaints.duplicates.append(
            f"{len(made)} postmortems of {incident.id}: {[issue.key for issue in made]}"
        )
    owes = _owes(ending, incident)
    if owes is False and made:
        complaints.others.append(f"{incident.id} owes no postmortem and has {made[0].key}")
    if owes and not made:
        complaints.losses.append(f"{incident.id} owes a postmortem and has none")
    if made and (row is None or row.issue_id != str(made[0].id)):
        complaints.others.append(f"the ledger does not know {made[0].key} as the postmortem of {incident.id}")
    if made and incident.id not in ending.people.deleted and not _linked(ending, incident, made[0]):
        complaints.losses.append(f"{made[0].key} is not linked to the ticket of {incident.id}")


def _owes(ending: Ending, incident: Incident) -> bool | None:
    """Return True if the incident owes a postmortem at the end, None if acts of people leave that open."""
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
    return ticket is None or any({link.source, link.target} == {ticket.id, paper.id} for link in links)


def _hold_marks(ledger: Transactions, ending: Ending, complaints: DutyIssueComplaints) -> None:
    """Complain about each issue with our mark that is not the work of exactly one operation."""
    keys = {row.op for row in operations(ledger)}
    marks: Counter[str] = Counter()
    for issue in ending.world.jira.site.issues.values():
        mark = issue.now.properties.get("syncd") or {}
        if not mark:
            continue
        if issue.deleted_at is None or mark["incident"] not in ending.people.deleted_unseen:
            marks[mark["op"]] += 1
        if mark["op"] not in keys:
            complaints.others.append(f"{issue.key} bears the mark of no operation")
        if mark["kind"] == "create_postmortem" and mark["op"] != op_of(postmortem_key(mark["incident"])):
            complaints.others.append(f"{issue.key} is the postmortem of no incident")
    complaints.duplicates += [
        f"{number} issues of the operation {op}" for op, number in marks.items() if number > 1
    ]


def _hold_items(ledger: Transactions, ending: Ending, complaints: DutyIssueComplaints) -> None:
    """Complain about each action item that was dropped or never recorded."""
    items = {row.issue_id: row for row in rows(ledger, ActionItemRow)}
    with_duties = {row.subject for row in rows(ledger, DutyRow)}
    incidents = ending.world.pagerduty.account.incidents
    for item in ending.people.items:
        row = items.get(item.ident)
        heirs = (item.incident, incidents[item.incident].merged_into)
        if row is None or row.incident_id not in heirs:
            complaints.losses.append(f"the action item {item.ident} of {item.incident} is not on record")
        elif row.ended_at is not None:
            complaints.losses.append(f"the action item {row.key} of {item.incident} was dropped")
        elif item.ident not in with_duties and not incidents[row.incident_id].is_open:
            # While its incident is open again, the clock of an action item does not start.
            complaints.losses.append(f"the action item {row.key} of {item.incident} brings no duty")
