"""Load a whole configuration: settings, templates and mappings, with every problem at once.

syncd reads the mappings even if a setting is wrong: a person who can only fix one problem per run gives up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from syncd.config.mapping.load import load_mappings, load_usable
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
from syncd.domain.mapping.mapping import Mapping, UnusableMapping


@dataclass(frozen=True)
class OfflineConfiguration:
    """Settings, mappings and templates, for a command that asks neither service."""

    settings: Settings
    mappings: tuple[Mapping, ...]
    templates: Templates
    unusable: tuple[UnusableMapping, ...] = ()


@dataclass(frozen=True)
class Configuration(OfflineConfiguration):
    """The configuration of a daemon: complete and checked."""

    live: Live = field(kw_only=True)


def load_configuration(env_file: Path | None = ENV_FILE, *, usable: bool = False) -> Configuration:
    """Read and check everything.

    Raise `ConfigError` with every problem of the settings, the mappings and their templates. With `usable` a
    mapping with problems is left out, and raises only where no mapping is left.
    """
    try:
        settings, live = load_live(env_file)
    except ConfigError as error:
        raise ConfigError([*error.problems, *_problems_of_mappings(error, env_file)]) from None
    templates = Templates(settings.templates_dir)
    mappings, unusable = _mappings(live.mappings_dir, templates, usable=usable)
    return Configuration(settings, mappings, templates, unusable, live=live)


def _mappings(
    folder: Path, templates: Templates, *, usable: bool
) -> tuple[tuple[Mapping, ...], tuple[UnusableMapping, ...]]:
    if not usable:
        return load_mappings(folder, templates), ()
    mappings, files = load_usable(folder, templates)
    return mappings, tuple(file.mapping for file in files)


def load_offline(*, usable: bool = False) -> OfflineConfiguration:
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
    mappings, unusable = _mappings(settings.mappings_dir, templates, usable=usable)
    return OfflineConfiguration(settings, mappings, templates, unusable)


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
