from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.config.problems import ConfigError
from syncd.config.settings.access import (
    check_live,
    live,
    load_live,
    load_settings,
    on_loopback,
    unknown_variables,
)
from syncd.config.settings.settings import Settings
from syncd.config.settings.values import as_chat_urls, duration

Env = pytest.MonkeyPatch

ENOUGH = {
    "SYNCD_PAGERDUTY_TOKEN": "pd-token-1",
    "SYNCD_PAGERDUTY_FROM": "ops@company.example",
    "SYNCD_JIRA_URL": "https://company.atlassian.net/",
    "SYNCD_JIRA_EMAIL": "bot@company.example",
    "SYNCD_JIRA_TOKEN": "jira-token-1",
}


def set_all(env: Env, **more: str) -> None:
    for name, value in {**ENOUGH, **more}.items():
        env.setenv(name, value)


def refused(env: Env, **values: str) -> dict[str, str]:
    """What is said of each variable when these are set."""
    for name, value in values.items():
        env.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    return {problem.key: str(problem) for problem in caught.value.problems}


def test_without_anything_set_the_defaults_are_those_of_the_documentation(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.pagerduty_url == "https://api.pagerduty.com"
    assert settings.state_dir == tmp_path / ".syncd"
    assert settings.ledger_url == f"sqlite:///{tmp_path}/.syncd/syncd.db"
    assert settings.mail_dir == tmp_path / ".syncd/mail"
    assert (settings.poll_seconds, settings.backfill) == (30.0, timedelta(days=14))
    assert settings.listen == ("127.0.0.1", 8585)
    assert settings.mappings_dir is settings.templates_dir is None
    assert settings.settle_seconds == 600
    assert (settings.smtp_security, settings.mail_port, settings.dry_run) == ("starttls", 587, False)
    assert settings.log_format is None


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_state_directory_of_systemd_is_taken_and_the_ledger_follows_it(monkeypatch: Env) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/syncd:/var/lib/other")
    settings = load_settings()
    assert settings.state_dir == Path("/var/lib/syncd")
    assert settings.ledger_url == "sqlite:////var/lib/syncd/syncd.db"


def test_a_credential_is_a_file_named_like_its_variable_in_lower_case(
    monkeypatch: Env, tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "syncd_jira_token").write_text("from-a-file\n")
    (credentials / "jira_token").write_text("without the prefix\n")
    (credentials / "syncd_pagerduty_webhook_secrets").write_text("one, two,\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    settings = load_settings()
    assert settings.jira_token is not None
    assert settings.jira_token.get_secret_value() == "from-a-file"
    assert [secret.get_secret_value() for secret in settings.pagerduty_webhook_secrets] == ["one", "two"]


def test_the_environment_wins_over_a_credential_and_a_credential_over_the_env_file(
    monkeypatch: Env, tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "syncd_jira_email").write_text("credential@company.example")
    (credentials / "syncd_operator_email").write_text("credential@company.example")
    (tmp_path / ".env").write_text(
        "SYNCD_JIRA_EMAIL=file@company.example\nSYNCD_OPERATOR_EMAIL=file@company.example\n"
        "SYNCD_PAGERDUTY_FROM=file@company.example\nOTHER=1\n"
    )
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    monkeypatch.setenv("SYNCD_JIRA_EMAIL", "environment@company.example")
    settings = load_settings()
    assert settings.jira_email == "environment@company.example"
    assert settings.operator_email == "credential@company.example"
    assert settings.pagerduty_from == "file@company.example"


def test_no_file_of_the_working_folder_is_taken_for_a_credential(monkeypatch: Env, tmp_path: Path) -> None:
    (tmp_path / "syncd_jira_token").write_text("lying about")
    assert load_settings().jira_token is None
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "missing"))
    assert load_settings().jira_token is None


def test_a_credential_that_is_no_text_is_named_and_its_content_is_not(
    monkeypatch: Env, tmp_path: Path
) -> None:
    (tmp_path / "syncd_jira_token").write_bytes(b"secret\xff\xfe")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert "secret" not in str(caught.value)


