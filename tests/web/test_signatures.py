"""Signatures of webhooks: the documented vectors, and what must not pass."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from syncd.web.signatures import jira_signed, pagerduty_signed

BODY = b'{"event": {"id": "01"}}'


def v1(secret: str, body: bytes = BODY) -> str:
    return "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_any_of_several_signatures_and_secrets_may_fit_while_a_secret_is_changed() -> None:
    assert pagerduty_signed(BODY, v1("new"), ["old", "new"])
    assert pagerduty_signed(BODY, f"{v1('other')},{v1('old')}", ["old"])
    assert pagerduty_signed(BODY, f" {v1('other')} , {v1('old')} ", ["old"])


@pytest.mark.parametrize(
    "header",
    [
        "",
        "v1=",
        "v1",
        "v2=" + v1("s")[3:],
        v1("s")[3:],
        v1("other"),
        v1("s").upper(),
        v1("s", BODY + b" "),
        "ü",
    ],
)
def test_no_other_version_secret_or_body_passes_for_pagerduty(header: str) -> None:
    assert not pagerduty_signed(BODY, header, ["s"])


def test_without_a_secret_nothing_is_signed() -> None:
    assert not pagerduty_signed(BODY, v1(""), [])


def test_jiras_documented_example_is_signed() -> None:
    """developer.atlassian.com, "Webhooks", section "Secure admin webhooks"."""
    header = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    assert jira_signed(b"Hello World!", header, "It's a Secret to Everybody")
    assert not jira_signed(b"Hello World?", header, "It's a Secret to Everybody")
    assert not jira_signed(b"Hello World!", header, "it's a Secret to Everybody")


@pytest.mark.parametrize("method", ["sha256", "sha512"])
def test_the_method_is_read_from_jiras_header(method: str) -> None:
    assert jira_signed(BODY, f"{method}={hmac.new(b's', BODY, method).hexdigest()}", "s")


@pytest.mark.parametrize("method", ["md5", "sha1", "none", ""])
def test_a_weak_or_unknown_method_does_not_pass(method: str) -> None:
    digest = hmac.new(b"s", BODY, method).hexdigest() if method in ("md5", "sha1") else ""
    assert not jira_signed(BODY, f"{method}={digest}", "s")
