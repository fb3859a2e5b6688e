"""The whole configuration of a daemon in one go: settings, templates, mappings, and every problem at once.

A mapping is read even where a setting is wrong, because a person who mends one at a time gives up.
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
    """Settings, mappings and templates: all that a command needs that asks neither service."""

    settings: Settings
    mappings: tuple[Mapping, ...]
    templates: Templates


@dataclass(frozen=True)
class Configuration(OfflineConfiguration):
    """What a daemon is set up with; nothing of it is missing or wrong."""

    live: Live


def load_configuration(env_file: Path | None = ENV_FILE) -> Configuration:
    """Read and check everything.

    Raises `ConfigError` with every problem of the settings, the mappings and their templates.
    """
    try:
        settings, live = load_live(env_file)
    except ConfigError as error:
        raise ConfigError([*error.problems, *_problems_of_mappings(error, env_file)]) from None
    templates = Templates(settings.templates_dir)
    mappings = load_mappings(live.mappings_dir, templates)
    return Configuration(settings, mappings, templates, live)


def load_offline() -> OfflineConfiguration:
    """As `load_configuration` for commands that ask neither service: an account may be missing.

    Raises `ConfigError` with every problem of the other settings, the mappings and their templates.
    """
    settings = load_settings()
    accounts = {problem.key for problem in missing_accounts(settings)}
    problems = [one for one in check_live(settings) if one.key not in accounts]
    if problems or settings.mappings_dir is None:
        raise ConfigError([*problems, *_problems_of_mappings(ConfigError(problems), ENV_FILE)])
    templates = Templates(settings.templates_dir)
    return OfflineConfiguration(settings, load_mappings(settings.mappings_dir, templates), templates)


def _problems_of_mappings(error: ConfigError, env_file: Path | None) -> tuple[Problem, ...]:
    """What is wrong with the mappings, as far as their folders are known in spite of `error`."""
    wrong = {problem.key for problem in error.problems}
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
