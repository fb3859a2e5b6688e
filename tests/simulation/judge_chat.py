"""Judges the chat: each step of an incident once, and nothing that the channel must not hear.

The rules are read off the posts that the chat received and off what people did, never off the ledger. A post
may be missing, because none is sent again; only without faults the channel has to hear of an incident.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

from simulation.ending import Ending
from simulation.plan import FOREIGN, LEAK
from simulation.teams import EVERY
from syncd.sandbox.cast import START
from syncd.sandbox.chat import Post
from syncd.sandbox.pagerduty.records import Incident

_TICKET = re.compile(r"\*SEV\d #(\d+)\* ")
_SEVERITY = re.compile(r"\*#(\d+) is now (SEV\d)\* \(was SEV\d\): ")
_RESOLVED = re.compile(r"\*#(\d+) is resolved\*: ")
_OWED = re.compile(r"\*#(\d+) needs an update\*: no update since .*?(\d\d:\d\d)")
_OVERDUE = re.compile(r"\*#(\d+): .* is overdue\* since ")
_UPDATE = re.compile(r"chat\.txt\.j2: (.*) /  / ")
_SEVERITIES = {"P1": ("SEV0",), "P2": ("SEV1",), "P3": ("SEV2",), "P4": ("SEV3",), None: ("SEV2", "SEV3")}
"""By priority, the severities that an incident may have with it."""
IN_A_ROW = 2
"""So many reminders of an owed update may follow each other."""


def chat_complaints(ending: Ending) -> Iterator[str]:
    """Yield the complaints about posts."""
    posts, plan = ending.world.chat.posts, ending.plan
    if plan.dry or plan.chat != "enforce":
        yield from (f"posted in mode {plan.chat}: {post.text!r}" for post in posts)
        return
    judge = _Judge(ending)
    for post in posts:
        yield from judge.take(post)
    yield from judge.complaints()


class _Judge:
    """Counts the posts of an ending by incident and step."""

    def __init__(self, ending: Ending) -> None:
        self.ending, self.channel = ending, ending.channel
        incidents = ending.world.pagerduty.account.incidents.values()
        self.incidents = {incident.number: incident for incident in incidents}
        self.tickets: Counter[int] = Counter()
        self.resolves: Counter[int] = Counter()
        self.severities: Counter[tuple[int, str]] = Counter()
        self.updates: Counter[str] = Counter()
        self.owed: defaultdict[tuple[int, str], list[Post]] = defaultdict(list)

    def take(self, post: Post) -> Iterator[str]:
        """Count a post, and yield what is wrong with it alone."""
        text = post.text
        if LEAK in text or "12 cards" in text:
            yield f"posted of a restricted incident: {text!r}"
        if match := _UPDATE.match(text):
            self.updates[match[1]] += 1
            return
        bare = _EXERCISE.sub("", text, count=1)
        match = next(filter(None, (form.match(bare) for form in _FORMS)), None)
        incident = self.incidents.get(int(match[1])) if match else None
        if match is None or incident is None:
            yield f"posted, and no step explains it: {text!r}"
            return
        if incident.id in self.channel.restricted:
            yield f"posted of the restricted incident {incident.id}: {text!r}"
        if incident.id in self.channel.over_before:
            yield f"posted of {incident.id}, which was over before enforce_from: {text!r}"
        yield from self._count(match, incident, post)

    def _count(self, match: re.Match[str], incident: Incident, post: Post) -> Iterator[str]:
        number, form = incident.number, match.re
        if form is _TICKET:
            self.tickets[number] += 1
            if incident.id in self.channel.open_before:
                yield f"posted of the time before enforce_from: {post.text!r}"
        elif form is _RESOLVED:
            self.resolves[number] += 1
        elif form is _SEVERITY:
            self.severities[number, match[2]] += 1
        elif form is _OWED:
            self.owed[number, match[2]].append(post)
        elif not self.ending.plan.steps:
            yield f"posted that something is overdue, and nothing is due within a day: {post.text!r}"

    def complaints(self) -> Iterator[str]:
        """Yield what is wrong with all posts together."""
        for number, times in self.tickets.items():
            if times > 1:
                yield f"duplicate: {times} posts about the ticket of #{number}"
        yield from self._too_many_resolves()
        yield from self._too_many_severities()
        words = {str(act.arguments.get("text", "")) for act in self.ending.plan.acts}
        for text, times in self.updates.items():
            if times > 1:
                yield f"duplicate: {times} posts of the update {text!r}"
            if f"update: {text}" not in words:
                yield f"posted an update that nobody wrote in the time of the rules: {text!r}"
        for (number, since), posts in self.owed.items():
            yield from self._reminders(self.incidents[number], since, posts)
        yield from self._unheard()

    def _acts(self, number: int, kind: str) -> list[object]:
        """Return the priorities that acts of one kind on an incident set, or None for each act."""
        ids = {ident: plan_number for plan_number, ident in self.ending.people.ids.items()}
        ident = self.incidents[number].id
        if ident in self.channel.exercises and kind == "set_priority":
            return ["P1"]
        mine = ids.get(ident)
        return [
            act.arguments.get("priority")
            for act in self.ending.plan.acts
            if act.incident == mine and act.kind == kind
        ]

    def _too_many_resolves(self) -> Iterator[str]:
        for number, times in self.resolves.items():
            resolved = len(self._acts(number, "resolve")) or 1
            if times > resolved:
                yield f"duplicate: {times} posts about {resolved} resolves of #{number}"

    def _too_many_severities(self) -> Iterator[str]:
        for (number, severity), times in self.severities.items():
            priorities = self._acts(number, "set_priority")
            changes = sum(severity in _SEVERITIES[priority] for priority in priorities)  # type: ignore[index] # as drawn
            if times > changes:
                yield f"duplicate: {times} posts that #{number} is {severity}, after {changes} changes to it"

    def _reminders(self, incident: Incident, since: str, posts: list[Post]) -> Iterator[str]:
        """Yield what is wrong with the reminders of one owed update."""
        if len(posts) > IN_A_ROW:
            yield f"{len(posts)} reminders in a row of #{incident.number}, all since {since}"
        people, plan = self.ending.people, self.ending.plan
        texts = [*people.notes, *people.comments]
        moments = [START + timedelta(seconds=text.at) for text in texts if text.incident == incident.id]
        moments += [START + timedelta(seconds=at) for at in people.reopened_at.get(incident.id, ())]
        begun = [at for at in [incident.created_at, *moments] if f"{at:%H:%M}" == since]
        if incident.id in self.channel.open_before:
            return
        if not begun:
            yield f"a reminder of #{incident.number} counts from {since}, when nothing happened"
        elif not plan.steps and posts[0].at < min(begun) + timedelta(seconds=EVERY - CUT):
            yield f"a reminder of #{incident.number} came before the update was owed"
        # after an outage only the latest reminder leaves: two leave only if the first was in time
        settled = incident.id not in people.priority_changed and not plan.steps
        late = max(begun, default=START) + timedelta(seconds=2 * EVERY + plan.poll + SLACK)
        if begun and settled and len(posts) == IN_A_ROW and posts[0].at > late:
            yield f"two reminders of #{incident.number} left when the second one was due already"

    def _unheard(self) -> Iterator[str]:
        """Yield the incidents of which the channel heard nothing although nothing failed."""
        ending, plan, people = self.ending, self.ending.plan, self.ending.people
        if plan.windows or plan.closed or plan.crashes or plan.steps or plan.pauses or plan.logged_out:
            return
        if plan.archived:
            return
        for number, incident in self.incidents.items():
            settled = incident.id in people.services and incident.merged_into is None
            if not settled or FOREIGN in people.services[incident.id]:
                continue
            if incident.id not in ending.people.deleted and not self.tickets[number] + self.resolves[number]:
                yield f"loss: the channel heard nothing of {incident.id}"


CUT = 1.0
"""PagerDuty cuts times to the second."""
SLACK = 60.0
"""Seconds that reading, deciding and sending may take where nothing fails."""
_EXERCISE = re.compile(r"\*\[EXERCISE\??\]\* ")
"""What stands before the post of an incident that may be an exercise."""
_FORMS = (_TICKET, _SEVERITY, _RESOLVED, _OWED, _OVERDUE)
