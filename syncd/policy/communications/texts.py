"""Make texts for chat and customers from people's lines `update:` and `mitigation:`, once for each line.

QRPay runbook, "Communication Templates"; Ramen runbook, "Comms templates". syncd posts the chat's text
itself. The others stand in one comment on the ticket, from which people copy them: publishing is theirs. A
line is read once: an edit or a deletion later makes no text, and the scribe hears so once.

Where somebody has to approve (Ramen runbook, "Security/PII incident": approved by legal), a text is a
numbered draft until that person comments `approved` or `approved N`. All texts of one line have its number.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from pydantic import Field

from syncd.config.templates.text_limits import cut
from syncd.domain.base import JsonValue, UtcTime, Value
from syncd.domain.incident import Responder
from syncd.domain.mapping.communications import Audience, TextSection
from syncd.domain.operation import CommentOnTicket, Operation, PostChat, PostReadyTexts, RewriteReadyTexts
from syncd.domain.operation.chat import UpdatePost
from syncd.domain.operation.keys import comment_key
from syncd.domain.role import Role, RoleHolder
from syncd.domain.text import escape_wiki, one_line
from syncd.domain.ticket import Account
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.exercises import CERTAIN, mark_of
from syncd.policy.lines import PersonLine, approvals_of, lines_of, texts_of_people
from syncd.policy.marks import text_hash
from syncd.policy.notify.chat import LATER_STEP, post_all, update_post
from syncd.policy.notify.reminders import mention
from syncd.policy.restricted import is_stub
from syncd.policy.roles import role_holders
from syncd.policy.severity import decide_severity
from syncd.policy.time.time_words import at_words

TEXTS = "texts"
"""The key in a ticket's agreed values."""
ASPECT = "texts"
LOOK = "customer_approvers"
UPDATE, MITIGATION = "update", "mitigation"
READY = "ready to use"
LONGEST = 1000
"""UTF-16 units of a line's text in a template."""
_DONE = ""
"""The hash of a line about which nothing more is to be said: it made no text, or its author heard of it."""


class MadeText(Value):
    """The latest text of one name, and the words that fill its template: those of the update and mitigation.

    `update_line` and `mitigation_line` name the two lines (`note:ID`), `author` and `agent` wrote the texts;
    of a restricted incident the words are not stored.
    `body` is the filled text, `print` its hash. `shown_at` is when it stood on the ticket, by Jira's clock.
    `state` says to people whether they may use it.
    """

    name: str
    number: int
    at: UtcTime
    author: str
    agent: str = ""
    update_line: str = ""
    mitigation_line: str = ""
    text: str = ""
    mitigation: str = ""
    next_at: UtcTime | None = None
    body: str = ""
    print: str = ""
    shown_at: UtcTime | None = None
    approved_at: UtcTime | None = None
    approved_by: str = ""
    state: str = ""


class ReadyTexts(Value):
    """All that syncd keeps of an incident's texts, among the agreed values of its ticket.

    `lines` are the lines that were read, with the hash of their text then. `comments` counts the comments
    with the texts; `comment` is the id of the last one, None before it is written or once it is not ours.
    `version` is what it shows, `hash` its text as Jira has it.
    """

    lines: dict[str, str] = Field(default_factory=dict)
    number: int = 0
    made: tuple[MadeText, ...] = ()
    comments: int = 0
    comment: str | None = None
    version: str = ""
    hash: str = ""

    @property
    def wanted(self) -> str:
        """The version that the comment has to show: a hash of the texts' numbers and states."""
        shown = [(text.name, text.number, text.state) for text in self.made]
        return text_hash(json.dumps(shown)) if shown else ""


def ready_texts(agreed: dict[str, JsonValue]) -> ReadyTexts:
    """Return what a ticket's agreed values hold of texts."""
    return ReadyTexts.model_validate(agreed.get(TEXTS) or {})


def with_ready_texts(agreed: dict[str, JsonValue], texts: ReadyTexts) -> dict[str, JsonValue]:
    """Return a ticket's agreed values with the texts."""
    return {**agreed, TEXTS: texts.model_dump(mode="json", exclude_defaults=True)}


