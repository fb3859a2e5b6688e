from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from config_cast import incident
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from syncd.config.mapping.commented import WORTH_KNOWING
from syncd.config.mapping.keys import all_keys, known_keys
from syncd.config.mapping.load import load_mappings
from syncd.config.mapping.schema import key_table, mapping_schema
from syncd.config.mapping.starter import Choice, example_mapping, first_severities, starter_mapping
from syncd.config.shipped import shipped
from syncd.config.templates.templates import Templates
from syncd.config.templates.text_limits import title_matches
from syncd.config.templates.ticket import choose_playbook
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode

TOP = Path(__file__).parents[2]
TEMPLATES = Templates()
TEAMS = {each_mapping.team: each_mapping for each_mapping in load_mappings(shipped("mappings"), TEMPLATES)}
QRPAY, RAMEN = TEAMS["QRPay"], TEAMS["Ramen"]


def test_the_shipped_folders_are_found_in_a_checkout() -> None:
    assert shipped("mappings") == TOP / "mappings"
    assert shipped("templates") == TOP / "templates"
    with pytest.raises(FileNotFoundError):
        shipped("tests")


def test_the_shipped_folders_are_found_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "site-packages" / "syncd"
    (inside / "shipped" / "templates").mkdir(parents=True)
    monkeypatch.setattr("syncd.config.shipped.files", lambda _: inside)
    assert shipped("templates") == inside / "shipped" / "templates"


@pytest.mark.parametrize("team", TEAMS.values(), ids=TEAMS.keys())
def test_a_shipped_mapping_fits_the_project_that_it_is_made_for(team: Mapping) -> None:
    assert team.enforce_from == date(2026, 12, 1)
    assert team.jira.project == "OPS"
    assert team.jira.issue_types.incident == ("Incident", "Bug", "Task")
    statuses = team.jira.statuses
    assert statuses.triggered == ("To Do", "Open") and statuses.acknowledged == ("In Progress",)
    assert statuses.resolved == ("In Review", "Resolved", "In Progress")
    assert statuses.closed == ("Done", "Closed")
    assert team.closing.mode is Mode.ENFORCE


def test_the_services_are_those_of_the_runbooks() -> None:
    assert list(QRPAY.services) == [
        *("Alipay Integration", "BluBank Integration", "Yoomonea Service", "Core QRPay Web"),
    ]
    assert list(RAMEN.services) == [
        *("Ordering API", "Payments", "Dispatch", "Webhooks", "ETA", "Restaurant Portal"),
    ]


def test_the_severities_are_those_of_the_rules() -> None:
    severities = [
        (name, section.pagerduty, section.urgency, section.priority, section.postmortem)
        for name, section in QRPAY.severities.items()
    ]
    assert severities == [
        ("SEV0", ("P1",), None, ("Highest",), True),
        ("SEV1", ("P2",), None, ("High",), True),
        ("SEV2", ("P3",), "high", ("Medium",), True),
        ("SEV3", ("P4",), "low", ("Low",), False),
    ]
    severities = [
        (name, section.pagerduty, section.urgency, section.priority, section.postmortem)
        for name, section in RAMEN.severities.items()
    ]
    assert severities == [
        ("Sev-1", ("P1",), None, ("Highest",), True),
        ("Sev-2", ("P2",), "high", ("High",), True),
        ("Sev-3", ("P3",), "low", ("Medium",), False),
    ]
    assert all(severity.definition for team in TEAMS.values() for severity in team.severities.values())


def test_every_qrpay_service_has_its_playbook_and_its_dashboards() -> None:
    for name, section in QRPAY.services.items():
        (playbook,) = choose_playbook(QRPAY, section, "anything at all")
        assert playbook.name == name and playbook.actions and playbook.recovered_when
        assert any("grafana" in url for url in section.links.values())
        assert any("jaeger" in url for url in section.links.values())


@pytest.mark.parametrize(
    ("service", "title", "scenario"),
    [
        ("Dispatch", "DoorDash answers with 503", "Dispatch provider outage (DoorDash)"),
        ("ETA", "p90 drift above 6 minutes", "ETA drift"),
        ("Webhooks", "DLQ above 50 events", "Webhook backlog or growing DLQ"),
        ("Payments", "Refund rate above 6% of GMV", "High refund rate"),
        ("Restaurant Portal", "Ramen Ya cannot log in", "Portal outage of a single restaurant"),
        ("Payments", "Stripe intents fail", "Payments incident (Stripe degraded)"),
        ("Ordering API", "Possible PII breach", "Security or PII incident"),
        ("Payments", "[SEV1] Security: leaked token", "Security or PII incident"),
        ("Ordering API", "Memory leak", None),
    ],
)
def test_ramens_seven_scenarios_are_chosen_by_service_and_title(
    service: str, title: str, scenario: str | None
) -> None:
    chosen = choose_playbook(RAMEN, RAMEN.services[service], title)
    assert [playbook.name for playbook in chosen] == ([scenario] if scenario else [])


