"""Read the facts of one incident afresh from both services, for the second judge.

Times, owners, dates and statuses come from PagerDuty's log and Jira's changelog as they are now. The ledger
tells only which issues belong to the incident, the severities, of which PagerDuty keeps no history, and when
syncd saw that an owner had left, which Jira does not tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syncd.domain.duty import DutyKind
from syncd.domain.history import Change, Leave, SeverityPeriod, StateChange, StateChangeKind
from syncd.domain.incident import Incident, LogEntry, Responder
from syncd.domain.mapping.bindings import bound
from syncd.domain.mapping.mapping import Mapping, claim_of, mapping_of
from syncd.domain.project import ProjectFacts
from syncd.domain.recurring import recurring_of
from syncd.domain.ticket import Account, Issue
from syncd.engine.context import Services
from syncd.engine.jobs.verify_merges import Source, brought_to, stages_of
from syncd.engine.observe.accounts import accounts_on_record
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.key_values import account_known, service_bindings
from syncd.ledger.views.to_verify import ItemOnRecord, OnRecord, on_record_of, rules_changed_at
from syncd.remote.errors import RemoteError
from syncd.verify.compare import Material
from syncd.verify.facts import (
    Correction,
    Decisions,
    IncidentFacts,
    IssueFacts,
    ItemFacts,
    Leaving,
    Merge,
    People,
    RulesLoaded,
)

_STATES: dict[str, StateChangeKind] = {
    "trigger": "triggered",
    "acknowledge": "acknowledged",
    "unacknowledge": "unacknowledged",
    "resolve": "resolved",
}
_ONLY_WHILE_OPEN = frozenset(
    {"trigger", "acknowledge", "unacknowledge", "assign", "escalate", "delegate", "snooze"}
)
"""Log entries that only an open incident has: the first after a resolve shows that it was reopened."""
_LINKS = ("issuelinks", "Link")
_LABEL = "action-item"
ROW_AUTHOR = Account(id="the table's author")
"""The person who named an owner in the follow-up table; the item does not tell who it was."""


class Reader:
    """Reads incident after incident; it asks for each incident and each project once."""

    def __init__(self, ledger: Transactions, services: Services, mappings: Sequence[Mapping]) -> None:
        self._ledger, self._services = ledger, services
        self._mappings = bound(mappings, service_bindings(ledger))
        self._projects: dict[str, ProjectFacts] = {}
        self._materials: dict[str, Material | str] = {}
        self._incidents: dict[str, IncidentFacts | None] = {}
        self._sender: Responder | None = None

    def material(self, incident_id: str) -> Material | str:
        """Return what the second judge needs of an incident, or why there is nothing, in words.

        Raise `RemoteError` where a service cannot answer.
        """
        if incident_id not in self._materials:
            self._materials[incident_id] = self._read(incident_id)
        return self._materials[incident_id]

    def forget(self, incident_id: str) -> None:
        """Read an incident anew when it is asked for again."""
        self._materials.pop(incident_id, None)
        self._incidents.clear()

    def _read(self, incident_id: str) -> Material | str:
        if recurring_of(incident_id) is not None:
            return "the second judge does not judge what recurs"
        record = on_record_of(self._ledger, incident_id)
        if record is None:
            return "the ledger does not have it"
        mapping = mapping_of(self._mappings, record.incident.team)
        if mapping is None:
            return "no mapping is for its team"
        material = Material(
            incident=incident_id,
            number=record.incident.number,
            team=mapping.team,
            facts=None,
            people=self._people(mapping),
            decisions=_decisions(record, mapping),
            postmortem=record.postmortem[1] if record.postmortem else None,
            rules_changed=tuple(rules_changed_at(self._ledger, mapping.file)),
        )
        try:
            return self._with_facts(material, record, mapping)
        except RemoteError as error:
            # one object's trouble stays its own
            if not error.of_one_object:
                raise
            return f"it cannot be read: {error.describe()}"

    def _with_facts(self, material: Material, record: OnRecord, mapping: Mapping) -> Material:
        facts = self._incident(record.incident.id)
        if facts is None:
            gone = {"": "PagerDuty does not show the incident any more"}
            return material.model_copy(update={"unreadable": gone})
        unreadable: dict[str, str] = {}
        keys: dict[str, str] = {}
        left: set[str] = set()
        postmortem = None
        if record.postmortem is not None:
            issue_id, key = record.postmortem
            issue = self._issue(issue_id, _date_field(mapping))
            if issue is None:
                unreadable[key] = f"Jira does not show {key} any more"
            else:
                leaves = record.leaves.get(issue.id, {})
                postmortem = self._facts_of(issue, mapping, leaves, is_postmortem=True)
                keys[issue.id] = issue.key
                left |= _inactive(issue, key, leaves)
        items = []
        for item in record.items:
            issue = self._issue(item.issue_id)
            if issue is None:
                unreadable[item.key] = f"Jira does not show {item.key} any more"
                continue
            keys[issue.id] = item.key
            leaves = record.leaves.get(issue.id, {})
            left |= _inactive(issue, item.key, leaves)
            facts_of_item = self._facts_of(issue, mapping, leaves, is_postmortem=False)
            items.append(self._with_stages(_item(item, facts_of_item, record.ends), item.origin))
        facts = facts.model_copy(update={"postmortem": postmortem, "items": tuple(items)})
        update = {"facts": facts, "keys": keys, "unreadable": unreadable, "left": frozenset(left)}
        return material.model_copy(update=update)

    def _incident(self, incident_id: str) -> IncidentFacts | None:
        """Return an incident's facts without its issues, with what was merged into it; None if it is gone."""
        if incident_id not in self._incidents:
            # a circle of merges must end somewhere
            self._incidents[incident_id] = None
            record = on_record_of(self._ledger, incident_id)
            incident = self._services.pagerduty.incident(incident_id) if record is not None else None
            if record is not None and incident is not None:
                self._incidents[incident_id] = self._with_sources(record, incident)
        return self._incidents[incident_id]

    def _with_sources(self, record: OnRecord, incident: Incident) -> IncidentFacts:
        log = self._services.pagerduty.incident_log(incident.id)
        claim = claim_of(self._mappings, incident.service)
        sources = {}
        for source in record.sources:
            rules, source_facts = mapping_of(self._mappings, source.team), self._incident(source.id)
            if rules is not None and source_facts is not None:
                sources[source.id] = Source(source_facts, rules)
        return _incident(record, incident, log, self._our_user()).model_copy(
            update={
                "service_owes": claim is not None and claim[1].postmortem,
                "absorbed": tuple(brought_to(incident.id, sources)),
            }
        )

    def _with_stages(self, item: ItemFacts, origin: str | None) -> ItemFacts:
        """Return an item with the incidents for which it counts, if a merge handed it over."""
        if origin is None:
            return item
        return item.model_copy(update={"stages": stages_of(origin, item.became_at, self._incident)})

    def _our_user(self) -> str | None:
        self._sender = self._sender or self._services.pagerduty.sender()
        return self._sender.id if self._sender else None

    def _people(self, mapping: Mapping) -> People:
        robots = set()
        for entry in mapping.people.robots:
            email = mapping.people.aliases.get(entry, entry).casefold()
            known = account_known(self._ledger, email, mapping.jira.project) if "@" in entry else None
            robots.add(known[0].id if known and known[0] else entry)
        return People(automatic=frozenset(accounts_on_record(self._ledger)) | robots)

    def _issue(self, issue_id: str, *fields: str) -> Issue | None:
        fetched = self._services.jira.fetch_by_id(
            issue_id, fields=[name for name in fields if name != "duedate"]
        )
        return fetched.issues[0] if fetched.issues else None

    def _facts_of(
        self, issue: Issue, mapping: Mapping, leaves: dict[str, Leave], *, is_postmortem: bool
    ) -> IssueFacts:
        date_field = _date_field(mapping) if is_postmortem else "duedate"
        date = issue.due_date if date_field == "duedate" else issue.fields.get(date_field)
        return IssueFacts(
            id=issue.id,
            created_at=issue.created_at
            or min(change.at for change in self._services.jira.changelog(issue.id)),
            creator=None,
            status=issue.status.id,
            assignee=issue.assignee.id if issue.assignee else None,
            date=str(date) if date else None,
            date_field=date_field,
            labels=issue.labels,
            resolution=issue.resolution.name if issue.resolution else None,
            changes=self._services.jira.changelog(issue.id),
            comments=self._services.jira.comments(issue.id),
            done_statuses=self._done(issue, mapping if is_postmortem else None),
            leavers={
                account: Leaving(inactive_at=leave.by, back_at=leave.back)
                for account, leave in leaves.items()
                if leave.after is not None
            },
        )

    def _done(self, issue: Issue, mapping: Mapping | None) -> frozenset[str]:
        """Return the ids of statuses that mean done; of a postmortem, those that the mapping names."""
        if issue.project not in self._projects:
            self._projects[issue.project] = self._services.jira.project(issue.project)
        every = [status for kind in self._projects[issue.project].types for status in kind.statuses]
        every.append(issue.status)
        names = {name.casefold() for name in mapping.postmortem.statuses} if mapping else set()
        named = {
            status.id
            for status in every
            if status.name.casefold() in names or (status.untranslated or "").casefold() in names
        }
        return frozenset(named or {status.id for status in every if status.category == "done"})


