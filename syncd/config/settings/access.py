"""Load the settings, and check what a daemon that talks to both services needs.

syncd tells every problem at once, each with its variable and a hint how to fix it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings.exceptions import SettingsError

from syncd.config.problems import ConfigError, Problem, did_you_mean
from syncd.config.settings.installed import (
    credentials_folder,
    env_file_that_counts,
    find_installed,
    secrets_of,
)
from syncd.config.settings.settings import PREFIX, Settings, setting_problem, variable
from syncd.config.settings.values import is_loopback

ENV_FILE = Path(".env")

SHORTEST_SETTLING = 120.0
"""Seconds; with less, Jira's search may not show a new ticket yet, and syncd would create a second one."""


@dataclass(frozen=True)
class Live:
    """The settings that a running daemon cannot do without."""

    pagerduty_token: SecretStr
    jira_url: str
    jira_token: SecretStr
    mappings_dir: Path


def load_settings(env_file: Path | None = ENV_FILE) -> Settings:
    """Read the environment, the credentials and, if it exists, the `.env` file.

    Raise `ConfigError` with every wrong variable.
    """
    try:
        return _read(env_file, {})
    except ValidationError as error:
        raise ConfigError(_problems(error).values()) from None


def settings_as_far_as_usable(env_file: Path | None = ENV_FILE) -> Settings:
    """Read the settings, with defaults instead of wrong values; raise `ConfigError` for unreadable files."""
    try:
        return _read(env_file, {})
    except ValidationError as error:
        return settings_without(env_file, _problems(error))


def load_live(env_file: Path | None = ENV_FILE) -> tuple[Settings, Live]:
    """Read the settings and what a daemon needs of them; raise `ConfigError` with wrong and missing ones."""
    try:
        settings = _read(env_file, {})
    except ValidationError as error:
        wrong = _problems(error)
        # defaults replace the wrong values, so that the checks of the others can run, too
        usable = settings_without(env_file, wrong)
        rest = [
            problem for problem in check_live(usable, env_file) if problem.key not in map(variable, wrong)
        ]
        raise ConfigError([*wrong.values(), *rest]) from None
    return settings, live(settings, env_file)


def settings_without(env_file: Path | None, wrong: Iterable[str]) -> Settings:
    """Read the settings, with the defaults of the `wrong` fields instead of their values."""
    fields = Settings.model_fields
    defaults = {
        name: fields[name].get_default(call_default_factory=True, validated_data={}) for name in wrong
    }
    return _read(env_file, defaults)


def _read(env_file: Path | None, given: dict[str, Any]) -> Settings:
    env_file = env_file if _is_there(env_file) else None
    try:
        return Settings(_env_file=env_file, _env_file_encoding="utf-8", **given)
    except (OSError, UnicodeDecodeError, SettingsError) as error:
        # the text of these errors names a file, never its content, which may be a secret
        where = getattr(error, "filename", None) or "credentials or .env"
        reason = getattr(error, "strerror", None) or "not a readable text file"
        raise ConfigError([Problem(str(where), "", str(reason), "make it readable for syncd")]) from None


def _is_there(env_file: Path | None) -> bool:
    # in a folder that this user may not enter, `Path.is_file` would raise
    return env_file is not None and os.path.isfile(env_file)  # noqa: PTH113 - never raises


def _problems(error: ValidationError) -> dict[str, Problem]:
    """Return the problems by field, without those that only follow from another field's problem."""
    return {
        str(detail["loc"][0]): _problem(str(detail["loc"][0]), detail)
        for detail in error.errors(include_input=False)
        if detail["type"] != "default_factory_not_called"
    }


def _problem(field: str, error: ErrorDetails) -> Problem:
    message, _, hint = error["msg"].removeprefix("Value error, ").partition("; ")
    kind, limits = error["type"], error.get("ctx", {})
    if kind in ("float_parsing", "int_parsing"):
        message, hint = "not a number", ""
    elif kind == "bool_parsing":
        message, hint = "neither true nor false", "write `true` or `false`"
    elif kind == "literal_error":
        message, hint = "not one of its values", f"write {limits['expected']}"
    elif message.startswith("Input should be"):
        message, hint = "out of its range", "it" + message.removeprefix("Input")
    return setting_problem(field, message, hint)


def unknown_variables(env_file: Path | None = ENV_FILE) -> tuple[Problem, ...]:
    """Return a problem for each variable, credential or line of `.env` that looks like a setting and is not.

    They stop nothing, because other programs set such variables, too (Kubernetes sets `SYNCD_PORT` for a
    service called syncd). `syncd check` shows them.
    """
    variables = [variable(field) for field in Settings.model_fields]
    named = [("environment", name) for name in os.environ if name.startswith(PREFIX)]
    installed = find_installed(env_file)
    env_file = env_file_that_counts(env_file, installed)
    if env_file is not None and _is_there(env_file):
        from dotenv import dotenv_values

        named += [
            (str(env_file), name) for name in dotenv_values(env_file) if name.upper().startswith(PREFIX)
        ]
    if installed is not None:
        named += [(str(installed.file), name) for name in installed.values if name.startswith(PREFIX)]
    named += [(str(credentials_folder(installed)), name) for name in secrets_of(installed)]
    return tuple(
        Problem(where, name, "not a setting of syncd", did_you_mean(name.upper(), variables))
        for where, name in sorted(named)
        if name.upper() not in variables
    )


