"""What the tests of `syncd check` share: a short mapping that fits the sandbox, and ways to read findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from commandline import House

from syncd.sandbox import dump

Findings = list[dict[str, str]]

FIRST = """\
syncd: 1
team: QRPay
enforce_from: 2026-11-20
jira:
  project: OPS
services:
  Alipay Integration: {component: "Alipay Integration"}
  BluBank Integration: {component: "BluBank Integration"}
  Yoomonea Service: {}
  Core QRPay Web: {component: "Core QRPay Web"}
closing:
  mode: report
"""


def codes(findings: Findings, level: str) -> list[str]:
    return [finding["code"] for finding in findings if finding["level"] == level]


def found(house: House, *args: str) -> Findings:
    findings: Findings = house.syncd("check", "--json", *args).json["findings"]
    return findings


def of(findings: Findings, code: str, level: str) -> Findings:
    return [finding for finding in findings if (finding["code"], finding["level"]) == (code, level)]


def remap(house: House, old: str, new: str) -> None:
    path = Path("m/qrpay.yaml")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def probes(house: House) -> list[dict[str, Any]]:
    issues = dump.whole(house.world)["jira"]["issues"]
    return [issue for issue in issues if "syncd-probe" in issue["fields"]["labels"]]
