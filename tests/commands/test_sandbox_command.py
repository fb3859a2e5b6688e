"""`syncd sandbox` and `syncd schema`: what they print can be used as it is."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable

import requests
from commandline import House, Process
from waiting import PATIENCE, wait_for

Start = Callable[..., Process]


def test_the_sandbox_prints_settings_that_work_and_ends_on_sigterm(bare: House, started: Start) -> None:
    process = started("sandbox")
    assert process.stdout is not None
    for _ in range(6):
        name, _, value = process.stdout.readline().strip().removeprefix("export ").partition("=")
        bare.set(name, value)
    bare.syncd("init", "mappings", "--example", "qrpay")
    bare.set("SYNCD_MAPPINGS_DIR", "mappings")
    control = wait_for(
        lambda: next((word for word in bare.err("sandbox").split() if word.endswith("/_sandbox")), None)
    )
    findings = bare.syncd("check", "--json").json["findings"]
    assert [finding["code"] for finding in findings if finding["level"] == "wrong"] == ["J04"]
    assert "finding J04 names" in bare.err("sandbox")
    body = {"service": "Alipay Integration", "title": "Callbacks time out"}
    requests.post(f"{control}/acts/pagerduty/trigger", json=body, timeout=5).raise_for_status()
    assert bare.syncd("run", "--once").code == 0
    state = requests.get(f"{control}/state/jira", timeout=5).json()
    assert [issue["fields"]["summary"] for issue in state["issues"]] == ["Callbacks time out"]
    (fault,) = re.findall(r"curl -d '(\{\"way\".*\})'", bare.err("sandbox"))
    requests.post(f"{control}/faults", json=json.loads(fault), timeout=5).raise_for_status()
    requests.post(f"{control}/acts/pagerduty/trigger", json=body, timeout=5).raise_for_status()
    assert bare.syncd("run", "--once").code == 75
    assert bare.syncd("outbox", "--json").json["counts"]["parked"] == 1
    act = {"incident": 1, "by": "Amara Osei"}
    requests.post(f"{control}/acts/pagerduty/resolve", json=act, timeout=5).raise_for_status()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def test_the_schema_is_json_and_names_the_keys_of_a_mapping(bare: House) -> None:
    result = bare.syncd("schema")
    assert result.code == 0
    assert {"team", "enforce_from", "jira", "services"} <= set(result.json["properties"])