def live(settings: Settings, env_file: Path | None = ENV_FILE) -> Live:
    """Return what a daemon needs of the settings; raise `ConfigError` with every problem."""
    problems = check_live(settings, env_file)
    token, url, jira_token = settings.pagerduty_token, settings.jira_url, settings.jira_token
    mappings = settings.mappings_dir
    if problems or token is None or url is None or jira_token is None or mappings is None:
        raise ConfigError(problems)
    return Live(token, url, jira_token, mappings)


def check_live(settings: Settings, env_file: Path | None = ENV_FILE) -> list[Problem]:
    """Return every problem that stops a daemon with these settings."""
    return [
        *_missing(settings, unknown_variables(env_file), env_file),
        *jira_problems(settings),
        *_mail(settings),
        *_settling(settings),
        *_folders(settings),
    ]


_NEEDED = {
    "pagerduty_token": "set it to a REST API key of PagerDuty",
    "pagerduty_from": "set it to the e-mail address of a PagerDuty user; syncd writes notes as that user",
    "jira_url": "set it to Jira's base URL such as https://company.atlassian.net",
    "jira_token": "set it to an API token (Cloud) or a personal access token (Data Center)",
    "mappings_dir": "set it to the folder of your mappings; `syncd init DIR` writes a first one",
}


def missing_accounts(settings: Settings) -> list[Problem]:
    """Return a problem for each setting of the two services' accounts that is not set."""
    folder = variable("mappings_dir")
    missing = [problem for problem in _missing(settings, ()) if problem.key != folder]
    return [*missing, *jira_problems(settings)]


def _missing(
    settings: Settings, unknown: tuple[Problem, ...], env_file: Path | None = ENV_FILE
) -> Iterator[Problem]:
    installed = find_installed(env_file)
    for field, hint in _NEEDED.items():
        if getattr(settings, field) is None:
            if field.endswith("_token") and installed is not None and installed.closed:
                message = f"not set, and this user may not read {installed.credentials}"
                yield setting_problem(field, message, "run the command with sudo")
                continue
            typo = next((problem.key for problem in unknown if f"`{variable(field)}`" in problem.hint), "")
            yield setting_problem(field, f"not set, but {typo} is" if typo else "not set", hint)


def jira_problems(settings: Settings) -> list[Problem]:
    """Return what is wrong between Jira's settings: Cloud needs the address of the token's owner."""
    # only Jira Cloud needs an address beside the token
    cloud = (urlsplit(settings.jira_url or "").hostname or "").endswith(".atlassian.net")
    if cloud and settings.jira_email is None:
        hint = "set it to the address of the account that owns the token"
        return [setting_problem("jira_email", "not set, and Jira Cloud needs it", hint)]
    return []


def _mail(settings: Settings) -> Iterator[Problem]:
    if settings.smtp_host is None:
        return
    if settings.smtp_from is None:
        hint = "set it to the sender's address"
        yield setting_problem("smtp_from", "not set, and mail needs a sender", hint)
    on_this_machine = is_loopback(f"smtp://{settings.smtp_host}")
    if settings.smtp_security == "none" and settings.smtp_password and not on_this_machine:
        message = "would send the password unencrypted"
        yield setting_problem("smtp_security", message, "use `starttls` or `tls`")
    if bool(settings.smtp_username) != bool(settings.smtp_password):
        missing = "smtp_password" if settings.smtp_username else "smtp_username"
        yield setting_problem(missing, "not set", "set both user name and password, or none of them")


def on_loopback(settings: Settings) -> bool:
    """Return True if both services are on this machine: a sandbox, where nothing reaches a person."""
    return is_loopback(settings.pagerduty_url) and is_loopback(settings.jira_url or "")


def _settling(settings: Settings) -> Iterator[Problem]:
    if settings.settle_seconds < SHORTEST_SETTLING and not on_loopback(settings):
        hint = f"leave it unset, or set at least {SHORTEST_SETTLING:.0f}"
        yield setting_problem("settle_seconds", "so short that syncd could create tickets twice", hint)


def _folders(settings: Settings) -> Iterator[Problem]:
    for field in ("mappings_dir", "templates_dir"):
        path: Path | None = getattr(settings, field)
        if path is not None and not path.is_dir():
            yield setting_problem(field, f"there is no folder {path}", "set it to an existing folder")
