"""Read the rules of teams that no loaded mapping has any more: the incidents that they have go on by them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from sqlmodel import Session, col, func, select

from syncd.domain.base import JsonValue
from syncd.domain.mapping.mapping import Mapping
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.forget import SOMEBODY
from syncd.ledger.store.loaded_rules import gone_since, has_incidents, known_teams, last_mapping, on_record
from syncd.ledger.store.tables import IncidentRow

LOST = "cannot be used, so all waits until a mapping has the team again"


@dataclass(frozen=True)
class FormerRules:
    """A team's mapping as it was loaded last, without people who were forgotten since, and its file.

    `mapping` is None if it is not known or cannot be used, such as by a newer syncd. No loaded mapping has
    the team since `since` (UTC, None: from the next start or reload on). `unfinished` counts the incidents
    about which something is still to come.
    """

    team: str
    file: str
    since: datetime | None
    mapping: Mapping | None
    unfinished: int


def former_rules(
    ledger: Transactions, loaded: Collection[str], unusable: Collection[str | None] = ()
) -> list[FormerRules]:
    """Return the rules of the teams with incidents that are neither `loaded` nor `unusable`.

    While an unusable file does not tell its team (None), only teams count that were gone before.
    """
    with ledger.read() as session:
        teams = [team for team in known_teams(session) if team not in loaded and team not in unusable]
        former = [rules for team in teams if (rules := _former(session, team)) is not None]
    return [rules for rules in former if rules.since is not None or None not in unusable]


def _former(session: Session, team: str) -> FormerRules | None:
    if not has_incidents(session, team):
        return None
    query = select(func.count()).where(IncidentRow.team == team, col(IncidentRow.finished).is_(False))
    unfinished = session.exec(query).one()
    # where all are finished, a person may still close a late postmortem
    return FormerRules(
        team, _file(session, team), gone_since(session, team), _mapping(session, team), unfinished
    )


def _file(session: Session, team: str) -> str:
    return str(on_record(session, team).get("file", ""))


def _mapping(session: Session, team: str) -> Mapping | None:
    try:
        mapping = Mapping.model_validate(_without_forgotten(last_mapping(session, team)))
    except ValidationError:
        return None
    version = str(on_record(session, team).get("version", ""))
    return mapping.model_copy(update={"version": version, "file": _file(session, team)})


def _without_forgotten(value: JsonValue) -> JsonValue:
    """Return the value without the word that replaced forgotten people: no mail can go to it."""
    if isinstance(value, dict):
        return {
            name: _without_forgotten(part) for name, part in value.items() if SOMEBODY not in (name, part)
        }
    if isinstance(value, list):
        return [_without_forgotten(part) for part in value if part != SOMEBODY]
    return value


def former_words(
    ledger: Transactions, loaded: Collection[str], unusable: Collection[str | None] = ()
) -> Iterator[tuple[str, str]]:
    """Yield each team whose rules `former_rules` returns, with what became of its mapping in words."""
    for rules in former_rules(ledger, loaded, unusable):
        keeps = f"keeps the tickets and duties of its incidents ({rules.unfinished} unfinished), and new ones"
        if rules.mapping is None:
            keeps = f"{LOST} ({rules.unfinished} unfinished incidents), and new ones"
        yield rules.team, f"{gone_words(rules.file, rules.since)}; its last one {keeps} get no ticket"


def former_keeps(session: Session, team: str | None) -> str | None:
    """Return in words that a team's mapping is gone and what its incidents keep, None while it is loaded."""
    since = gone_since(session, team) if team is not None else None
    if team is None or since is None:
        return None
    lost = _mapping(session, team) is None
    keeps = LOST if lost else "keeps the ticket and the duties, which run on"
    return f"{team}: {gone_words(_file(session, team), since)}; its last one {keeps}"


def gone_words(file: str, since: datetime | None) -> str:
    """Return in words that no mapping of a team is loaded any more, given the file of its last one."""
    when = f"since {since:%Y-%m-%d %H:%M} UTC" if since is not None else "from the next start or reload on"
    return f"no mapping of the team is loaded {when} (it was {file})"
