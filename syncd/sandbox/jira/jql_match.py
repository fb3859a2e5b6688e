"""Match an issue, as a record of it shows it, against a JQL clause.

Like Jira, the sandbox checks the values first: an unknown field, project, status, key or function is a 400
and not an empty answer. A time without a zone is read in the zone of the caller.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.sandbox.jira.asking import Ask
from syncd.sandbox.jira.errors import error
from syncd.sandbox.jira.jql import Both, Clause, Either, Node, Not
from syncd.sandbox.jira.model import Issue, Record
from syncd.sandbox.jira.site import Site

Row = tuple[Issue, Record]
Test = Callable[[Row], bool]
RELATIVE = re.compile(r"([+-]?)(\d+)([mhdw]?)", re.IGNORECASE)
UNIT = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800, "": 60}
TIMES = {
    "updated": "updated",
    "updateddate": "updated",
    "created": "created",
    "createddate": "created",
    "resolved": "resolutiondate",
    "resolutiondate": "resolutiondate",
}
TEXTS = {"summary": ("summary",), "description": ("description",), "text": ("summary", "description")}
ALIASES = {
    "type": "issuetype",
    "component": "components",
    "issue": "key",
    "issuekey": "key",
    "due": "duedate",
    "labels": "labels",
    "level": "security",
}


def _names(site: Site, issue: Issue, record: Record, field: str) -> set[str]:
    """Return every name by which JQL may call the issue's value of a field, in lower case."""
    values = record.values
    project = site.projects[record.project_id]
    status = site.status(record)
    type_ = site.setup(record).type
    single: dict[str, list[Any]] = {
        "project": [project.key, project.id, project.name],
        "key": [record.key],
        "id": [str(issue.id)],
        "issuetype": [type_.id, type_.name, type_.untranslated],
        "status": [status.id, status.name, status.untranslated],
        "statuscategory": [{"new": "to do", "indeterminate": "in progress", "done": "done"}[status.category]],
        "labels": list(values.get("labels") or ()),
        "creator": _people(site, issue.creator),
        "assignee": _people(site, values.get("assignee")),
        "reporter": _people(site, values.get("reporter")),
        "parent": [str(values["parent"]), site.issues[values["parent"]].key] if values.get("parent") else [],
    }
    if field in single:
        return {str(name).lower() for name in single[field] if name}
    rows: dict[str, Any] = {
        "priority": site.priorities.values(),
        "resolution": site.resolutions.values(),
        "components": project.components,
        "security": project.levels,
    }
    ids = values.get(field)
    ids = ids if isinstance(ids, tuple) else (ids,)
    return {text.lower() for row in rows[field] if row.id in ids for text in (row.id, row.name)}


def _people(site: Site, account_id: str | None) -> list[str]:
    if account_id is None:
        return []
    person = site.people[account_id]
    return [person.account_id, person.email, person.username, person.name]


NAMED = {
    "project",
    "key",
    "id",
    "issuetype",
    "status",
    "statuscategory",
    "labels",
    "creator",
    "assignee",
    "reporter",
    "parent",
    "priority",
    "resolution",
    "components",
    "security",
}


def test(ask: Ask, node: Node) -> Test:
    """Return the test that a tree means. Raise a 400 for what it cannot mean."""
    if isinstance(node, Both):
        parts = [test(ask, part) for part in node.parts]
        return lambda row: all(part(row) for part in parts)
    if isinstance(node, Either):
        parts = [test(ask, part) for part in node.parts]
        return lambda row: any(part(row) for part in parts)
    if isinstance(node, Not):
        inner = test(ask, node.part)
        return lambda row: not inner(row)
    return _clause(ask, node)


def _clause(ask: Ask, clause: Clause) -> Test:
    field = ALIASES.get(clause.field, clause.field)
    if field in TIMES:
        return _time(ask, clause, TIMES[field])
    if field == "duedate":
        return _due(ask, clause)
    if field in TEXTS:
        return _text(clause, TEXTS[field])
    if field not in NAMED:
        raise error(400, f"Field '{clause.field}' does not exist or you do not have permission to view it.")
    if field in ("key", "id") and clause.operator in (">", "<", ">=", "<="):
        return _number(clause, field)
    return _named(ask, clause, field)


