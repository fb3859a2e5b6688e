"""The problems of a configuration: where each is, what is wrong, and how to fix it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_PLACE = re.compile(r"(.*?):(\d+)(?::(\d+))?", re.DOTALL)


@dataclass(frozen=True, order=True)
class Place:
    """A place in a file; line and column begin at 1, and 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """One problem: where it is, which key, what is wrong, and a hint how to fix it.

    `where` is `file:line:column`, or `environment` for a setting. `key` is the path in the file
    (`services.Payments.owner`) or the name of the variable. A message never holds a secret.
    """

    where: str
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.message}; {self.hint}" if self.hint else self.message
        return ": ".join(part for part in (self.where, self.key, text) if part)


def by_place(problem: Problem) -> tuple[str, int, int]:
    """Return the key that sorts problems by their places in their files."""
    match = _PLACE.fullmatch(problem.where)
    return (match[1], int(match[2]), int(match[3] or 0)) if match else (problem.where, 0, 0)


class ConfigError(Exception):
    """The configuration is unusable; `problems` holds every problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return "did you mean `X`?" for a misspelt word; an empty text if no word is similar."""
    by_fold = {name.casefold(): name for name in words}
    near = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return f"did you mean `{by_fold[near[0]]}`?" if near else ""


def listing(words: Sequence[str]) -> str:
    """Return words as people list them: `a`, `b` or `c`."""
    quoted = [f"`{word}`" for word in words]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)
