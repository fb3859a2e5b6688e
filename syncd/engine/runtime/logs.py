"""The log: one line for each act, as text for people and as JSON for machines, on standard error.

syncd replaces secrets by value in all log lines. It removes control characters, so that an incident's title
cannot forge a line. Tracebacks show no variables, because variables may hold tokens.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC
from typing import TYPE_CHECKING, TextIO

from loguru import logger

from syncd.domain.text import strip_controls

if TYPE_CHECKING:
    from loguru import Message, Record

MASKED = "[secret]"
_NAMES = ("incident", "number", "ticket")
"""The fields of every JSON line: the incident's id and number and its ticket's key, null if it has none."""
_KEPT = ("issue", "operation", "op", "kind", "to", "reason")
_NUMBERS = ("duration_ms",)


class _Intercept(logging.Handler):
    """Sends the log records of libraries (standard library logging) to the same place."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        logger.opt(exception=record.exc_info).log(level, "{}: {}", record.name, record.getMessage())


def _cleaner(secrets: Iterable[str]) -> Cleaner:
    # a secret of three characters would blank out ordinary words; the longest go first, as they may nest
    return Cleaner(tuple(sorted((secret for secret in secrets if len(secret) >= 4), key=len, reverse=True)))


class Cleaner:
    """Replaces secrets by value and takes out control characters."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets

    def __call__(self, text: str) -> str:
        """Return the text as syncd may show it, on one line."""
        for secret in self._secrets:
            text = text.replace(secret, MASKED)
        # splitlines also knows U+0085 and U+2028, which some viewers show as line breaks
        return strip_controls(" | ".join(text.splitlines()))


def _text_line(record: Record, clean: Cleaner) -> str:
    return f"{_moment(record, 'seconds')} {record['level'].name:<7} {clean(record['message'])}"


def _moment(record: Record, to: str) -> str:
    """Return the time of a line in UTC, as `2026-11-30T23:10:05Z`."""
    return record["time"].astimezone(UTC).replace(tzinfo=None).isoformat(timespec=to) + "Z"


def _json_line(record: Record, clean: Cleaner) -> str:
    data = {
        "at": _moment(record, "microseconds"),
        "level": record["level"].name.lower(),
        "message": clean(record["message"]),
    }
    extra = record["extra"]
    names = {key: None if extra.get(key) is None else clean(str(extra[key])) for key in _NAMES}
    names |= {key: clean(str(extra[key])) for key in _KEPT if key in extra}
    numbers = {"number": extra["number"]} if extra.get("number") is not None else {}
    numbers |= {key: record["extra"][key] for key in _NUMBERS if key in record["extra"]}
    return json.dumps({**data, **names, **numbers}, ensure_ascii=False)


def _trace(record: Record, clean: Cleaner) -> str:
    import traceback

    error = record["exception"]
    if error is None or error.value is None:
        return ""
    lines = traceback.format_exception(error.type, error.value, error.traceback)
    return clean("".join(lines))


def start_log(level: str, style: str | None, secrets: Iterable[str], *, stream: TextIO | None = None) -> None:
    """Send the log to `stream` (standard error) as `text` or `json`; None: text on a terminal."""
    target = stream or sys.stderr
    as_text = style == "text" or (style is None and target.isatty())
    clean = _cleaner(secrets)

    def write(message: Message) -> None:
        record = message.record
        trace = _trace(record, clean)
        if as_text:
            target.write(_text_line(record, clean) + (f" | {trace}" if trace else "") + "\n")
        else:
            line = _json_line(record, clean)
            if trace:
                line = json.dumps({**json.loads(line), "trace": trace}, ensure_ascii=False)
            target.write(line + "\n")
        target.flush()

    logger.remove()
    logger.add(write, level=level.upper(), diagnose=False, backtrace=False)
    logging.basicConfig(handlers=[_Intercept()], level=logging.WARNING, force=True)
