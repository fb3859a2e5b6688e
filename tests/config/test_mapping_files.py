from __future__ import annotations

import copy
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from syncd.config.mapping.checks import content_problems
from syncd.config.mapping.errors import structure_problems
from syncd.config.mapping.load import check_version, load_mappings
from syncd.config.mapping.yaml_reader import parse_yaml, read_yaml
from syncd.config.problems import ConfigError, Problem, did_you_mean, listing
from syncd.config.shipped import shipped
from syncd.config.templates.templates import Templates
from syncd.domain.mapping.mapping import Mapping

Folder = Callable[..., Path]


@pytest.fixture
def problems_in(folder: Folder, templates: Templates) -> Callable[..., list[str]]:
    """What is wrong in these files, without the folder's name."""

    def load(**files: str) -> list[str]:
        place = folder(**files)
        with pytest.raises(ConfigError) as caught:
            load_mappings(place, templates)
        return [str(problem).replace(f"{place}/", "") for problem in caught.value.problems]

    return load


def test_a_first_mapping_is_loaded_with_its_files_hash(
    folder: Folder, templates: Templates, small: str
) -> None:
    (mapping,) = load_mappings(folder(a=small), templates)
    assert mapping.team == "Payments"
    assert mapping.version == sha256(small.encode()).hexdigest()[:16]


def test_a_service_with_nothing_under_it_is_a_service(
    folder: Folder, templates: Templates, small: str
) -> None:
    (mapping,) = load_mappings(folder(a=small.replace(" {}", "")), templates)
    assert mapping.services["Payments"].links == {}


def test_files_are_loaded_in_the_order_of_their_names(
    folder: Folder, templates: Templates, small: str
) -> None:
    other = small.replace("Payments", "Ledger")
    loaded = load_mappings(folder(b=small, a=other), templates)
    assert [mapping.team for mapping in loaded] == ["Ledger", "Payments"]


EVERYTHING_WRONG = """\
syncd: 1
team: A
enforce_form: 2026-12-01
jira:
  project: ops
  statuses:
    triggred: Open
    closed: []
  owners: {summary: pagerdutty}
  fields:
    Summary: {value: x}
    Text: {value: x, template: "{{ x }}"}
  labels: ["two words", pd-x]
services:
  Payments:
    owner: bob
    severity: SEV9
    links: {Dashboard: "ftp://x"}
    playbook:
      - name: X
        title: "(("
        actions: do it
  payments:
    id: [1]
severities:
  SEV1: {pagerduty: P1, urgency: hihg}
  SEV2: {pagerduty: [P1, P2], words: sev1}
two_way: {notes: perhaps}
closing: {after_hours: -1}
template: tickt.j2
redact: {patterns: {x: "a*"}}
people: {aliases: {bob: bob@company.example}}
playbook:
  - {name: Y, actions: [z]}
  - {name: Z, title: z}
"""

EVERYTHING_SAID = {
    "1:1: enforce_from: missing; add `enforce_from`: the day",
    "3:1: enforce_form: unknown key; did you mean `enforce_from`?",
    "5:12: jira.project: not the key of a Jira project; write it in capitals, such as `OPS`",
    "7:5: jira.statuses.triggred: unknown key; did you mean `triggered`?",
    "8:5: jira.statuses.closed: empty; write at least one",
    "9:21: jira.owners.summary: not one of `pagerduty`, `jira` or `nobody`; did you mean `pagerduty`?",
    "11:5: jira.fields.Summary: syncd writes this field itself; it comes from the incident's title",
    "12:5: jira.fields.Text: both `value` and `template`; give exactly one",
    "13:12: jira.labels[0]: not a label of Jira; write `two-words`",
    "13:25: jira.labels[1]: a label that syncd sets itself; choose one",
    "16:12: services.Payments.owner: not an e-mail address; write one such as name@company.example",
    "17:15: services.Payments.severity: no such severity; did you mean",
    "18:24: services.Payments.links.Dashboard: not a web address; write one that begins with https://",
    "21:16: services.Payments.playbook[0].title: not a regular expression: missing )",
    "22:18: services.Payments.playbook[0].actions: not a list; write one entry a line, each after `- `",
    "23:3: services.payments: the same service as `Payments`; remove one",
    "24:5: services.payments.id: not a text; write a text",
    "25:1: severities: no severity has urgency high; write `urgency: high` under",
    "25:1: severities: no severity has urgency low; write `urgency: low` under",
    "26:34: severities.SEV1.urgency: not one of `high` or `low`; did you mean `high`?",
    "27:10: severities.SEV2.pagerduty: PagerDuty priority `P1` already means SEV1; remove one",
    "27:38: severities.SEV2.words: `sev1` is the name of another severity; remove it here",
    "28:18: two_way.notes: neither true nor false; write `true` or `false`",
    "29:24: closing.after_hours: out of its range; it should be greater than or equal to 0",
    "30:11: template: tickt.j2: no such template; did you mean `ticket.j2`?",
    "31:24: redact.patterns.x: matches the empty text, so it would mask every text; require",
    "32:25: people.aliases.bob: not an e-mail address; write one",
    "34:5: playbook[0]: would be on every ticket of the team; give a pattern for titles as `title`",
    "35:5: playbook[1]: is empty; give `detect`, `actions` or `recovered_when`",
}