def test_empty_means_not_set_and_for_the_listener_none(monkeypatch: Env) -> None:
    for name in ("SYNCD_JIRA_TOKEN", "SYNCD_POLL_SECONDS", "SYNCD_SMTP_HOST", "SYNCD_HTTP_LISTEN"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert settings.jira_token is None and settings.smtp_host is None
    assert settings.poll_seconds == 30.0
    assert settings.listen is None


def test_the_page_of_state_is_off_and_never_on_the_webhooks_port(monkeypatch: Env) -> None:
    assert load_settings().page is None
    problems = refused(monkeypatch, SYNCD_PAGE_LISTEN="[::1]:8585")
    assert "SYNCD_HTTP_LISTEN" in problems["SYNCD_PAGE_LISTEN"]
    assert "127.0.0.1:8586" in problems["SYNCD_PAGE_LISTEN"]
    monkeypatch.setenv("SYNCD_HTTP_LISTEN", "")
    assert load_settings().page == ("::1", 8585)
    for listener in ("SYNCD_HTTP_LISTEN", "SYNCD_PAGE_LISTEN"):
        monkeypatch.setenv(listener, "127.0.0.1:0")
    assert load_settings().page == ("127.0.0.1", 0)


def test_all_wrong_variables_are_told_at_once_with_what_would_be_right(monkeypatch: Env) -> None:
    problems = refused(
        monkeypatch,
        SYNCD_POLL_SECONDS="often",
        SYNCD_BACKFILL="14",
        SYNCD_HTTP_LISTEN="8585",
        SYNCD_SMTP_SECURITY="ssl",
        SYNCD_LOG_LEVEL="loud",
        SYNCD_DRY_RUN="perhaps",
        SYNCD_SMTP_PORT="0",
        SYNCD_PAGERDUTY_FROM="somebody",
        SYNCD_LEDGER_URL="mysql://db/syncd",
    )
    assert problems["SYNCD_BACKFILL"].endswith("not a length of time such as 90s, 30m, 12h, 14d or 2w")
    assert problems["SYNCD_POLL_SECONDS"] == "environment: SYNCD_POLL_SECONDS: not a number"
    assert "'none', 'starttls' or 'tls'" in problems["SYNCD_SMTP_SECURITY"]
    assert "127.0.0.1:8585" in problems["SYNCD_HTTP_LISTEN"]
    assert "'DEBUG'" in problems["SYNCD_LOG_LEVEL"] and "`true`" in problems["SYNCD_DRY_RUN"]
    assert len(problems) == 9


@pytest.mark.parametrize(
    "url",
    [
        "http://jira.company.example",
        "ftp://jira.company.example",
        "jira.company.example",
        "https://bob:pass@jira.company.example",
        "https://jira.company.example/?a=b",
        "https://jira.company.example:port",
        "https://",
        "http://127.0.0.1.evil.example",
    ],
)
def test_a_service_is_reached_encrypted_and_at_its_bare_address(monkeypatch: Env, url: str) -> None:
    problems = refused(monkeypatch, SYNCD_JIRA_URL=url)
    assert list(problems) == ["SYNCD_JIRA_URL"]


@pytest.mark.parametrize(
    ("name", "url", "right"),
    [
        ("JIRA", "https://jira.company.example/rest/api/2", "https://jira.company.example"),
        ("JIRA", "https://company.example/jira/rest/api/2/", "https://company.example/jira"),
        ("JIRA", "https://company.example/jira/browse/OPS-1", "https://company.example/jira"),
        (
            "JIRA",
            "https://jira.company.example:8443/secure/Dashboard.jspa",
            "https://jira.company.example:8443",
        ),
        ("JIRA", "https://company.atlassian.net/jira/software/projects/OPS", "https://company.atlassian.net"),
        ("JIRA", "https://company.atlassian.net/browse/OPS-1", "https://company.atlassian.net"),
        ("PAGERDUTY", "https://acme.pagerduty.com", "https://api.pagerduty.com"),
        ("PAGERDUTY", "https://acme.eu.pagerduty.com/incidents", "https://api.eu.pagerduty.com"),
        ("PAGERDUTY", "https://api.pagerduty.com/v2", "https://api.pagerduty.com"),
    ],
)
def test_the_address_of_a_page_is_refused_with_the_right_one(
    monkeypatch: Env, name: str, url: str, right: str
) -> None:
    monkeypatch.setenv(f"SYNCD_{name}_URL", url)
    with pytest.raises(ConfigError) as error:
        load_settings(None)
    (problem,) = error.value.problems
    assert problem.key == f"SYNCD_{name}_URL"
    assert problem.hint.startswith(f"set it to {right}")
    monkeypatch.setenv(f"SYNCD_{name}_URL", right)
    load_settings(None)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://localhost:1", "http://[::1]:8080/jira"])
def test_this_machine_may_be_reached_without_encryption(monkeypatch: Env, url: str) -> None:
    monkeypatch.setenv("SYNCD_JIRA_URL", url)
    monkeypatch.setenv("SYNCD_PAGERDUTY_URL", url)
    settings = load_settings()
    assert settings.jira_url == url
    assert on_loopback(settings)


def test_no_secret_shows_itself_in_an_error_or_in_the_settings(monkeypatch: Env) -> None:
    set_all(
        monkeypatch,
        SYNCD_SMTP_PASSWORD="smtp-secret",
        SYNCD_HEARTBEAT_URL="https://beat.example/abcd-efgh",
        SYNCD_PAGERDUTY_WEBHOOK_SECRETS="hook-secret",
    )
    settings = load_settings()
    for secret in settings.secret_values():
        assert secret not in repr(settings) + str(settings)
    problems = refused(monkeypatch, SYNCD_JIRA_URL="http://user:hunter2@jira.company.example")
    assert "hunter2" not in str(problems)


def test_the_log_learns_every_secret_in_every_shape_that_it_may_take(monkeypatch: Env) -> None:
    set_all(
        monkeypatch,
        SYNCD_SMTP_PASSWORD="smtp-secret",
        SYNCD_JIRA_WEBHOOK_SECRET="jira-hook",
        SYNCD_PAGERDUTY_WEBHOOK_SECRETS="hook-one,hook-two,abc",
        SYNCD_HEARTBEAT_URL="https://beat.example/abcd-efgh",
        SYNCD_ALARM_ROUTING_KEY="routing-key",
    )
    pair = base64.b64encode(b"bot@company.example:jira-token-1").decode()
    secrets = load_settings().secret_values()
    assert set(secrets) == {
        *("pd-token-1", "jira-token-1", "smtp-secret", "jira-hook", "hook-one", "hook-two"),
        *("abcd-efgh", "routing-key", pair),
    }
    assert list(secrets) == sorted(secrets, key=len, reverse=True)


def test_a_daemon_gets_everything_that_it_needs(monkeypatch: Env, tmp_path: Path) -> None:
    set_all(monkeypatch, SYNCD_MAPPINGS_DIR=str(tmp_path))
    settings, access = load_live()
    assert access.jira_url == "https://company.atlassian.net"
    assert (settings.jira_email, settings.pagerduty_from) == ("bot@company.example", "ops@company.example")
    assert access.mappings_dir == tmp_path


def test_what_a_daemon_lacks_is_named_with_what_to_set_and_a_typing_mistake_with_it(monkeypatch: Env) -> None:
    monkeypatch.setenv("SYNCD_JIRA_TOKN", "x")
    with pytest.raises(ConfigError) as caught:
        live(load_settings())
    problems = {problem.key: problem for problem in caught.value.problems}
    assert set(problems) == {
        *("SYNCD_PAGERDUTY_TOKEN", "SYNCD_PAGERDUTY_FROM", "SYNCD_JIRA_URL", "SYNCD_JIRA_TOKEN"),
        "SYNCD_MAPPINGS_DIR",
    }
    assert problems["SYNCD_JIRA_TOKEN"].message == "not set, but SYNCD_JIRA_TOKN is"
    assert "syncd init" in problems["SYNCD_MAPPINGS_DIR"].hint


def test_wrong_and_missing_variables_are_told_together(monkeypatch: Env) -> None:
    monkeypatch.setenv("SYNCD_POLL_SECONDS", "often")
    monkeypatch.setenv("SYNCD_STATE_DIR", "/var/lib/syncd")
    monkeypatch.setenv("SYNCD_JIRA_URL", "nowhere")
    with pytest.raises(ConfigError) as caught:
        load_live()
    keys = [problem.key for problem in caught.value.problems]
    assert sorted(keys) == sorted(set(keys))
    assert {"SYNCD_POLL_SECONDS", "SYNCD_JIRA_URL", "SYNCD_PAGERDUTY_TOKEN"} <= set(keys)
    assert "SYNCD_LEDGER_URL" not in keys


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"SYNCD_JIRA_EMAIL": ""}, "SYNCD_JIRA_EMAIL"),
        ({"SYNCD_SETTLE_SECONDS": "5"}, "SYNCD_SETTLE_SECONDS"),
        ({"SYNCD_SMTP_HOST": "mail.company.example"}, "SYNCD_SMTP_FROM"),
        ({"SYNCD_SMTP_PASSWORD": "x", "SYNCD_SMTP_HOST": "127.0.0.1"}, "SYNCD_SMTP_USERNAME"),
        ({"SYNCD_MAPPINGS_DIR": "/nowhere/at/all"}, "SYNCD_MAPPINGS_DIR"),
    ],
)
def test_what_would_go_wrong_later_is_said_now(
    monkeypatch: Env, tmp_path: Path, values: dict[str, str], key: str
) -> None:
    set_all(monkeypatch, **{"SYNCD_MAPPINGS_DIR": str(tmp_path), "SYNCD_SMTP_FROM": ""} | values)
    assert key in [problem.key for problem in check_live(load_settings())]