@pytest.mark.parametrize(
    ("team", "facts"),
    [
        (
            QRPAY,
            "alipay namespace;synthetic checks;authentication tokens;backup provider;backlog;workers' logs"
            ";settlement batch;BluBank support;database timeouts;above 80% for 5 minutes;payments-secondary"
            ";Laravel;scripts/health-check.sh;deployctl rollback --service qrpay-web --env prod",
        ),
        (
            RAMEN,
            "more than 10 minutes;Uber Direct;10 minutes to ETAs;awaiting_pickup or picked_up"
            ";banner in the portal"
            ";6 minutes or more over 30 minutes;quoted prep time of the affected restaurants by 5 minutes"
            ";more than 50 events;backoff with jitter"
            ";idempotency;/ops/recompute-reliability;above 6% of the day's GMV"
            ";SPILL, SOGGY, LATE;SOP checklist"
            ";packaging surcharge;automatic credits;photo evidence;restaurant_id;RBAC;menu cache warmers"
            ";PDF for printing tickets;capture on delivery;exponential backoff;rotate keys;security lead"
            ";Preserve evidence;legal",
        ),
    ],
)
def test_no_fact_of_a_runbook_is_missing_from_its_playbooks(team: Mapping, facts: str) -> None:
    every = [
        *team.playbook,
        *(playbook for section in team.services.values() for playbook in section.playbook),
    ]
    text = "\n".join(
        line for playbook in every for line in (*playbook.detect, *playbook.actions, *playbook.recovered_when)
    )
    assert [fact for fact in facts.split(";") if fact not in text] == []


def test_all_addresses_of_the_shipped_mappings_are_examples() -> None:
    for path in shipped("mappings").glob("*.yaml"):
        text = path.read_text()
        hosts = re.findall(r"https?://([^/\s]+)|@(\S+)", text)
        assert hosts and all((url or mail).endswith(".example") for url, mail in hosts)


@pytest.mark.parametrize("name", ["qrpay", "ramen"])
def test_an_example_is_the_shipped_mapping_with_another_date(name: str, folder: Callable[..., Path]) -> None:
    text = example_mapping(name, date(2027, 1, 31))
    (mapping,) = load_mappings(folder(a=text), TEMPLATES)
    (original,) = (
        each_mapping
        for each_mapping in load_mappings(shipped("mappings"), TEMPLATES)
        if each_mapping.file == f"{name}.yaml"
    )
    assert mapping.enforce_from == date(2027, 1, 31)
    same = {"enforce_from": original.enforce_from, "version": original.version, "file": original.file}
    assert mapping.model_copy(update=same) == original


def test_there_is_no_third_example() -> None:
    with pytest.raises(ValueError, match="qrpay and ramen"):
        example_mapping("../secrets", date(2027, 1, 1))


printable = st.text(
    st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=30
)
names = printable.map(lambda text: " ".join(text.split())).filter(bool)


@settings(max_examples=60, deadline=None)
@given(
    names,
    st.lists(names, min_size=1, max_size=8, unique_by=str.casefold),
    st.sampled_from(["report", "enforce"]),
)
def test_a_first_mapping_loads_as_it_stands(team: str, services: list[str], mode: str) -> None:
    text = starter_mapping(team, "OPS", services, date(2026, 12, 1), mode)  # type: ignore[arg-type] # one of both
    data = YAML(typ="safe", pure=True).load(text)
    loaded = Mapping.model_validate(data)
    assert loaded.team == team and list(loaded.services) == services
    assert loaded.closing.mode == loaded.postmortem.mode == mode


def test_the_full_first_mapping_shows_every_key_and_means_the_same() -> None:
    choice = Choice(severities=first_severities(("P1",), (), asked=True))
    texts = [
        starter_mapping("Pay", "OPS", ["Web"], date(2026, 12, 1), choice=choice, full=full)
        for full in (False, True)
    ]
    read = [YAML(typ="safe", pure=True).load(text) for text in texts]
    assert read[0] == read[1]
    shown = set(re.findall(r"^[ #-]*(\w+):", texts[1], re.MULTILINE))
    assert {key.path.split(".")[-1] for key in all_keys()} <= shown


