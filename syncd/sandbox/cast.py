"""The default world: two small invented companies with people, services and one Jira site.

As on real accounts, not everything matches. One responder has no Jira account, one has a closed account, one
hides the e-mail address, and only some services have a component in Jira.
"""

from datetime import UTC, datetime

from syncd.sandbox.clock import Clock, SandboxClock
from syncd.sandbox.jira.model import (
    Component,
    FieldDef,
    IssueType,
    LinkType,
    Option,
    Person,
    Priority,
    Project,
    Resolution,
    SecurityLevel,
    TypeSetup,
)
from syncd.sandbox.jira.site import Site
from syncd.sandbox.jira.workflow import Workflow
from syncd.sandbox.pagerduty import records as pd
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.presets import data_center, simple
from syncd.sandbox.world import World

START = datetime(2026, 11, 16, 6, 0, tzinfo=UTC)
"""When the default world begins: a Monday morning."""

PAGERDUTY_KEY = "pd-sandbox-key"
JIRA_KEY = "jira-sandbox-key"
CHANNEL = "status-qrpay"
BOT_EMAIL = "syncd@qrpay.example"
BOT_ACCOUNT = "712020:syncd-bot-000001"

PEOPLE = (
    ("Amara Osei", "amara.osei@qrpay.example", "Payments incident commander"),
    ("Jonas Lindqvist", "jonas.lindqvist@qrpay.example", "Banking incident commander"),
    ("Mei Tanaka", "mei.tanaka@qrpay.example", "Platform incident commander"),
    ("Priya Raman", "priya.raman@qrpay.example", "Reliability Engineering Lead"),
    ("Tomasz Wójcik", "tomasz.wojcik@qrpay.example", "CTO"),
    ("Elif Kaya", "elif.kaya@qrpay.example", "Head of Compliance"),
    ("Diego Fuentes", "diego.fuentes@ramen.example", "Ops Engineer"),
    ("Hannah Weiss", "hannah.weiss@ramen.example", "Support Lead"),
    ("Samuel Adeyemi", "samuel.adeyemi@ramen.example", "Head of Ops"),
    ("Noor Haddad", "noor.haddad@ramen.example", "CTO"),
)
# Each of these people shows one way in which an owner cannot be assigned or not be found by address.
NOT_IN_JIRA = {"Hannah Weiss"}
INACTIVE_IN_JIRA = {"Jonas Lindqvist"}
HIDDEN_IN_JIRA = {"Mei Tanaka"}
ONLY_IN_JIRA = (
    ("Ines Carvalho", "ines.carvalho@qrpay.example"),
    ("Farid Rahimi", "farid.rahimi@ramen.example"),
)
QRPAY = ("Alipay Integration", "BluBank Integration", "Yoomonea Service", "Core QRPay Web")
RAMEN = ("Ordering API", "Payments", "Dispatch", "Webhooks", "ETA", "Restaurant Portal")
COMPONENTS = (
    "Alipay Integration",
    "BluBank Integration",
    "Core QRPay Web",
    "Ordering API",
    "Payments",
    "Dispatch",
)
SCREEN = frozenset(
    {
        "summary",
        "description",
        "priority",
        "labels",
        "assignee",
        "reporter",
        "duedate",
        "parent",
        "components",
        "security",
        "environment",
        "customfield_10050",
        "customfield_10051",
        "customfield_10052",
    }
)


def default_world(
    clock: Clock | None = None,
    seed: int = 0,
    *,
    limits: bool = True,
    data_center_edition: bool = False,
    workflow: Workflow | None = None,
) -> World:
    """Return the world of the default story; without `clock` its time stands still at `START`."""
    world = World(clock or SandboxClock(START), seed, limits=limits)
    fill_account(world.pagerduty.account)
    fill_site(world.jira.site, workflow or simple())
    world.chat.add_webhook(CHANNEL)
    if data_center_edition:
        data_center(world)
    return world


def fill_account(account: Account) -> None:
    """Put the teams, people, services and policies of both companies into a PagerDuty account."""
    account.tokens[PAGERDUTY_KEY] = None
    for rank, description in enumerate(("Critical", "High", "Medium", "Low", "Informational"), 1):
        id_ = f"PPRIO0{rank}"
        account.priorities[id_] = pd.Priority(id_, f"P{rank}", rank, description)
    qrpay, ramen = _team(account, "QRPay"), _team(account, "Ramen")
    for name, email, title in PEOPLE:
        team = qrpay if email.endswith("@qrpay.example") else ramen
        _user(account, name, email, title, (team,))
    # PagerDuty accepts writes only with a `From` header that names a user of the account.
    _user(account, "syncd", BOT_EMAIL, None, ())
    schedule = pd.Schedule(
        "PSCHED1", "QRPay incident commanders", _ids(account, *(row[0] for row in PEOPLE[:3]))
    )
    account.schedules[schedule.id] = schedule
    lead, cto = _ids(account, "Priya Raman", "Tomasz Wójcik")
    _policy(
        account, "PEPOL01", "QRPay incidents", qrpay, ("schedule", schedule.id), ("user", lead), ("user", cto)
    )
    ops, support, head = _ids(account, "Diego Fuentes", "Hannah Weiss", "Samuel Adeyemi")
    _policy(account, "PEPOL02", "Ramen incidents", ramen, ("user", ops), ("user", support), ("user", head))
    for number, name in enumerate(QRPAY + RAMEN, 1):
        at_qrpay = name in QRPAY
        policy, team = ("PEPOL01", qrpay) if at_qrpay else ("PEPOL02", ramen)
        id_ = f"PSVC{number:03d}"
        account.services[id_] = pd.Service(id_, name, policy, f"PINT{number:03d}", account.now(), (team,))
    options = ("card data", "customer data", "none")
    field = pd.CustomField(
        "PCFLD01", "data_affected", "Data affected", "string", "single_value_fixed", options
    )
    account.custom_fields[field.id] = field