def without_words(agreed: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the agreed values of a ticket that becomes restricted, without the words of its texts."""
    if TEXTS not in agreed:
        return agreed
    texts, empty = ready_texts(agreed), {"text": "", "mitigation": "", "body": ""}
    made = tuple(text.model_copy(update=empty) for text in texts.made)
    return with_ready_texts(agreed, texts.model_copy(update={"made": made}))


def decide_texts(case: Case, book: Rulebook) -> Decision:
    """Return the chat posts of new lines, and the comment with the texts that people copy."""
    if not book.mapping.texts or case.before_enforcement or case.now is None:
        return Decision()
    severity = decide_severity(case.incident, book.mapping, book.section).name
    sections = {
        name: section
        for name, section in book.mapping.texts.items()
        if not section.severities or severity in section.severities
    }
    lines = [line for line in lines_of(case) if line.keyword in (UPDATE, MITIGATION)]
    decision = post_all(case, book, list(_posts(case, book, lines, sections)))
    ticket = case.ticket
    if ticket is None or ticket.issue is None or not ticket.in_sight or is_stub(case):
        return decision
    before = ready_texts(ticket.agreed)
    edited = tuple(_edited(case, before, lines))
    after = _read(case, book, before, lines, sections)
    heard = {f"{source}:{ident}": _DONE for source, ident, _ in edited}
    after = after.model_copy(update={"lines": {**after.lines, **heard}})
    after, look = _judged(case, book, after)
    operations = [*(_told(case, book, *line) for line in edited), *_writes(case, after)]
    agreed = with_ready_texts({}, after) if after != before else {}
    return decision.plus(Decision(operations=tuple(operations), agreed=agreed, look=look))


def _counts(case: Case, book: Rulebook, line: PersonLine) -> bool:
    """Return True if a line was written while the rules held and the incident was open."""
    over = case.incident.over_since
    return line.at >= book.mapping.enforced_since and (over is None or line.at <= over)


def _posts(
    case: Case, book: Rulebook, lines: Sequence[PersonLine], sections: dict[str, TextSection]
) -> Iterator[PostChat]:
    """Yield a post for each line; of several that wait only the last one leaves."""
    chats = [section for section in sections.values() if section.to is Audience.CHAT]
    posts = []
    for line in lines:
        section = next((section for section in chats if line.keyword in section.on), None)
        if section is not None and _counts(case, book, line):
            update, action = _latest(lines, UPDATE, line), _latest(lines, MITIGATION, line)
            content = UpdatePost(
                source=f"{line.source}:{line.id}",
                author=line.author.name,
                text=_words(update),
                mitigation=_words(action),
                next_at=_next_at(case, book, line.at),
                template=section.template,
            )
            posts.append(
                update_post(case, book, content, f"a person wrote a line `{line.keyword}:`", line.at)
            )
    for post in posts:
        later = post is not posts[-1] and post.key not in case.sent
        yield post.model_copy(update={"skip": LATER_STEP}) if later else post


def _latest(lines: Iterable[PersonLine], keyword: str, until: PersonLine) -> PersonLine | None:
    """Return the last line with a keyword that was written until another line."""
    earlier = [line for line in lines if line.keyword == keyword and line.at <= until.at]
    return until if until.keyword == keyword else next(reversed(earlier), None)


def _words(line: PersonLine | None) -> str:
    return cut(one_line(line.text), LONGEST) if line is not None else ""


def _next_at(case: Case, book: Rulebook, at: datetime) -> datetime | None:
    severity = decide_severity(case.incident, book.mapping, book.section)
    owed = severity.section.communications
    return at + timedelta(minutes=owed.every_minutes) if owed is not None and case.incident.open else None


def _read(
    case: Case,
    book: Rulebook,
    texts: ReadyTexts,
    lines: Sequence[PersonLine],
    sections: dict[str, TextSection],
) -> ReadyTexts:
    """Return the texts after the lines that were not read before; each name keeps its latest text."""
    made, number = {text.name: text for text in texts.made}, texts.number
    read = dict(texts.lines)
    for line in lines:
        place = f"{line.source}:{line.id}"
        if place in read:
            continue
        wanted = [name for name, section in sections.items() if line.keyword in section.on]
        used = bool(wanted) and _counts(case, book, line)
        read[place] = text_hash(line.text) if used else _DONE
        copied = [name for name in wanted if sections[name].to is not Audience.CHAT] if used else []
        number += 1 if copied else 0
        for name in copied:
            made[name] = _made(case, book, name, number, line, lines)
    return texts.model_copy(update={"lines": read, "number": number, "made": tuple(made.values())})


def _made(
    case: Case, book: Rulebook, name: str, number: int, line: PersonLine, lines: Sequence[PersonLine]
) -> MadeText:
    update, action = _latest(lines, UPDATE, line), _latest(lines, MITIGATION, line)
    return MadeText(
        name=name,
        number=number,
        at=line.at,
        author=line.author.name,
        agent=action.author.name if action is not None else "",
        update_line=f"{update.source}:{update.id}" if update is not None else "",
        mitigation_line=f"{action.source}:{action.id}" if action is not None else "",
        # the case of a restricted incident has no words: they are read when the comment leaves
        text=_words(update),
        mitigation=_words(action),
        next_at=_next_at(case, book, line.at),
    )


def _judged(case: Case, book: Rulebook, texts: ReadyTexts) -> tuple[ReadyTexts, frozenset[str]]:
    """Return the texts with their states, and what has to be looked up first."""
    needed, address = approver_of(case, book)
    if not texts.made or not needed:
        return _with_states(case, texts, (text.model_copy(update={"state": READY}) for text in texts.made))
    unknown = address is not None and address not in case.customer_approvers
    if unknown and LOOK not in case.refused_looks:
        return texts, frozenset({LOOK})
    account = case.customer_approvers.get(address or "")
    made = (_stated(case, book, _approved(case, texts, text, account), address) for text in texts.made)
    return _with_states(case, texts, made)


def _with_states(
    case: Case, texts: ReadyTexts, made: Iterable[MadeText]
) -> tuple[ReadyTexts, frozenset[str]]:
    limited = tuple(text.model_copy(update={"state": _limited(case, text)}) for text in made)
    return texts.model_copy(update={"made": limited}), frozenset()


def _limited(case: Case, text: MadeText) -> str:
    """Return a text's state, or why nobody may use it: of an exercise, or late for an incident."""
    mark, over = mark_of(case), case.incident.over_since
    if over is not None and (text.shown_at is None or text.shown_at > over):
        return "the incident is over, do not use it"
    if mark == CERTAIN:
        return "EXERCISE: do not publish"
    if mark:
        return f"EXERCISE?: do not publish before somebody says that the incident is real ({text.state})"
    return text.state


def approver_of(case: Case, book: Rulebook) -> tuple[bool, str | None]:
    """Return True if texts for customers need an approval, and the address of the person who gives it."""
    named = decide_severity(case.incident, book.mapping, book.section).section.approve
    rules = book.mapping.restricted
    return (True, rules.approve or named or rules.lead) if case.restricted else (named is not None, named)


def _approved(case: Case, texts: ReadyTexts, text: MadeText, account: Account | None) -> MadeText:
    if account is None or text.approved_at is not None or text.shown_at is None:
        return text
    for approval in approvals_of(case):
        # the plain word means the newest draft that stood on the ticket
        shown = [made.number for made in texts.made if made.shown_at and made.shown_at <= approval.at]
        means = approval.number if approval.number is not None else max(shown, default=None)
        if approval.author.id == account.id and text.shown_at <= approval.at and means == text.number:
            who = account.name or account.id
            return text.model_copy(update={"approved_at": approval.at, "approved_by": who})
    return text


def _stated(case: Case, book: Rulebook, text: MadeText, address: str | None) -> MadeText:
    draft = f"draft {text.number}, do not use it"
    if text.approved_at is not None:
        at = at_words(text.approved_at, book.mapping.zone)
        state = f"draft {text.number}, approved by {text.approved_by}, {at}"
    elif address is None:
        state = f"{draft}: the mapping names nobody who may approve it (`restricted.approve`)"
    elif address not in case.customer_approvers:
        state = f"{draft}: syncd cannot look up {address} in Jira now, who has to approve it"
    elif case.customer_approvers[address] is None:
        state = f"{draft}: Jira has no account for {address}, who has to approve it"
    else:
        word = f'the comment "approved {text.number}" of {address} (an edited comment does not count)'
        state = f"{draft}: it waits for {word}"
    return text.model_copy(update={"state": state})


def _writes(case: Case, texts: ReadyTexts) -> Iterator[Operation]:
    if not texts.made or texts.version == texts.wanted or not all(text.state for text in texts.made):
        return
    incident, reason = case.incident.id, "a person's line made texts that people copy"
    if texts.comment is None:
        yield PostReadyTexts(incident=incident, number=texts.comments + 1, reason=reason)
    else:
        yield RewriteReadyTexts(
            incident=incident, aspect=ASPECT, comment=texts.comment, version=texts.wanted, reason=reason
        )


def _edited(case: Case, texts: ReadyTexts, lines: Iterable[PersonLine]) -> Iterator[tuple[str, str, str]]:
    """Yield source, id and fate of each used line that a person edited or deleted since."""
    now = {f"{line.source}:{line.id}": text_hash(line.text) for line in lines}
    issue = case.ticket.issue if case.ticket else None
    listed = {"note": case.notes is not None, "comment": issue is not None and issue.comments is not None}
    for place, then in texts.lines.items():
        source, _, ident = place.partition(":")
        # a restricted incident's words are not in the case, so only a deletion shows
        same = now.get(place) == then or (case.restricted and place in now)
        if then != _DONE and listed[source] and not same:
            yield source, ident, "edited" if place in now else "edited or deleted"


def _told(case: Case, book: Rulebook, source: str, ident: str, fate: str) -> CommentOnTicket:
    """Return the comment that tells the scribe, else the author, that a changed line makes no new texts."""
    keywords = {f"{line.source}:{line.id}": line.keyword for line in lines_of(case)}
    keyword = keywords.get(f"{source}:{ident}")
    named = f"the line `{keyword}: …`" if keyword in (UPDATE, MITIGATION) else "a line that made texts"
    return CommentOnTicket(
        key=comment_key(case.incident.id, TEXTS, "changed", source, ident),
        incident=case.incident.id,
        subject="",
        text=f"{_whom(case, book, source, ident)}, {named} was {fate} after syncd used it. The posted texts"
        " stay. For new texts write a new line.",
        value="",
        reason=f"a {source} that made texts was {fate}",
    )


def _whom(case: Case, book: Rulebook, source: str, ident: str) -> str:
    """Return the mention of the scribe or commander, else of the line's author, else a name."""
    holders = role_holders(case, book)
    holder = holders.get(Role.SCRIBE) or holders.get(Role.COMMANDER)
    authors = {f"{text.source}:{text.id}": text.author for text in texts_of_people(case)}
    author = authors.get(f"{source}:{ident}")
    account = _account_of(case, holder) if holder is not None else None
    if account is None:
        account = case.people.get(author.id) if isinstance(author, Responder) else author
    if account is not None:
        return mention(account, book)
    name = holder.name if holder is not None else author.name if author is not None else ""
    return escape_wiki(one_line(name)) if name else "To whoever wrote it"


def _account_of(case: Case, holder: RoleHolder) -> Account | None:
    """Return the Jira account of the holder of a role, also of one who is known by their address alone."""
    if holder.account is not None:
        return Account(id=holder.account)
    by_address = {address: Account(id=ident) for ident, address in case.addresses.items()}
    return case.people.get(holder.user or "") or by_address.get(holder.address or "")