def test_a_default_that_a_first_mapping_shows_is_the_default() -> None:
    choice = Choice(severities=first_severities(("P1",), (), asked=True))
    text = starter_mapping("Pay", "OPS", ["Web"], date(2026, 12, 1), choice=choice, full=True)
    uncommented = re.sub(r"^( *)# ( *(?:- )?\w+:.*)$", r"\1\2", text, flags=re.MULTILINE)
    # an example address and an empty value set nothing, and a section that people name needs a name
    lines = [
        line.replace("Web: {}", "Web:")
        for line in uncommented.splitlines()
        if "NAME" not in line and "@" not in line and not re.match(r" *- ", line)
    ]
    loaded, shown = YAML(typ="safe", pure=True).load(text), YAML(typ="safe", pure=True).load("\n".join(lines))
    before, after = Mapping.model_validate(loaded), Mapping.model_validate(_without_nothing(shown))
    assert before == after


_LISTS = ("noise", "playbook", "fields", "recurring", "texts", "communications", "clocks", "kpis")
"""Keys whose comment shows how an entry looks; the default is to have none."""


def _without_nothing(data: object) -> object:
    if isinstance(data, dict):
        kept = {key: _without_nothing(value) for key, value in data.items()}
        return {key: value for key, value in kept.items() if value is not None and key not in _LISTS}
    return data


def test_every_key_worth_knowing_is_a_key() -> None:
    assert {key.path for key in all_keys()} >= WORTH_KNOWING


@pytest.mark.parametrize(
    ("names", "urgencies", "owing"),
    [
        ((), ["high", "low"], ["SEV2"]),
        (("Major",), ["high"], ["Major"]),
        (("P1", "P2"), ["high", "low"], ["P1"]),
        (("P1", "P2", "P3"), [None, "high", "low"], ["P1", "P2"]),
        (("P1", "P2", "P3", "P4", "P5"), [None, None, "high", None, "low"], ["P1", "P2"]),
    ],
)
def test_a_first_severity_stands_for_each_priority_and_the_gravest_owe_a_postmortem(
    names: tuple[str, ...], urgencies: list[str | None], owing: list[str]
) -> None:
    severities = first_severities(names, ("High", "Low"), asked=True)
    assert [severity.urgency for severity in severities] == urgencies
    assert [severity.name for severity in severities if severity.postmortem] == owing
    assert [priority for severity in severities for priority in severity.pagerduty] == [*names]
    assert severities[0].priority == "High"


def test_a_first_mapping_passes_every_check(folder: Callable[..., Path]) -> None:
    text = starter_mapping("Payments", "OPS", ["Checkout API", "no", "a: b"], date(2026, 12, 1))
    (loaded,) = load_mappings(folder(a=text), TEMPLATES)
    assert loaded.closing.mode is Mode.REPORT
    with pytest.raises(ValueError, match="at least one service"):
        starter_mapping("Payments", "OPS", [], date(2026, 12, 1))


def test_the_schema_describes_every_key_and_knows_no_other() -> None:
    schema = mapping_schema()
    assert list(schema["properties"]) == list(known_keys(()))
    assert schema["required"] == ["syncd", "team", "enforce_from", "jira", "services"]
    sections = [
        schema,
        *(definition for definition in schema["$defs"].values() if definition.get("type") == "object"),
    ]
    assert len(sections) > 10
    for section in sections:
        assert section["additionalProperties"] is False
        assert [
            name for name, described in section["properties"].items() if not described.get("description")
        ] == []


def test_the_schema_takes_one_name_for_a_list_and_a_service_with_nothing_under_it() -> None:
    schema = mapping_schema()
    names = schema["$defs"]["Statuses"]["properties"]["closed"]
    assert [choice["type"] for choice in names["anyOf"]] == ["string", "array"]
    services = schema["properties"]["services"]
    assert services["minProperties"] == 1
    assert services["additionalProperties"]["anyOf"] == [
        {"$ref": "#/$defs/ServiceSection"},
        {"type": "null"},
    ]


def test_every_key_is_described() -> None:
    assert [key.path for key in all_keys() if len(key.description) < 5] == []
    assert "version" not in [key.path for key in all_keys()]