def test_a_password_is_not_sent_in_clear(monkeypatch: Env, tmp_path: Path) -> None:
    mail = {
        "SYNCD_SMTP_SECURITY": "none",
        "SYNCD_SMTP_USERNAME": "bot",
        "SYNCD_SMTP_PASSWORD": "x",
        "SYNCD_SMTP_FROM": "Ops <ops@company.example>",
        "SYNCD_MAPPINGS_DIR": str(tmp_path),
    }
    set_all(monkeypatch, **mail, SYNCD_SMTP_HOST="mail.company.example")
    assert [problem.key for problem in check_live(load_settings())] == ["SYNCD_SMTP_SECURITY"]
    monkeypatch.setenv("SYNCD_SMTP_HOST", "127.0.0.1")
    assert check_live(load_settings()) == []


def test_a_short_settle_time_is_for_sandboxes_alone(monkeypatch: Env, tmp_path: Path) -> None:
    set_all(monkeypatch, SYNCD_MAPPINGS_DIR=str(tmp_path), SYNCD_SETTLE_SECONDS="1")
    monkeypatch.setenv("SYNCD_JIRA_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SYNCD_PAGERDUTY_URL", "http://127.0.0.1:2")
    assert check_live(load_settings()) == []


def test_a_variable_of_an_orchestrator_is_shown_and_stops_nothing(monkeypatch: Env, tmp_path: Path) -> None:
    set_all(monkeypatch, SYNCD_MAPPINGS_DIR=str(tmp_path), SYNCD_PORT="tcp://10.0.0.1:8585")
    (tmp_path / ".env").write_text("SYNCD_POL_SECONDS=3\n")
    load_live()
    problems = {problem.key: problem for problem in unknown_variables()}
    assert set(problems) == {"SYNCD_PORT", "SYNCD_POL_SECONDS"}
    assert problems["SYNCD_POL_SECONDS"].hint == "did you mean `SYNCD_POLL_SECONDS`?"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("12h", 43_200), (" 14 d ", 1_209_600), ("2w", 1_209_600)],
)
def test_lengths_of_time_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "14", "d", "-1d", "1.5h", "1y", "9999999d"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a length of time"):
        duration(text)


