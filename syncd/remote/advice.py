"""Turn a failed request into the next step for the operator: which setting to look at, and what is right."""

from __future__ import annotations

from syncd.remote.errors import Cause, RemoteError
from syncd.remote.http.failures import HTML, NO_HTTP, NO_NAME, NO_TLS, NOBODY_LISTENS, ONLY_TLS, TLS

_URLS = {"pagerduty": "SYNCD_PAGERDUTY_URL", "jira": "SYNCD_JIRA_URL"}
_TOKENS = {
    "pagerduty": "renew SYNCD_PAGERDUTY_TOKEN",
    "jira": "renew SYNCD_JIRA_TOKEN; Jira Cloud also needs SYNCD_JIRA_EMAIL, the address of the token's"
    " owner; Jira Data Center needs a personal access token and no SYNCD_JIRA_EMAIL",
}
_BY_WORDS = {
    NO_TLS: "name the port for https in {}",
    ONLY_TLS: "begin {} with https://",
    NO_HTTP: "check the port in {}; if it is the one for https, begin the address with https://",
    NO_NAME: "check the host in {}, and this machine's name servers",
    TLS: "if your own authority signed the certificate, name its file in SYNCD_CA_FILE; else check the host"
    " in {}",
    NOBODY_LISTENS: "nothing listens there: check host and port in {}",
    HTML: "a proxy or a login page answers there: check {} and the proxy (HTTPS_PROXY, NO_PROXY)",
}


def advice(service: str, cause: Cause | None, words: str) -> str:
    """Return the next step after a failure (`words` describe it), empty where there is none but to wait."""
    setting = "SYNCD_CHAT_URLS" if service.startswith("chat:") else _URLS.get(service)
    if setting is None:
        return ""
    if cause is Cause.CREDENTIALS:
        return _TOKENS.get(service, f"make a new webhook and put it into {setting}")
    if cause is Cause.REDIRECT:
        return f"set {setting} to the address to which the service points"
    # without the service's own words
    if words.endswith(f"{Cause.MISSING} (404)"):
        return f"no service answers under this address: check the path in {setting}"
    if words.endswith(f"{Cause.UNREACHABLE} (403)"):
        return _BY_WORDS[HTML].format(setting)
    return next((step.format(setting) for known, step in _BY_WORDS.items() if known in words), "")


def with_advice(error: RemoteError) -> str:
    """Return a failure in one line with the next step."""
    words = error.describe()
    step = advice(error.service, error.cause, words)
    return f"{words}; {step}" if step else words
