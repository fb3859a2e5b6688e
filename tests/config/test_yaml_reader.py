from __future__ import annotations

from pathlib import Path

import pytest

from syncd.config.mapping.yaml_reader import LARGEST_FILE, dotted, parse_yaml, read_yaml
from syncd.config.problems import ConfigError, Place


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_words_are_words_as_yaml_1_2_says() -> None:
    text = "a: no\nb: yes\nc: on\nd: 012\ne: 0o17\nf: true\ng: ~\nh: 1.5\ni: 2026-12-01\nj: '1'\n8: x\n"
    assert parse_yaml(text, "f.yaml").data == {
        "a": "no",
        "b": "yes",
        "c": "on",
        "d": 12,
        "e": 15,
        "f": True,
        "g": None,
        "h": 1.5,
        "i": "2026-12-01",
        "j": "1",
        "8": "x",
    }


def test_every_key_and_value_knows_its_line_and_column() -> None:
    document = parse_yaml("a:\n  b: 1\n  c: [x, y]\n", "f.yaml")
    assert document.place(("a", "c")) == Place("f.yaml", 3, 3)
    assert document.where(("a", "b")) == Place("f.yaml", 2, 6)
    assert document.where(("a", "c")) == Place("f.yaml", 3, 3)
    assert document.where(("a", "c", 1)) == Place("f.yaml", 3, 10)
    assert document.place(("a", "nothing", 3)) == Place("f.yaml", 1, 1)


def test_paths_are_written_as_people_read_them() -> None:
    assert dotted(("services", "Pay ments", "playbook", 0, "title")) == "services.Pay ments.playbook[0].title"


def test_everything_that_a_mapping_must_not_hold_is_told_at_once() -> None:
    lines = problems("a: 1\na: 2\nb: &x 1\nc: *x\nd: !!str 5\n<<: {e: 1}\nf: .nan\n")
    assert [line.partition(": ")[0] for line in lines] == [
        *("f.yaml:2:1", "f.yaml:3:4", "f.yaml:4:4", "f.yaml:5:4", "f.yaml:6:1", "f.yaml:7:4"),
    ]
    assert lines[0] == "f.yaml:2:1: a: given twice; the first is in line 1; remove one"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a:\n\t- b\n", 2, "tabs"),
        ("a: [1,\nb: 2\n", 3, "flow sequence"),
        ("a: b: c\n", 1, "not allowed here"),
        ("x: 1\na: 'b\n", 3, "quoted scalar"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("? [a]\n: 1\n", 1, "a key that is not a text"),
        ("a: 1\nb: \x07\n", 2, "special characters"),
        ("- a\n", 1, "not a mapping"),
        ("", 1, "not a mapping"),
    ],
)
def test_what_is_no_mapping_is_named_with_its_line(text: str, line: int, words: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(f"f.yaml:{line}:")
    assert words in problem


@pytest.mark.parametrize(
    "text", ["a: " + "[" * 50_000, "a: " + "{b: " * 50_000, "- " * 50_000, "a: [" + "[]," * 25_000 + "]"]
)
def test_a_file_that_nests_or_goes_on_without_end_is_given_up_early(text: str) -> None:
    assert "too many values, or nested too deeply" in problems(text)[-1]


def test_aliases_cannot_make_gigabytes() -> None:
    bomb = "a: &a [x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}]\n" for n in range(9))
    lines = problems(bomb)
    assert lines
    assert all("anchors are not supported" in problem for problem in lines)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(ConfigError, match="too large for a mapping; at most 1024 KiB"):
        read_yaml(path)


def test_a_file_that_is_not_utf_8_is_named_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert str(caught.value) == f"{path}:2:7: not UTF-8; save the file as UTF-8"


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes("\ufeffsyncd: 1\n".encode())
    document, raw = read_yaml(path)
    assert document.data == {"syncd": 1} and raw.startswith(b"\xef\xbb\xbf")


def test_a_file_that_cannot_be_read_is_a_problem_like_any_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml: No such file"):
        read_yaml(tmp_path / "missing.yaml")
