"""What `syncd check` finds about PagerDuty: services, schedules, accounts and other tools."""

from __future__ import annotations

from datetime import timedelta

from check_cast import codes, found, of, remap
from commandline import House
from engine.test_without_labels import change_account

from syncd.sandbox import faults
from syncd.sandbox.cast import BOT_ACCOUNT


def test_a_forgotten_service_of_the_team_is_wrong_and_one_of_another_team_is_for_a_person_to_tell(
    first: House,
) -> None:
    remap(first, '  Core QRPay Web: {component: "Core QRPay Web"}\n', "")
    findings = found(first)
    assert [finding["where"] for finding in of(findings, "PD05", "wrong")] == [
        "service Core QRPay Web (PSVC004)"
    ]
    (others,) = of(findings, "PD05", "unknown")
    assert "Dispatch" in others["message"]
    assert "add it to the `services` of a mapping" in others["hint"]


def test_with_both_teams_mapped_every_service_is_claimed(house: House) -> None:
    house.syncd("init", "mappings", "--example", "ramen")
    findings = found(house)
    assert "PD05" not in codes(findings, "wrong") + codes(findings, "unknown")


def test_a_service_that_is_missing_is_wrong_and_a_disabled_one_is_told(first: House) -> None:
    remap(first, "Yoomonea Service:", "Yoomona Service:")
    first.world.pagerduty.account.services["PSVC001"].status = "disabled"
    findings = found(first)
    (missing,) = of(findings, "PD02", "wrong")
    assert missing["hint"] == "did you mean `Yoomonea Service`?"
    assert any("disabled" in finding["message"] for finding in of(findings, "PD02", "ok"))


def test_a_renamed_service_is_wrong_with_its_present_name_and_one_that_is_gone_is_told_by_its_id(
    house: House,
) -> None:
    house.syncd("run", "--once")
    pagerduty = house.world.pagerduty
    pagerduty.rename_service("Alipay Integration", "Alipay v2")
    gone = pagerduty.hide_service("BluBank Integration")
    renamed, missing = of(found(house), "PD02", "wrong")
    assert "is now called Alipay v2" in renamed["message"]
    assert f"no longer shows the service BluBank Integration ({gone.id})" in missing["message"]
    assert not of(found(house), "PD05", "wrong")


def test_a_schedule_on_which_nobody_is_and_a_policy_that_calls_nobody_are_wrong(first: House) -> None:
    account = first.world.pagerduty.account
    account.schedules["PSCHED1"].user_ids = ()
    (empty,) = of(found(first), "PD06", "wrong")
    assert empty["where"] == "schedule QRPay incident commanders"
    account.policies["PEPOL01"].rules = ()
    (silent,) = of(found(first), "PD06", "wrong")
    assert silent["message"] == "calls nobody"


def test_whoever_is_on_call_without_an_account_in_jira_is_named(first: House) -> None:
    (person,) = of(found(first), "J14", "unknown")
    assert "Jonas Lindqvist" in person["where"]
    remap(
        first,
        "closing:\n",
        "people:\n  aliases: {jonas.lindqvist@qrpay.example: ines.carvalho@qrpay.example}\nclosing:\n",
    )
    assert not of(found(first), "J14", "unknown")


def test_an_alias_of_nobody_is_wrong(first: House) -> None:
    remap(first, "closing:\n", "people:\n  aliases: {x@qrpay.example: y@qrpay.example}\nclosing:\n")
    assert [finding["where"] for finding in of(found(first), "PD07", "wrong")] == [
        "QRPay, people.aliases.x@qrpay.example"
    ]


def test_pagerdutys_own_jira_app_is_red_until_it_is_off(first: House) -> None:
    account = first.world.pagerduty.account
    schema = {"id": "PSCHEMA", "type": "extension_schema", "key": "jira-cloud", "label": "Jira Cloud"}
    on = [{"id": "PSVC001", "type": "service_reference"}]
    row = {"id": "PEXT001", "name": "To Jira", "extension_schema": schema, "extension_objects": on}
    account.extensions.append(row)
    (extension,) = of(found(first), "PD08", "wrong")
    assert extension["message"] == "serves Alipay Integration"
    row["extension_objects"] = [{"id": "PSVC006", "type": "service_reference"}]
    assert of(found(first), "PD08", "ok")


def test_extensions_that_we_may_not_see_are_unknown(first: House) -> None:
    words = {"error": {"message": "Access Denied", "code": 2010}}
    first.world.faults.add(faults.error(403, body=words), service="pagerduty", path="/extensions$")
    (app,) = of(found(first), "PD08", "unknown")
    assert app["who"] == "PagerDuty admin"


