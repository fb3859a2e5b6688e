"""Opens the listener that the settings ask for."""

from __future__ import annotations

from datetime import datetime

from syncd.config.problems import ConfigError, Problem
from syncd.config.settings.settings import Settings, variable
from syncd.web.app import Secrets, make_app
from syncd.web.metrics import Metrics
from syncd.web.server import Listener
from syncd.web.source import Source


def open_listener(settings: Settings, source: Source, started: datetime) -> Listener | None:
    """The listener, bound but not answering yet; None where there is to be none.

    Raises `ConfigError` where the address is taken or not this machine's.
    """
    if settings.listen is None:
        return None
    jira = settings.jira_webhook_secret
    secrets = Secrets(
        tuple(one.get_secret_value() for one in settings.pagerduty_webhook_secrets),
        jira.get_secret_value() if jira else None,
    )
    app = make_app(source, Metrics(source, source.watchdog, started), secrets)
    try:
        return Listener(*settings.listen, app)
    except OSError as error:
        hint = "give it another address, or none: SYNCD_HTTP_LISTEN= (empty)"
        said = f"cannot listen on {settings.http_listen}: {error.strerror or error}"
        raise ConfigError([Problem("environment", variable("http_listen"), said, hint)]) from None