def _team(account: Account, name: str) -> str:
    id_ = f"PTEAM{len(account.teams) + 1:02d}"
    account.teams[id_] = pd.Team(id_, name)
    return id_


def _user(account: Account, name: str, email: str, title: str | None, teams: tuple[str, ...]) -> None:
    id_ = f"PUSER{len(account.users) + 1:02d}"
    account.users[id_] = pd.User(id_, name, email, teams, job_title=title)


def _ids(account: Account, *names: str) -> tuple[str, ...]:
    by_name = {user.name: user.id for user in account.users.values()}
    return tuple(by_name[name] for name in names)


def _policy(account: Account, id_: str, name: str, team: str, *levels: tuple[pd.Target, str]) -> None:
    rules = tuple(pd.Rule(f"{id_}R{number}", (target,), 15) for number, target in enumerate(levels, 1))
    account.policies[id_] = pd.Policy(id_, name, rules, (team,))


def fill_site(site: Site, workflow: Workflow) -> None:
    """Put people, fields and the two projects OPS and ENG into a Jira site."""
    site.tokens[BOT_EMAIL, JIRA_KEY] = BOT_ACCOUNT
    site.people[BOT_ACCOUNT] = Person(BOT_ACCOUNT, "syncd", BOT_EMAIL)
    for number, (name, email, _) in enumerate(PEOPLE, 1):
        if name not in NOT_IN_JIRA:
            id_ = f"712020:person-{number:06d}"
            hidden, gone = name in HIDDEN_IN_JIRA, name in INACTIVE_IN_JIRA
            site.people[id_] = Person(id_, name, email, active=not gone, email_visible=not hidden)
    # Numbers from 101 on leave room, so that a longer PEOPLE changes no id here.
    for number, (name, email) in enumerate(ONLY_IN_JIRA, 101):
        id_ = f"712020:person-{number:06d}"
        site.people[id_] = Person(id_, name, email)
    for number, name in enumerate(("Highest", "High", "Medium", "Low", "Lowest"), 1):
        site.priorities[str(number)] = Priority(str(number), name)
    for number, name in enumerate(("Done", "Won't Do", "Duplicate", "Cannot Reproduce"), 10_000):
        site.resolutions[str(number)] = Resolution(str(number), name)
    _link_types(site)
    _fields(site)
    types = [
        IssueType("10101", "Incident"),
        IssueType("10102", "Bug"),
        IssueType("10103", "Task"),
        IssueType("10104", "Postmortem"),
        IssueType("10105", "Sub-task", subtask=True),
    ]
    _project(site, "10200", "OPS", "Operations", types, workflow, COMPONENTS)
    # ENG has neither incidents nor postmortems: it is the other project, to which people move issues.
    _project(site, "10201", "ENG", "Engineering", types[1:3] + types[4:], workflow, ())


def _link_types(site: Site) -> None:
    rows = (
        ("Blocks", "is blocked by", "blocks"),
        ("Cloners", "is cloned by", "clones"),
        ("Duplicate", "is duplicated by", "duplicates"),
        ("Relates", "relates to", "relates to"),
    )
    for number, (name, inward, outward) in enumerate(rows, 10_000):
        site.link_types[str(number)] = LinkType(str(number), name, inward, outward)


def _fields(site: Site) -> None:
    severities = ("SEV0", "SEV1", "SEV2", "SEV3", "Sev-1", "Sev-2", "Sev-3")
    choices = tuple(Option(str(10_300 + place), value) for place, value in enumerate(severities))
    rows = (
        FieldDef("summary", "Summary", "string"),
        FieldDef("description", "Description", "text"),
        FieldDef("environment", "Environment", "text"),
        FieldDef("priority", "Priority", "priority"),
        FieldDef("labels", "Labels", "labels"),
        FieldDef("assignee", "Assignee", "user"),
        FieldDef("reporter", "Reporter", "user"),
        FieldDef("duedate", "Due date", "date"),
        FieldDef("parent", "Parent", "issue"),
        FieldDef("components", "Components", "components"),
        FieldDef("security", "Security Level", "security"),
        FieldDef("resolution", "Resolution", "resolution"),
        FieldDef("customfield_10050", "Severity", "option", choices),
        FieldDef("customfield_10051", "PagerDuty incident", "string"),
        FieldDef("customfield_10052", "Root cause", "text"),
    )
    site.fields.update({field.id: field for field in rows})


def _project(
    site: Site,
    id_: str,
    key: str,
    name: str,
    types: list[IssueType],
    workflow: Workflow,
    parts: tuple[str, ...],
) -> None:
    by_name = {person.name: person.account_id for person in site.people.values()}
    insiders = frozenset({BOT_ACCOUNT, by_name["Priya Raman"], by_name["Elif Kaya"]})
    site.projects[id_] = Project(
        id_,
        key,
        name,
        {kind.id: TypeSetup(kind, workflow, SCREEN) for kind in types},
        by_name["Priya Raman"],
        [Component(str(10_400 + place), part) for place, part in enumerate(parts)],
        [
            SecurityLevel("10500", "Security incident", insiders),
            # The bot is no member: Jira must refuse this level to syncd.
            SecurityLevel("10501", "Board only", insiders - {BOT_ACCOUNT}),
        ],
    )
