"""Take names and texts out of what the second judge decides on, so that it can leave the machine.

What stays are times, statuses, hashed accounts, and the words of rules on which a verdict rests. The second
judge says the same of it as of the original.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from syncd.domain.duty import Waiver
from syncd.domain.history import Change
from syncd.domain.mapping.jira_section import JiraSection
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection, SeveritySection
from syncd.domain.ticket import Account, Comment
from syncd.verify.compare import Material
from syncd.verify.facts import Decisions, IncidentFacts, IssueFacts, Leaving, People, RulesLoaded

_LABELS = frozenset({"wont-do", "no-change-needed"})
"""The labels on which a verdict rests."""


def without_names(material: Material, salt: str) -> Material:
    """Return the material with accounts as hashes under a salt, and without names and texts."""
    return _Veil(salt).material(material)


def rules_alone(mapping: Mapping) -> Mapping:
    """Return the rules by which the second judge decides, without people, services and texts."""
    return Mapping(
        team=mapping.team,
        enforce_from=mapping.enforce_from,
        jira=JiraSection(project=mapping.jira.project),
        services={"service": ServiceSection()},
        severities={
            name: SeveritySection(postmortem=section.postmortem, follow_up_days=section.follow_up_days)
            for name, section in mapping.severities.items()
        },
        postmortem=mapping.postmortem,
        follow_ups=mapping.follow_ups,
        zone=mapping.zone,
        holidays=mapping.holidays,
    )


class _Veil:
    def __init__(self, salt: str) -> None:
        self._salt = salt

    def material(self, material: Material) -> Material:
        facts = material.facts
        return material.model_copy(
            update={
                "facts": self._facts(facts) if facts else None,
                "people": self._people(material.people),
                "decisions": self._decisions(material.decisions),
            }
        )

    def _id(self, account: str) -> str:
        return sha256(f"{self._salt}/{account}".encode()).hexdigest()[:16]

    def _account(self, account: Account | None) -> Account | None:
        return None if account is None else Account(id=self._id(account.id), human=account.human)

    def _people(self, people: People) -> People:
        return People(
            automatic=frozenset(map(self._id, people.automatic)),
            leavers=self._leavers(people.leavers),
        )

    def _leavers(self, leavers: dict[str, Leaving]) -> dict[str, Leaving]:
        return {self._id(account): leaving for account, leaving in leavers.items()}

    def _decisions(self, decisions: Decisions) -> Decisions:
        return Decisions(
            rules=tuple(
                RulesLoaded(at=loaded.at, mapping=rules_alone(loaded.mapping)) for loaded in decisions.rules
            ),
            waivers=tuple(map(_waiver, decisions.waivers)),
            corrections=decisions.corrections,
        )

    def _facts(self, facts: IncidentFacts) -> IncidentFacts:
        return _nameless(facts).model_copy(
            update={
                "postmortem": self._issue(facts.postmortem) if facts.postmortem else None,
                "items": tuple(
                    item.model_copy(
                        update={
                            "issue": self._issue(item.issue),
                            "named_by": self._account(item.named_by),
                            "stages": tuple(
                                stage.model_copy(update={"incident": _without_issues(stage.incident)})
                                for stage in item.stages
                            ),
                        }
                    )
                    for item in facts.items
                ),
            }
        )

    def _issue(self, issue: IssueFacts) -> IssueFacts:
        return issue.model_copy(
            update={
                "creator": self._account(issue.creator),
                "assignee": self._id(issue.assignee) if issue.assignee else None,
                "labels": _labels(issue.labels),
                "changes": tuple(self._change(change, issue.date_field) for change in issue.changes),
                "comments": tuple(map(self._comment, issue.comments)),
                "leavers": self._leavers(issue.leavers),
            }
        )

    def _change(self, change: Change, date_field: str) -> Change:
        act = Change(at=change.at, author=self._account(change.author), field="other")
        before, after = change.before, change.after
        if change.field in ("summary", "description"):
            # that somebody wrote is asked, never what
            kept: dict[str, str | None] = {}
        elif change.field in ("status", date_field):
            kept = {"before": before, "after": after}
        elif change.field == "assignee":
            kept = {
                "before": self._id(before) if before else None,
                "after": self._id(after) if after else None,
            }
        elif change.field == "resolution":
            kept = {"before_words": change.before_words, "after_words": change.after_words}
        elif change.field == "labels":
            words = (change.before_words, change.after_words)
            kept = dict(zip(("before_words", "after_words"), (_words(word) for word in words), strict=True))
        else:
            return act
        return act.model_copy(update={"field": change.field, **kept})

    def _comment(self, comment: Comment) -> Comment:
        # a runbook item is closed by a comment with a link; which one, no verdict asks
        body = "://" if "://" in comment.body else ""
        return Comment(
            id=comment.id, author=self._account(comment.author), body=body, created_at=comment.created_at
        )


def _nameless(facts: IncidentFacts) -> IncidentFacts:
    states = tuple(state.model_copy(update={"agent": ""}) for state in facts.states)
    return facts.model_copy(update={"states": states})


def _without_issues(facts: IncidentFacts) -> IncidentFacts:
    """Return what an action item asks of an incident for which it counted: its states and severities."""
    return _nameless(facts).model_copy(update={"postmortem": None, "items": ()})


def _labels(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(label for label in labels if label in _LABELS)


def _words(labels: str | None) -> str | None:
    return " ".join(_labels(labels.split())) if labels else labels


def _waiver(waiver: Waiver) -> Waiver:
    return waiver.model_copy(update={"reason": "", "by": "", "ended_by": None})