def test_the_readme_of_the_mappings_has_the_table_of_keys_as_the_types_say_it() -> None:
    readme = (TOP / "mappings" / "README.md").read_text()
    assert key_table() in readme, (
        "put what `python -m syncd.config.mapping.schema` prints into mappings/README.md"
    )


def test_the_first_mapping_of_the_readme_loads(folder: Callable[..., Path]) -> None:
    readme = (TOP / "mappings" / "README.md").read_text()
    (text,) = re.findall(r"```yaml\n(syncd: 1\nteam.*?)```", readme, re.DOTALL)
    assert len(text.splitlines()) <= 15
    (mapping,) = load_mappings(folder(a=text), TEMPLATES)
    assert mapping.team == "Payments"


def test_the_keys_of_any_section_are_known() -> None:
    assert known_keys(("services", "Payments", "playbook", 0)) == (
        *("name", "title", "detect", "actions", "recovered_when", "root_causes"),
    )
    assert known_keys(("services",)) == known_keys(("team",)) == known_keys(("nothing", "at", "all")) == ()


def test_an_incident_of_the_shipped_services_has_a_playbook_where_the_runbook_has_one() -> None:
    case = incident()
    for team in TEAMS.values():
        for name, section in team.services.items():
            assert choose_playbook(team, section, case.title) or name == "Ordering API"


def test_every_eta_drift_owes_a_postmortem_and_other_small_incidents_of_ramen_do_not() -> None:
    assert RAMEN.owes_postmortem("Sev-3", RAMEN.services["ETA"])
    assert not RAMEN.owes_postmortem("Sev-3", RAMEN.services["Dispatch"])


@pytest.mark.parametrize(
    ("team", "title", "restricted"),
    [
        (RAMEN, "Possible PII breach", True),
        (RAMEN, "Account takeover of a courier", True),
        (RAMEN, "Memory leak", False),
        (QRPAY, "Regulatory impact: settlement missed", True),
        (QRPAY, "Cardholder data leak", True),
        (QRPAY, "Alipay callbacks time out", False),
    ],
)
def test_what_the_runbooks_keep_among_few_is_restricted(team: Mapping, title: str, restricted: bool) -> None:
    assert any(title_matches(pattern, title) for pattern in team.restricted.titles) is restricted
    assert team.restricted.level == ("Security incident",)
    assert team.restricted.lead


def sentences(file: str) -> list[tuple[str, list[str]]]:
    """Return what keeps each sentence of a runbook, and the mapping's keys that are named there."""
    guide = (TOP / "mappings/README.md").read_text("utf-8")
    (rows,) = re.findall(
        rf"^`{file}`, after .*\n\n\| section .*\n\|[-| ]+\n((?:\|.*\n)+)", guide, re.MULTILINE
    )
    kept = [row.strip("|").split(" | ")[2].strip() for row in rows.splitlines()]
    # what is no key of a mapping is a line to type, a command, or a name in a service
    return [
        (
            cell,
            [word for word in re.findall(r"`([^`]+)`", cell) if word.split(".")[0] in Mapping.model_fields],
        )
        for cell in kept
    ]


@pytest.mark.parametrize("file", ["qrpay.yaml", "ramen.yaml"])
def test_each_key_that_keeps_a_sentence_of_a_runbook_stands_in_the_shipped_file(file: str) -> None:
    mapping = YAML(typ="safe").load((shipped("mappings") / file).read_text("utf-8"))
    for kept, keys in sentences(file):
        assert keys or kept.startswith(("people", "outside", "PagerDuty's")), kept
        for key in keys:
            section = mapping
            for name in key.split("."):
                assert name in section, f"{file} has no {key}"
                section = section[name]


@pytest.mark.parametrize("file", ["qrpay.yaml", "ramen.yaml"])
def test_the_shipped_file_switches_nothing_on_that_no_sentence_of_its_runbook_asks_for(file: str) -> None:
    mapping = YAML(typ="safe").load((shipped("mappings") / file).read_text("utf-8"))
    modes = {name: section.get("mode") for name, section in mapping.items() if isinstance(section, dict)}
    on = {name for name, mode in modes.items() if mode in ("enforce", "reopen")}
    on |= {
        name
        for name in ("chat", "texts", "recurring", "restricted", "roles", "status_page")
        if name in mapping
    }
    asked = {key.split(".")[0] for _, keys in sentences(file) for key in keys}
    assert on - asked == set()
