"""Reload the mappings while the daemon runs: all of them or none, and on record.

The new mappings must be free of problems and fit their Jira projects before anything changes; otherwise the
loaded ones stay in force. Afterwards syncd decides anew on all incidents that the rules may concern, so that
the outbox holds what the new rules want.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from loguru import logger

from syncd.config.problems import ConfigError
from syncd.domain.base import JsonValue
from syncd.domain.mapping.mapping import Mapping, UnusableMapping
from syncd.engine.context import EngineContext
from syncd.engine.jira_knowledge.project_cache import fit_name, project_name
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.observe.first_contact import would_fit
from syncd.engine.observe.jira import KEY, rewind_jira
from syncd.engine.observe.pagerduty import WATERMARK, rewind_pagerduty
from syncd.engine.rules import Rules, completed_from
from syncd.ledger.open import Ledger
from syncd.ledger.requests.waivers import Result
from syncd.ledger.store import loaded_rules
from syncd.ledger.store.key_values import get_value, service_bindings, set_value
from syncd.ledger.store.loaded_rules import Loaded
from syncd.remote.errors import RemoteError

Read = Callable[[], Rules]


def system_user(uid: int) -> str:
    """Return the name of a system user, its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def ourselves(why: str) -> Loaded:
    """Return this process's own user as the one who loads the rules."""
    return Loaded(os.getuid(), system_user(os.getuid()), why)


def record_rules(context: EngineContext, by: Loaded) -> list[str]:
    """Record the rules of the context; return the differences from the rules before, in words."""
    as_loaded = [_rules_of(mapping) for mapping in context.loaded]
    unusable = [file.team for file in context.rules.current.unusable]
    changes = loaded_rules.record(context.ledger, context.clock.now(), as_loaded, by, unusable)
    _mind_unusable(context)
    return changes


def with_last_claims(ledger: Ledger, file: UnusableMapping) -> UnusableMapping:
    """Return an unusable file; what it does not tell is taken from its last load."""
    team, services = loaded_rules.last_claims(ledger, file.file) or (None, {})
    known = service_bindings(ledger)
    # a service keeps its id when people rename it
    by_id = {
        name: ids or tuple(known[name].called if name in known else ())
        for name, ids in (file.services or services).items()
    }
    return file.model_copy(update={"team": file.team or team, "services": by_id})


UNUSABLE = "rules.unusable"
"""The value that holds for each unusable file how far both polls had read when it was first seen."""
_FILE = "file"


def _mind_unusable(context: EngineContext) -> None:
    """Stop the teams of unusable files; read the time without its rules anew for a file that is mended."""
    ledger, files = context.ledger, context.rules.current.unusable
    stored: dict[str, Any] = {**get_value(ledger, UNUSABLE)}
    read_up_to = {"pagerduty": get_value(ledger, WATERMARK), "jira": get_value(ledger, KEY)}
    kept = {file.file: stored.get(file.file, read_up_to) for file in files}
    for name, before in stored.items():
        if name not in kept:
            context.refusals.answered(f"{_FILE}/{name}", _FILE)
            rewind_pagerduty(ledger, before["pagerduty"])
            projects = {mapping.jira.project for mapping in context.mappings if mapping.file == name}
            rewind_jira(ledger, projects, before["jira"])
    if kept != stored:
        set_value(ledger, UNUSABLE, **kept)
    for file in files:
        named = f" (services: {', '.join(sorted(file.services))})" if file.services else ""
        context.refusals.refused(
            f"{_FILE}/{file.file}",
            _FILE,
            f"the mapping {file.file} cannot be used{named}",
            "; ".join(file.problems[:3]),
            teams=[file.whose],
            remedy="Mend the file, see syncd check --offline, then: syncd reload",
        )


def _rules_of(mapping: Mapping) -> loaded_rules.MappingValues:
    whole = mapping.model_dump(mode="json")
    values = dict(_flat("", whole))
    return loaded_rules.MappingValues(
        mapping.team, mapping.file, mapping.version, values, whole, mapping.people.may_approve
    )


def _flat(path: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    """Yield each plain value with its dotted key; lists of plain values stay whole."""
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _flat(f"{path}.{key}" if path else key, part)
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        for number, part in enumerate(value):
            yield from _flat(f"{path}[{number}]", part)
    else:
        yield path, value


@dataclass
class Reloader:
    """Reads the rules anew on request; `take_up` queues all incidents that they may concern."""

    context: EngineContext
    read: Read
    take_up: Callable[[], None]
    began: Callable[[], None] = lambda: None
    ended: Callable[[], None] = lambda: None

    def run(self, by: Loaded) -> Result:
        """Reload; return the changes, or why nothing changed (`code` is the command's exit code)."""
        self.began()
        try:
            return self._run(by)
        finally:
            self.ended()

    def _run(self, by: Loaded) -> Result:
        try:
            rules = completed_from(self.context.ledger, self.read())
            # a team that is stopped already must not hold up what changes for the others
            changed = [mapping for mapping in rules.mappings if mapping not in self.context.loaded]
            if changed:
                self.context.facts.forget_projects()
            for mapping in changed:
                would_fit(self.context, mapping)
        except ConfigError as error:
            return _refused([str(problem) for problem in error.problems], os.EX_CONFIG)
        except MappingMismatch as error:
            return _refused([f"{error.team}: {problem}" for problem in error.problems], os.EX_CONFIG)
        except RemoteError as error:
            problem = f"syncd cannot check if the mappings fit: {error.describe()}"
            return _refused([problem], os.EX_UNAVAILABLE)
        # all or nothing: each mapping fits by now
        before = self.context.rules.current
        self.context.rules.swap(rules)
        changes = record_rules(self.context, by)
        self._take_up_stopped()
        lines = changes or ["nothing has changed"]
        if changes or before.unusable:
            self.take_up()
        for line in lines:
            logger.info("mappings reloaded: {}", line)
        return {"lines": lines, "incidents": [], "failed": False, "code": 0}

    def _take_up_stopped(self) -> None:
        """Look at stopped teams again in the next cycle: a person may have mended what stops them."""
        concerned: dict[str, set[str]] = {}
        for mapping in self.context.mappings:
            for subject in (project_name(mapping.jira.project), fit_name(mapping.team)):
                concerned.setdefault(subject, set()).add(mapping.team)
        self.context.refusals.rules_changed(concerned)
        self.context.refusals.ask_now()


def _refused(problems: Sequence[str], code: int) -> Result:
    for problem in problems:
        logger.error("syncd did not reload the mappings, the loaded ones stay in force: {}", problem)
    lines = [*problems, "nothing changed; the loaded mappings stay in force"]
    return {"lines": lines, "incidents": [], "failed": True, "code": code}