def test_an_unknown_key_that_resembles_none_is_told_what_there_is_and_that_there_is_more(
    problems_in: Callable[..., list[str]], small: str
) -> None:
    (line,) = problems_in(a=small + "qqqq: 1\n")
    assert "qqqq: unknown key; its section may have `syncd`, `team`, `enforce_from`" in line
    assert re.search(r" and \d+ more: syncd schema$", line)


def test_every_problem_of_a_file_is_told_at_once_with_place_key_and_what_would_be_right(
    problems_in: Callable[..., list[str]],
) -> None:
    lines = problems_in(a=EVERYTHING_WRONG)
    for expected in EVERYTHING_SAID:
        assert any(line.removeprefix("a.yaml:").startswith(expected) for line in lines), expected
    unexpected = [
        line
        for line in lines
        if not any(line.removeprefix("a.yaml:").startswith(expected) for expected in EVERYTHING_SAID)
    ]
    assert unexpected == []
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "SEV1", "(", "x"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "name", "title"]), inner)
    ),
    max_leaves=4,
)
WHOLE = parse_yaml(EVERYTHING_WRONG, "whole.yaml")
SHIPPED = [read_yaml(path)[0] for path in shipped("mappings").glob("*.yaml")]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_stands_where_it_does_not_belong_is_a_problem_and_no_failure(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from([WHOLE, *SHIPPED])))
    for path in data.draw(
        st.lists(st.sampled_from(sorted(filter(None, document.values), key=str)), max_size=3)
    ):
        holder: Any = document.data
        for step in path[:-1]:
            holder = holder[step] if isinstance(holder, (dict, list)) and step in keys_of(holder) else None
        if isinstance(holder, (dict, list)) and path[-1] in keys_of(holder):
            holder[path[-1]] = data.draw(anything)
    problems = content_problems(document)
    try:
        Mapping.model_validate(document.data)
    except ValidationError as error:
        problems += structure_problems(error, document)
    assert all(str(problem) for problem in problems)


def keys_of(holder: Any) -> Any:
    """The keys of a section, the indices of a list."""
    return holder if isinstance(holder, dict) else range(len(holder))


def test_the_problems_of_all_files_are_told_at_once(
    problems_in: Callable[..., list[str]], small: str
) -> None:
    lines = problems_in(
        a=small.replace("team:", "taem:"), b="a: [", c=small.replace("OPS", "o"), d="team: D\nsyncd: 1\n"
    )
    assert {line.partition(":")[0] for line in lines} == {"a.yaml", "b.yaml", "c.yaml", "d.yaml"}


def test_two_files_may_not_claim_one_service_by_name_or_by_id(
    problems_in: Callable[..., list[str]], small: str
) -> None:
    by_id = "services:\n  Payments old:\n    id: PX\n"
    others = small.partition("services:")[0]
    lines = problems_in(
        a=others.replace("Payments", "A") + "services:\n  payments: {}\n  Ledger: {id: PX}\n",
        b=small,
        c=others.replace("Payments", "C") + by_id,
    )
    assert [line.partition(" that ")[0] for line in lines] == [
        "b.yaml:7:3: services.Payments: a service",
        "c.yaml:8:5: services.Payments old.id: the id of a service",
    ]
    assert "a.yaml:7:3" in lines[0]