def _named(ask: Ask, clause: Clause, field: str) -> Test:
    site = ask.site
    if clause.operator in ("is", "is not"):
        filled = clause.operator == "is not"
        return lambda row: bool(_names(site, *row, field)) == filled
    if clause.operator not in ("=", "!=", "in", "not in"):
        raise error(400, f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.")
    names = {_meant(ask, field, value, value in clause.functions) for value in clause.values}
    if clause.operator in ("=", "in"):
        # "= EMPTY" means: the issue has no value.
        return lambda row: bool(names & (_names(site, *row, field) or {"empty"}))
    # An issue without a value never fulfils "!=" or "not in": Jira leaves it out.
    return lambda row: not names & (_names(site, *row, field) or names)


def _meant(ask: Ask, field: str, value: str, function: bool) -> str:
    """Return a value in the form in which it is compared. Raise a 400 if it does not exist."""
    site = ask.site
    if function:
        if value == "currentuser" and field in ("assignee", "reporter", "creator"):
            return ask.account.lower()
        raise error(400, f"Unable to find JQL function '{value}()'.")
    if value.lower() in ("empty", "null"):
        return "empty"
    lookups: dict[str, Callable[[str], object]] = {
        # Jira answers a project that the account may not browse like one that does not exist
        "project": lambda name: (
            project if (project := site.project(name)) and "BROWSE_PROJECTS" not in project.denied else None
        ),
        "key": lambda name: (
            issue if (issue := site.find(name)) and site.visible(issue, ask.account) else None
        ),
        "id": lambda name: issue if (issue := site.find(name)) and site.visible(issue, ask.account) else None,
        "status": lambda name: _any(site.statuses(), name),
        "issuetype": lambda name: _any(site.types(), name),
        "priority": lambda name: _any(site.priorities, name),
        "resolution": lambda name: name.lower() == "unresolved" or _any(site.resolutions, name),
        **dict.fromkeys(("creator", "assignee", "reporter"), lambda name: _is_person(site, name)),
    }
    if field in lookups and not lookups[field](value):
        if field in ("key", "id"):
            raise error(400, f"An issue with key '{value}' does not exist for field '{field}'.")
        raise error(400, f"The value '{value}' does not exist for the field '{field}'.")
    # A former key of a moved issue still leads to it.
    if field == "key" and (issue := site.find(value)):
        return issue.key.lower()
    return "empty" if field == "resolution" and value.lower() == "unresolved" else value.lower()


def _is_person(site: Site, name: str) -> bool:
    text = name.lower()
    return any(text in map(str.lower, _people(site, account_id)) for account_id in site.people)


def _any(rows: dict[str, Any], name: str) -> bool:
    text = name.lower()
    return any(
        text in (id_, row.name.lower(), getattr(row, "untranslated", "").lower()) for id_, row in rows.items()
    )


def moment(ask: Ask, value: str, function: bool) -> datetime:
    """Return the time that a value means: `-15m`, `now()`, `startOfDay()`, or a date in the caller's zone."""
    now, zone = ask.site.now(), ask.view.zone
    if function and value in ("now", "startofday"):
        return (
            now if value == "now" else now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        )
    # A number without sign and unit is no relative time.
    if (match := RELATIVE.fullmatch(value)) and (match[1] or match[3]):
        distance = timedelta(seconds=int(match[2]) * UNIT[match[3].lower()])
        return now - distance if match[1] == "-" else now + distance
    for form in ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d"):
        try:
            return datetime.strptime(value, form).replace(tzinfo=zone).astimezone(UTC)
        except ValueError:
            continue
    raise error(
        400,
        f"Date value '{value}' for field is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
        "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'.",
    )


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda held, asked: bool(held == asked),
    "!=": lambda held, asked: bool(held != asked),
    ">": lambda held, asked: bool(held > asked),
    ">=": lambda held, asked: bool(held >= asked),
    "<": lambda held, asked: bool(held < asked),
    "<=": lambda held, asked: bool(held <= asked),
}


def _compared(clause: Clause, held: Callable[[Row], Any], asked: Any) -> Test:
    if clause.operator not in COMPARE:
        raise error(400, f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.")
    compare = COMPARE[clause.operator]

    def tested(row: Row) -> bool:
        value = held(row)
        # An issue without the value matches no comparison.
        return value is not None and compare(value, asked)

    return tested


def _time(ask: Ask, clause: Clause, name: str) -> Test:
    def held(row: Row) -> Any:
        issue, record = row
        if name == "created":
            return issue.created
        return record.updated if name == "updated" else record.values.get(name)

    if clause.operator in ("is", "is not"):
        return lambda row: (held(row) is None) == (clause.operator == "is")
    value = clause.values[0]
    return _compared(clause, held, moment(ask, value, value in clause.functions))


def _due(ask: Ask, clause: Clause) -> Test:
    if clause.operator in ("is", "is not"):
        return lambda row: (row[1].values.get("duedate") is None) == (clause.operator == "is")
    value = clause.values[0]
    day = moment(ask, value, value in clause.functions).astimezone(ask.view.zone).date().isoformat()
    return _compared(clause, lambda row: row[1].values.get("duedate"), day)


def _text(clause: Clause, fields: tuple[str, ...]) -> Test:
    if clause.operator not in ("~", "!~"):
        raise error(400, f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.")
    words = re.findall(r"\w+", clause.values[0].lower())

    def tested(row: Row) -> bool:
        held = re.findall(r"\w+", " ".join(str(row[1].values.get(name) or "") for name in fields).lower())
        return all(word in held for word in words) == (clause.operator == "~")

    return tested


def _number(clause: Clause, field: str) -> Test:
    head, _, digits = clause.values[0].upper().rpartition("-")
    # A key needs its project and a number, an id only a number.
    if not (digits.isascii() and digits.isdigit()) or (field == "key") != bool(head):
        raise error(400, f"The value '{clause.values[0]}' does not exist for the field '{clause.field}'.")

    def held(row: Row) -> Any:
        if field == "id":
            return row[0].id
        project, _, number = row[1].key.rpartition("-")
        # Keys of different projects cannot be compared.
        return int(number) if project == head else None

    return _compared(clause, held, int(digits))


def bounded(node: Node | None) -> bool:
    """Return True if a query has a condition; Jira Cloud refuses a query without one."""
    return node is not None


def updated_since(ask: Ask, node: Node | None) -> datetime | None:
    """Return the time before which no issue can match, or None if the query does not say."""
    # Polls ask "updated >= …": from this time on, the search skips all older issues.
    for part in node.parts if isinstance(node, Both) else (node,):
        if isinstance(part, Clause) and TIMES.get(part.field) == "updated" and part.operator in (">", ">="):
            return moment(ask, part.values[0], part.values[0] in part.functions)
    return None
