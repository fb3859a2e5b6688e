"""The settings: environment variables with the prefix `SYNCD_`, credentials, `.env`, the installed service's.

The environment wins over a credential, and a credential wins over `.env` or, beside an installed service,
over `/etc/syncd/syncd.env` (`syncd.config.settings.installed`). A credential is a file under
`$CREDENTIALS_DIRECTORY` with the variable's name in lower case (`syncd_jira_token`). An empty variable counts
as not set, except `SYNCD_HTTP_LISTEN`, where empty means no listener.

Every command reads settings, but not every command talks to the services. So this module checks each value
alone, and `syncd.config.settings.access` checks what a running daemon needs.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from syncd.config.problems import Problem
from syncd.config.settings.installed import env_file_that_counts, find_installed, secrets_of
from syncd.config.settings.ledger_url import ledger_address, ledger_secrets
from syncd.config.settings.values import (
    address,
    as_chat_urls,
    as_day,
    as_duration,
    as_names,
    as_secrets,
    events_address,
    file,
    folder,
    jira_address,
    listen_address,
    mail_sender,
    page_address,
    pagerduty_address,
    secrets_in,
    upper,
    web_address,
)

PREFIX = "SYNCD_"

SHORTEST_HIDDEN = 4
"""Length from which on the log hides a secret; hiding a shorter one would cut ordinary words."""

Address = Annotated[str, AfterValidator(address)]
PagerDutyAddress = Annotated[str, AfterValidator(pagerduty_address)]
JiraAddress = Annotated[str, AfterValidator(jira_address)]
Folder = Annotated[Path, AfterValidator(folder)]
Duration = Annotated[timedelta, BeforeValidator(as_duration)]
Day = Annotated[date, BeforeValidator(as_day)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(as_names)]
ChatUrls = Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(as_chat_urls)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(as_secrets)]


def _state_dir() -> Path:
    # systemd lists several folders with colons; the first is ours
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    return folder(Path(given or ".syncd"))


def _ledger_url(values: dict[str, Any]) -> str:
    state_dir: Path = values.get("state_dir") or _state_dir()
    return f"sqlite:///{state_dir / 'syncd.db'}"


def _host_and_port(listen: str) -> tuple[str, int] | None:
    host, _, port = listen.rpartition(":")
    return (host.strip("[]"), int(port)) if listen else None


class _Variables(PydanticBaseSettingsSource):
    """The settings among the variables of one place.

    The library's own source derives the variable of each field from the field's type at each load, which took
    longer than all else that a short command does. Here each field is one variable and each value a text.
    """

    def __init__(self, settings_cls: type[BaseSettings], values: Mapping[str, str | None]) -> None:
        super().__init__(settings_cls)
        self._values = {name.lower(): value for name, value in values.items()}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(variable(field_name).lower()), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self._values.get(variable(name).lower()) for name in self.settings_cls.model_fields}
        return {name: value for name, value in values.items() if value is not None}


class Settings(BaseSettings):
    """All settings. `load_settings` reads them and turns pydantic's errors into problems."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True, validate_default=False
    )

    pagerduty_url: PagerDutyAddress = Field(
        "https://api.pagerduty.com",
        description="PagerDuty's REST API (`https://api.eu.pagerduty.com` in the EU).",
    )
    pagerduty_token: SecretStr | None = Field(None, description="REST API key of PagerDuty.")
    pagerduty_from: Address | None = Field(
        None, description="E-mail address of the PagerDuty user in whose name notes are written."
    )
    pagerduty_webhook_secrets: Secrets = Field(
        (), description="Secrets of PagerDuty's webhook subscriptions, comma-separated.", repr=False
    )
    jira_url: JiraAddress | None = Field(None, description="Base URL of Jira.")
    jira_email: Address | None = Field(
        None,
        description="Jira Cloud: e-mail address of the account that owns the token; Data Center: not set.",
    )
    jira_token: SecretStr | None = Field(
        None, description="Jira Cloud: API token; Data Center: personal access token."
    )
    former_accounts: Names = Field(
        (),
        description="Accounts that syncd had in Jira before this one, comma-separated: account ids (Data"
        " Center: user names), addresses or names.",
    )
    jira_webhook_secret: SecretStr | None = Field(None, description="Secret of Jira's webhook.")
    pagerduty_token_expires: Day | None = Field(
        None,
        description="Day on which PagerDuty's key ends (`2027-03-01`); syncd warns 30, 7 and 1 days"
        " before it.",
    )
    jira_token_expires: Day | None = Field(
        None, description="Day on which Jira's token ends; Atlassian's tokens all end after a year at most."
    )
    ca_file: Annotated[Path, AfterValidator(file)] | None = Field(
        None,
        description="File with the certificates (PEM) of your own authority; replaces the usual ones.",
    )
    state_dir: Folder = Field(
        default_factory=_state_dir, description="Where the ledger, backups and undelivered mail are kept."
    )
    ledger_url: Annotated[str, AfterValidator(ledger_address)] = Field(
        default_factory=_ledger_url, description="SQLAlchemy URL of the ledger.", repr=False
    )
    mappings_dir: Folder | None = Field(None, description="Folder of the teams' mappings (`*.yaml`).")
    templates_dir: Folder | None = Field(
        None, description="Folder of your own templates; syncd takes missing ones from the shipped folder."
    )
    poll_seconds: float = Field(30.0, gt=0, le=3600, description="Seconds between two cycles.")
    backfill: Duration = Field(
        timedelta(days=14), description="How far back a new ledger looks, such as `14d`."
    )
    settle_seconds: float = Field(
        600.0,
        ge=0,
        le=86_400,
        description="Seconds that a write of unknown outcome waits before it is sent again.",
    )
    smtp_host: str | None = Field(
        None,
        description="Mail server; without one, syncd writes mails to `<state dir>/mail`, and nobody gets"
        " them.",
    )
    smtp_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="Port of the mail server. Not set: 587, with `tls` 465, with `none` 25.",
    )
    smtp_username: str | None = Field(None, description="User name at the mail server.")
    smtp_password: SecretStr | None = Field(None, description="Password at the mail server.")
    smtp_security: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="Encryption to the mail server."
    )
    smtp_from: Annotated[str, AfterValidator(mail_sender)] | None = Field(
        None, description="Sender of mail: an address, or `Name <address>`."
    )
    operator_email: Address | None = Field(
        None, description="E-mail address that is told when the daemon itself is in trouble."
    )
    heartbeat_url: Annotated[str, AfterValidator(page_address)] | None = Field(
        None, description="Address that syncd fetches after every good cycle.", repr=False
    )
    alarm_routing_key: SecretStr | None = Field(
        None,
        description="Routing key of a PagerDuty service (integration `Events API v2`) that is told, too, when"
        " the daemon itself is in trouble; name the service in no mapping.",
    )
    alarm_url: Annotated[str, AfterValidator(events_address)] = Field(
        "https://events.pagerduty.com",
        description="PagerDuty's Events API (`https://events.eu.pagerduty.com` in the EU).",
    )
    chat_urls: ChatUrls = Field(
        {},
        description="URLs of the incoming webhooks of chat channels, as `NAME=URL`, one a line or separated"
        " by blanks; NAME is a mapping's `chat.channel`.",
        repr=False,
    )
    http_listen: Annotated[str, AfterValidator(listen_address)] = Field(
        "127.0.0.1:8585", description="Where webhooks, health and metrics are served; empty: nowhere."
    )
    page_listen: Annotated[str, AfterValidator(listen_address)] = Field(
        "",
        description="Where the page of state is served, such as `127.0.0.1:8586`, on its own port; empty:"
        " nowhere.",
    )
    page_url: Annotated[str, AfterValidator(web_address)] | None = Field(
        None, description="Address at which people reach the page of state; mails then link to it."
    )
    log_format: Literal["text", "json"] | None = Field(
        None, description="Format of the log; not set: `text` on a terminal, else `json`."
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(upper)] = Field(
        "INFO", description="Lowest level that is logged."
    )
    dry_run: bool = Field(
        False, description="`true`: syncd decides and shows, but writes nothing to either service."
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_not_set(cls, values: Any) -> Any:
        return {
            name: value
            for name, value in values.items()
            if name == "http_listen" or not (isinstance(value, str) and not value.strip())
        }

    @field_validator("page_listen")
    @classmethod
    def _page_has_a_port_of_its_own(cls, listen: str, info: ValidationInfo) -> str:
        ours, webhooks = _host_and_port(listen), _host_and_port(info.data.get("http_listen", ""))
        # with port 0 the system chooses a free one
        if ours and webhooks and ours[1] == webhooks[1] != 0:
            raise ValueError(
                "the port of SYNCD_HTTP_LISTEN, which may face the internet; choose another, such as"
                " 127.0.0.1:8586"
            )
        return listen

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the strongest first; the files are read anew each time."""
        env_file = getattr(dotenv_settings, "env_file", None)
        installed = find_installed(env_file)
        env_file = env_file_that_counts(env_file, installed)
        places: tuple[Mapping[str, str | None], ...] = (
            os.environ,
            secrets_of(installed),
            DotEnvSettingsSource(settings_cls, env_file=env_file).env_vars,
            installed.values if installed is not None else {},
        )
        return init_settings, *(_Variables(settings_cls, values) for values in places)

    @property
    def listen(self) -> tuple[str, int] | None:
        """Host and port of the listener; None for no listener."""
        return _host_and_port(self.http_listen)

    @property
    def page(self) -> tuple[str, int] | None:
        """Host and port of the page of state; None for no page."""
        return _host_and_port(self.page_listen)

    @property
    def mail_port(self) -> int:
        """Port of the mail server: the setting, else the usual port of its encryption."""
        return self.smtp_port or {"starttls": 587, "tls": 465, "none": 25}[self.smtp_security]

    @property
    def mail_dir(self) -> Path:
        """The folder for mail if there is no mail server."""
        return self.state_dir / "mail"

    @property
    def trusted(self) -> str | None:
        """The file of certificates to trust; None for the usual ones."""
        return str(self.ca_file) if self.ca_file else None

    @property
    def expires(self) -> dict[str, date]:
        """The day on which each service's credential expires, if the settings name it."""
        days = {"pagerduty": self.pagerduty_token_expires, "jira": self.jira_token_expires}
        return {service: day for service, day in days.items() if day is not None}

    def secret_values(self) -> tuple[str, ...]:
        """Return every secret in each form in which a text may show it, the longest first, for the log."""
        given = [
            self.pagerduty_token,
            self.jira_token,
            self.jira_webhook_secret,
            self.smtp_password,
            self.alarm_routing_key,
        ]
        secrets = {form for url in self.chat_urls.values() for form in secrets_in(url.get_secret_value())} | {
            secret.get_secret_value() for secret in (*given, *self.pagerduty_webhook_secrets) if secret
        }
        if self.jira_email and self.jira_token:
            # the header of Jira Cloud's basic authentication
            pair = f"{self.jira_email}:{self.jira_token.get_secret_value()}"
            secrets.add(base64.b64encode(pair.encode()).decode())
        secrets |= ledger_secrets(self.ledger_url)
        if self.heartbeat_url:
            # the path of a heartbeat URL is a secret: everybody who knows it can send a heartbeat
            parts = urlsplit(self.heartbeat_url)
            secrets |= {parts.path.strip("/"), parts.query}
        return tuple(
            sorted((secret for secret in secrets if len(secret) >= SHORTEST_HIDDEN), key=len, reverse=True)
        )


def variable(field: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + field.upper()


def setting_problem(field: str, message: str, hint: str) -> Problem:
    """Return a problem of a field's variable."""
    return Problem("environment", variable(field), message, hint)