def test_two_files_may_not_be_one_team(problems_in: Callable[..., list[str]], small: str) -> None:
    (line,) = problems_in(a=small, b=small.replace("  Payments: {}", "  Ledger: {}"))
    assert line.startswith("b.yaml:2:1: team: the name of a team that")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("team: A\nsyncd: 1\n", "f.yaml:2:1: syncd: not the first key; begin the file with `syncd: 1`"),
        ("team: A\n", "f.yaml:1:1: syncd: missing; begin the file with `syncd: 1`"),
        (
            "syncd: 2\n",
            "f.yaml:1:8: syncd: a newer version of the format; this syncd reads versions up to 1; install a"
            " newer syncd",
        ),
        ("syncd: one\n", "f.yaml:1:8: syncd: not a version of the format; write `syncd: 1`"),
        ("syncd: true\n", "f.yaml:1:8: syncd: not a version of the format; write `syncd: 1`"),
    ],
)
def test_the_first_key_says_which_version_of_the_format_is_meant(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_version(parse_yaml(text, "f.yaml"))
    assert str(caught.value) == expected


def test_a_noise_rule_says_which_incidents_it_means(
    problems_in: Callable[..., list[str]], small: str
) -> None:
    rules = """noise:
  - {name: everything}
  - {name: pattern, title: "(("}
  - {name: service, services: [Paymnts, PPAY]}
  - {name: early, urgency: high, resolved_within_minutes: 5}
"""
    lines = problems_in(a=small.replace("Payments: {}", "Payments: {id: PPAY}") + rules)
    assert [line.partition(";")[0] for line in lines] == [
        "a.yaml:9:5: noise[0]: would keep every incident without a ticket",
        "a.yaml:10:28: noise[1].title: not a regular expression: missing ) at position 2",
        "a.yaml:11:21: noise[2].services: no such service: Paymnts",
        "a.yaml:12:5: noise[3]: never holds",
    ]


def test_a_template_of_a_field_is_tried_before_the_first_incident(
    problems_in: Callable[..., list[str]], small: str
) -> None:
    fields = "  project: OPS\n  fields:\n    Region: {template: '{{ incidnt.title }}'}\n"
    (line,) = problems_in(a=small.replace("  project: OPS\n", fields))
    assert line == (
        "a.yaml:7:24: jira.fields.Region.template: `incidnt` is not a variable of this template;"
        " did you mean `incident`?"
    )


def test_a_ticket_template_of_ones_own_is_tried_before_the_first_incident(
    tmp_path: Path, folder: Folder, small: str
) -> None:
    own = tmp_path / "templates"
    own.mkdir()
    (own / "mine.j2").write_text("h2. Owner\n{{ service.ownr }}\n")
    with pytest.raises(ConfigError) as caught:
        load_mappings(folder(a=small + "template: mine.j2\n"), Templates(own))
    assert f"{own}/mine.j2:2: there is no `ownr` here; did you mean `owner`?" in str(caught.value)


def test_a_folder_without_mappings_says_how_to_make_one(tmp_path: Path, templates: Templates) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match="syncd init"):
            load_mappings(folder, templates)


def test_a_file_whose_name_ends_otherwise_is_not_left_out_silently(
    tmp_path: Path, templates: Templates, small: str
) -> None:
    (tmp_path / "payments.yml").write_text(small)
    with pytest.raises(ConfigError, match=r"payments\.yml: not read.*name it payments\.yaml"):
        load_mappings(tmp_path, templates)


def test_a_problem_reads_as_one_line() -> None:
    problem = Problem("f.yaml:1:2", "team", "missing", "add it")
    assert str(problem) == "f.yaml:1:2: team: missing; add it"
    assert str(Problem("f.yaml", "", "too large")) == "f.yaml: too large"


def test_suggestions_come_near_or_not_at_all() -> None:
    assert did_you_mean("ENFORCE_FORM", ["team", "enforce_from"]) == "did you mean `enforce_from`?"
    assert did_you_mean("zzz", ["team", "enforce_from"]) == ""
    assert listing(["a", "b", "c"]) == "`a`, `b` or `c`"


def test_the_rules_for_restricted_incidents_are_checked(
    problems_in: Callable[..., list[str]], small: str
) -> None:
    rules = """restricted:
  level: Few
  ordinary_levels: [few]
  titles: ["(("]
  services: [Paymnts]
  project: OPS
  lead: nobody
"""
    lines = problems_in(a=small + rules)
    assert [line.partition(";")[0].split(": ", 1)[1] for line in lines] == [
        "restricted.ordinary_levels: `few` is the level of restricted tickets",
        "restricted.titles[0]: not a regular expression: missing ) at position 2",
        "restricted.services: no such service: Paymnts",
        "restricted.project: the project of all tickets",
        "restricted.lead: not an e-mail address",
    ]


def test_one_link_type_serves_one_purpose_alone(problems_in: Callable[..., list[str]], small: str) -> None:
    (problem,) = problems_in(a=small + "follow_ups:\n  link_types: [Causes, relates]\n")
    assert "follow_ups.link_types: relates has another purpose in `jira.link_types`" in problem
    both = small.replace("  project: OPS\n", "  project: OPS\n  link_types: [Duplicate]\n")
    (other,) = problems_in(a=both + "postmortem:\n  link_types: Causes\nfollow_ups:\n  link_types: Causes\n")
    assert "Causes has another purpose in `postmortem.link_types`" in other
    assert "Relates with the label action-item" in other


def test_a_link_type_of_its_own_makes_action_items(folder: Folder, templates: Templates, small: str) -> None:
    (mapping,) = load_mappings(folder(a=small + "follow_ups:\n  link_types: Causes\n"), templates)
    assert mapping.follow_ups.link_types == ("Causes",)