def _decisions(record: OnRecord, mapping: Mapping) -> Decisions:
    return Decisions(
        rules=(RulesLoaded(at=mapping.enforced_since, mapping=mapping),),
        waivers=record.waivers,
        corrections=tuple(
            Correction(
                kind=DutyKind(str(taken.data["duty"])),
                subject=str(taken.data["subject"]),
                clock=int(taken.data.get("clock") or 1),
                at=taken.at,
                met_at=taken.data.get("met_at"),
            )
            for taken in record.corrections
        ),
    )


def _date_field(mapping: Mapping) -> str:
    name = mapping.postmortem.date_field
    return "duedate" if name.casefold() in ("duedate", "due date") else name


def _inactive(issue: Issue, key: str, leaves: dict[str, Leave]) -> set[str]:
    """Return the key if the ledger does not tell when an owner of the issue left."""
    owner = issue.assignee
    unseen = owner is not None and not owner.active and owner.id not in leaves
    # not of who was never seen active
    untold = any(leave.after is None for leave in leaves.values())
    return {key} if unseen or untold else set()


def _item(item: ItemOnRecord, issue: IssueFacts, ends: frozenset[str]) -> ItemFacts:
    became = [issue.created_at]
    if item.source.startswith("linked"):
        became += [each.at for each in issue.changes if each.field in _LINKS and each.after in ends][-1:]
        labelled = [each for each in issue.changes if each.field == "labels"]
        became += [each.at for each in labelled if _LABEL in (each.after_words or "").split()][:1]
    runbook = bool(item.facts.get("knowledge-base"))
    return ItemFacts(
        issue=issue,
        became_at=max(became),
        runbook=runbook,
        named_by=ROW_AUTHOR if item.source == "made" and not runbook else None,
        left_at=_left(item, issue, ends),
    )


