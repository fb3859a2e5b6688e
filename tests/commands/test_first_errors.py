"""The first errors of a set-up name the cause and the fix, whichever command meets them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import House
from remote.raw import RawServer, answer, writes

from syncd.sandbox import faults, presets

PEM = Path(__file__).parents[1] / "remote" / "loopback.pem"


@pytest.fixture
def strange() -> Iterator[RawServer]:
    """A server for https whose certificate nobody trusts."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    with RawServer(writes(answer({})), tls=tls) as server:
        yield server


def everywhere(house: House) -> list[str]:
    """What `run`, `check` and `init` say (on both streams)."""
    calls = [("run", "--once"), ("check",), ("init", "other", "--team", "QRPay")]
    texts = []
    for args in calls:
        result = house.syncd(*args)
        assert result.code in (1, 69, 77, 78), result
        texts.append(result.out + result.err)
    return texts


def test_https_to_a_port_for_http_and_back(house: House, strange: RawServer) -> None:
    house.set("SYNCD_JIRA_URL", house.server.url("jira").replace("http://", "https://"))
    for text in everywhere(house):
        assert "it does not speak TLS on this port" in text
        assert "name the port for https in SYNCD_JIRA_URL" in text
    status = house.syncd("status")
    assert "name the port for https in SYNCD_JIRA_URL" in status.out
    with RawServer(
        writes(answer(raw=b"<h1>400 The plain HTTP request was sent to HTTPS port</h1>", status=400))
    ) as nginx:
        house.set("SYNCD_JIRA_URL", nginx.url)
        for text in everywhere(house):
            assert "it speaks only https on this port" in text
            assert "begin SYNCD_JIRA_URL with https://" in text
    with RawServer(writes(b"\x15\x03\x01\x00\x02\x02\x46\r\n")) as plain_tls:
        house.set("SYNCD_JIRA_URL", plain_tls.url)
        assert "begin the address with https://" in house.syncd("check").out


def test_a_certificate_that_nobody_trusts_names_the_setting(house: House, strange: RawServer) -> None:
    house.set("SYNCD_JIRA_URL", strange.url)
    for text in everywhere(house):
        assert "TLS: self-signed certificate" in text
        assert "name its file in SYNCD_CA_FILE" in text


def test_a_name_that_does_not_resolve_and_a_port_where_nobody_listens(house: House) -> None:
    house.set("SYNCD_JIRA_URL", "https://jira.invalid")
    for text in everywhere(house):
        assert "the name cannot be resolved" in text
        assert "check the host in SYNCD_JIRA_URL" in text
    house.set("SYNCD_JIRA_URL", "http://127.0.0.1:1")
    assert "nothing listens there: check host and port in SYNCD_JIRA_URL" in house.syncd("check").out


def test_a_proxys_page_is_no_answer_of_the_service(house: House) -> None:
    page = answer(raw=b"<!DOCTYPE html><title>Sign in</title>", headers=[("Content-Type", "text/html")])
    with RawServer(writes(page)) as proxy:
        house.set("SYNCD_PAGERDUTY_URL", proxy.url)
        for text in everywhere(house):
            assert "the answer is not JSON but an HTML page" in text
            assert "a proxy or a login page answers there: check SYNCD_PAGERDUTY_URL" in text


@pytest.mark.parametrize("service", ["PAGERDUTY", "JIRA"])
def test_a_path_under_which_nothing_answers(house: House, service: str) -> None:
    house.world.faults.add(faults.error(404), service=service.lower(), times=None)
    text = house.syncd("check").out
    assert f"check the path in SYNCD_{service}_URL" in text


@pytest.mark.parametrize("data_center", [False, True], ids=["cloud", "datacenter"])
def test_the_address_of_the_other_edition_is_named(house: House, data_center: bool) -> None:
    """A Cloud site under its own domain without an address, and Data Center with one."""
    if data_center:
        presets.data_center(house.world)
        # a site that takes passwords shows its edition only in its words
        site = house.world.jira.site
        site.tokens |= {
            (email, token): account
            for email in ("", *_emails(house))
            for (_, token), account in list(site.tokens.items())
        }
        expected = "it is Jira Data Center, and SYNCD_JIRA_EMAIL is set"
    else:
        site = house.world.jira.site
        site.tokens |= {("", token): account for (_, token), account in list(site.tokens.items())}
        house.set("SYNCD_JIRA_EMAIL", "")
        expected = "it is Jira Cloud, and SYNCD_JIRA_EMAIL is not set"
    for args in (("run", "--once"), ("check",)):
        result = house.syncd(*args)
        assert result.code == 77
        assert expected in result.out + result.err
        assert "Data Center needs a personal access token and no SYNCD_JIRA_EMAIL" in result.out + result.err


def _emails(house: House) -> list[str]:
    return [person.email for person in house.world.jira.site.people.values()]


def test_a_refused_login_names_what_each_edition_needs(house: House) -> None:
    house.set("SYNCD_JIRA_EMAIL", "")
    for text in everywhere(house):
        assert "Jira Cloud also needs SYNCD_JIRA_EMAIL" in text


def test_init_asks_no_jira_cloud_without_an_address(house: House) -> None:
    house.set("SYNCD_JIRA_URL", "https://company.atlassian.net")
    house.set("SYNCD_JIRA_EMAIL", "")
    result = house.syncd("init", "other", "--team", "QRPay")
    assert result.code == 78
    assert "SYNCD_JIRA_EMAIL: not set, and Jira Cloud needs it" in result.err