def test_alarms_go_to_the_events_api_and_not_to_another_host_of_pagerduty(monkeypatch: Env) -> None:
    set_all(monkeypatch, SYNCD_ALARM_URL="https://events.eu.pagerduty.com")
    assert load_settings().alarm_url == "https://events.eu.pagerduty.com"
    for wrong in ("https://api.pagerduty.com", "https://events.pagerduty.com/v2/enqueue"):
        assert "set it to https://events.pagerduty.com" in str(refused(monkeypatch, SYNCD_ALARM_URL=wrong))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://hooks.slack.com/services/T1/B1/5ecret", "not pairs such as"),
        ("https://x.example/flows/1?sig=5ecret", "not pairs such as"),
        ("status=http://hooks.slack.com/services/5ecret", "the URL of status is not encrypted"),
        ("status=5ecret", "the URL of status is not a web address"),
        ("a=https://x.example/5ecret a=https://x.example/5ecret", "two URLs of the channel a"),
    ],
)
def test_what_is_wrong_with_a_webhook_is_said_without_it(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        as_chat_urls(text)
    assert "5ecret" not in str(error.value)


def test_webhooks_stand_one_a_line_or_beside_each_other_and_the_log_hides_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "SYNCD_CHAT_URLS", "#ops=https://x.example/hooks/abcdefghijklmnop\nb=http://127.0.0.1/b"
    )
    settings = load_settings(None)
    assert set(settings.chat_urls) == {"ops", "b"}
    assert "abcdefghijklmnop" in settings.secret_values()
    assert "abcdefghijklmnop" not in repr(settings)
