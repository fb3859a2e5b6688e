"""Load a whole configuration: settings, templates and mappings, with every problem at once.

syncd reads the mappings even if a setting is wrong: a person who can only fix one problem per run gives up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from syncd.config.mapping.load import load_mappings
from syncd.config.problems import ConfigError, Problem
from syncd.config.settings.access import (
    ENV_FILE,
    Live,
    check_live,
    load_live,
    load_settings,
    missing_accounts,
    settings_without,
)
from syncd.config.settings.settings import Settings, variable
from syncd.config.templates.templates import Templates
from syncd.domain.mapping.mapping import Mapping


@dataclass(frozen=True)
class OfflineConfiguration:
    """Settings, mappings and templates, for a command that asks neither service."""

    settings: Settings
    mappings: tuple[Mapping, ...]
    templates: Templates


@dataclass(frozen=True)
class Configuration(OfflineConfiguration):
    """The configuration of a daemon: complete and checked."""

    live: Live


def load_configuration(env_file: Path | None = ENV_FILE) -> Configuration:
    """Read and check everything.

    Raise `ConfigError` with every problem of the settings, the mappings and their templates.
    """
    try:
        settings, live = load_live(env_file)
    except ConfigError as error:
        raise ConfigError([*error.problems, *_problems_of_mappings(error, env_file)]) from None
    templates = Templates(settings.templates_dir)
    mappings = load_mappings(live.mappings_dir, templates)
    return Configuration(settings, mappings, templates, live)


def load_offline() -> OfflineConfiguration:
    """Do as `load_configuration`, for commands that ask neither service: accounts may be missing.

    Raise `ConfigError` with every problem of the other settings, the mappings and their templates.
    """
    settings = load_settings()
    # a missing account stops only commands that ask a service
    accounts = {problem.key for problem in missing_accounts(settings)}
    problems = [problem for problem in check_live(settings) if problem.key not in accounts]
    if problems or settings.mappings_dir is None:
        raise ConfigError([*problems, *_problems_of_mappings(ConfigError(problems), ENV_FILE)])
    templates = Templates(settings.templates_dir)
    return OfflineConfiguration(settings, load_mappings(settings.mappings_dir, templates), templates)


def _problems_of_mappings(error: ConfigError, env_file: Path | None) -> tuple[Problem, ...]:
    """Return the problems of the mappings, unless `error` leaves their folders unknown."""
    wrong = {problem.key for problem in error.problems}
    # an empty key is a file of settings that syncd cannot read, so any setting may be missing
    if not wrong.isdisjoint({variable("mappings_dir"), variable("templates_dir"), ""}):
        return ()
    settings = settings_without(env_file, (name for name in Settings.model_fields if variable(name) in wrong))
    if settings.mappings_dir is None:
        return ()
    try:
        load_mappings(settings.mappings_dir, Templates(settings.templates_dir))
    except ConfigError as more:
        return more.problems
    return ()