def _left(item: ItemOnRecord, issue: IssueFacts, ends: frozenset[str]) -> datetime | None:
    """Return when an item ceased to be one: when its link, label or parent was taken, else the look."""
    if item.ended_at is None:
        return None
    taken = [
        each.at
        for each in issue.changes
        if each.field == "parent"
        or (each.field in _LINKS and each.before in ends and not each.after)
        or (each.field == "labels" and _loses_label(each))
    ]
    return min(taken[-1], item.ended_at) if taken else item.ended_at


def _loses_label(change: Change) -> bool:
    before, after = ((words or "").split() for words in (change.before_words, change.after_words))
    return _LABEL in before and _LABEL not in after


def _incident(
    record: OnRecord, incident: Incident, log: Sequence[LogEntry], our_user: str | None
) -> IncidentFacts:
    alerts = [entry.at for entry in log if entry.kind == "trigger"]
    notes = [
        entry.at
        for entry in log
        if entry.kind == "annotate" and entry.by_person and entry.agent and entry.agent.id != our_user
    ]
    return IncidentFacts(
        id=incident.id,
        created_at=incident.created_at,
        states=_states(incident, log),
        signs=tuple(sorted([*alerts, *notes])),
        severities=tuple(
            SeverityPeriod.model_validate(period) for period in record.incident.severity_periods
        ),
        exercise_at=record.incident.exercise_at,
        merges=_merges(record, incident, log),
    )


def _merges(record: OnRecord, incident: Incident, log: Sequence[LogEntry]) -> tuple[Merge, ...]:
    """Return the incident's merges into others; a log that does not tell one leaves its resolve."""
    told = [(entry.at, entry.merged_into) for entry in log if entry.merged_into]
    if incident.merged_into and incident.over_since and incident.merged_into not in dict(told).values():
        told.append((incident.over_since, incident.merged_into))
    return tuple(Merge(at=at, into=into, claimed=into not in record.unclaimed) for at, into in sorted(told))


def _states(incident: Incident, log: Sequence[LogEntry]) -> tuple[StateChange, ...]:
    """Return the changes of state; PagerDuty names no entry for a reopening, so what follows it shows it."""
    states: list[StateChange] = []
    resolves = [entry.at for entry in log if entry.kind == "resolve"]
    last = max(resolves, default=None)
    is_open = True
    for entry in log:
        # after the last resolve of a resolved incident nothing reopened it
        reopens = incident.open or (last is not None and entry.at < last)
        if not is_open and entry.kind in _ONLY_WHILE_OPEN and reopens:
            states.append(StateChange(kind="reopened", at=entry.at))
            is_open = True
        if entry.kind in _STATES:
            states.append(StateChange(kind=_STATES[entry.kind], at=entry.at))
            is_open = is_open and entry.kind != "resolve"
    reopened_at = None if is_open or last is None else incident.reopened_after(last)
    if reopened_at is not None:
        states.append(StateChange(kind="reopened", at=reopened_at))
    if incident.over_since is not None and is_open:
        # the log of a merged incident shows no resolve
        states.append(StateChange(kind="resolved", at=incident.over_since))
    return tuple(states)