def test_a_note_that_names_a_ticket_that_is_not_ours_is_a_robots_if_it_came_at_once(first: House) -> None:
    incident = first.trigger()
    first.world.jira.create("Priya Raman", "Made by another tool", type="Incident")
    first.world.pagerduty.note(incident, "Jira issue OPS-1 was made", "Amara Osei")
    (note,) = of(found(first), "PD08", "wrong")
    assert "OPS-1" in note["message"]
    rows = first.world.pagerduty.account.incidents[incident].notes
    rows[0].created_at += timedelta(minutes=5)
    assert of(found(first), "PD08", "unknown")


def test_notes_that_name_our_own_tickets_say_nothing(first: House) -> None:
    incident = first.trigger()
    assert first.syncd("run", "--once").code == 0
    (ticket,) = first.tickets(incident)
    first.world.pagerduty.note(incident, f"see {ticket['key']}", "Amara Osei")
    assert of(found(first), "PD08", "ok")


def test_notes_of_one_incident_that_cannot_be_read_leave_the_rest_of_the_check(first: House) -> None:
    made = first.world.pagerduty.trigger("Alipay Integration", "Latency")
    no = faults.error(403, body={"error": {"message": "Access Denied", "code": 2010}})
    first.world.faults.add(no, service="pagerduty", path=rf"/{made.id}/notes$", times=None)
    (told,) = of(found(first), "PD08", "unknown")
    assert f"the notes of #{made.number} cannot be read" in told["message"]


def test_clocks_that_are_apart_are_wrong(first: House) -> None:
    clock = first.world.clock
    first.world.clock = lambda: first.clock.now() - timedelta(minutes=5)  # type: ignore[assignment] # a clock is called
    assert {finding["where"] for finding in of(found(first), "C06", "wrong")} == {"PagerDuty", "Jira"}
    first.world.clock = clock
    assert len(of(found(first), "C06", "ok")) == 2


def test_the_commanders_schedule_is_looked_for(first: House) -> None:
    for name, schedule in (("Alipay", "QRPay incident commanders"), ("BluBank", "Nobody's")):
        component = f'component: "{name} Integration"'
        remap(first, component, f'{component}, roles: {{commander: {{schedule: "{schedule}"}}}}')
    findings = found(first)
    (ahead,) = of(findings, "PD09", "ok")
    assert ahead["where"] == "QRPay, schedule QRPay incident commanders"
    assert all(name in ahead["message"] for name in ("Amara Osei", "Jonas Lindqvist", "Mei Tanaka"))
    assert [finding["where"] for finding in of(findings, "PD09", "wrong")] == ["QRPay, schedule Nobody's"]


def test_a_gap_in_a_roles_schedule_is_shown(first: House) -> None:
    component = 'component: "Alipay Integration"'
    schedule = "{commander: {schedule: QRPay incident commanders}}"
    remap(first, component, f"{component}, roles: {schedule}")
    account, now = first.world.pagerduty.account, first.world.clock.now()
    account.schedules["PSCHED1"].free = ((now + timedelta(days=2), now + timedelta(days=3)),)
    _, gap = of(found(first), "PD09", "ok")
    assert gap["message"].startswith("nobody is on it from ")


def test_the_routing_key_of_a_mapped_service_is_wrong_because_alarms_would_become_tickets(
    first: House,
) -> None:
    account = first.world.pagerduty.account
    services = {service.name: service.id for service in account.services.values()}
    account.routing_keys = {"R0MAPPED": services["Alipay Integration"], "R0APART": services["Dispatch"]}
    first.set("SYNCD_ALARM_URL", first.server.url("pagerduty"))
    levels = {}
    for key in ("R0MAPPED", "R0APART", "R0ELSEWHERE"):
        first.set("SYNCD_ALARM_ROUTING_KEY", key)
        result = first.syncd("check", "--json")
        assert key not in result.out
        levels[key] = [finding["level"] for finding in result.json["findings"] if finding["code"] == "PD10"]
    assert levels == {"R0MAPPED": ["wrong"], "R0APART": ["ok"], "R0ELSEWHERE": ["unknown"]}


def test_a_changed_account_is_told_from_what_the_ledger_saw(house: House) -> None:
    assert house.syncd("run", "--once").code == 0
    change_account(house.world)
    (changed,) = of(found(house), "J18", "ok")
    assert changed["message"] == "the account has changed to syncd 2; former: syncd"
    assert BOT_ACCOUNT in changed["hint"]
    house.set("SYNCD_FORMER_ACCOUNTS", f"{BOT_ACCOUNT}, nobody@qrpay.example")
    findings = found(house)
    assert [finding["hint"] for finding in of(findings, "J18", "ok")] == [""]
    assert ["nobody@qrpay.example" in finding["message"] for finding in of(findings, "J18", "unknown")] == [
        True
    ]
