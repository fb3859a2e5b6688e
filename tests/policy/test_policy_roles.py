"""Who fills a role, in which order, and what the ticket tells about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from policy.policy_cast import AGREED, ANA, BEN, CYD, NOW, book, case, incident, issue, note, ticket

from syncd.domain.operation import CommentOnTicket
from syncd.domain.role import FilledBy, Role, RoleFacts, RoleHolder
from syncd.domain.ticket import Account, Comment
from syncd.policy.case import Case, Rulebook
from syncd.policy.judged_people import judged_people
from syncd.policy.roles import ROLES, names_to_look_up, role_holders, schedules_to_read
from syncd.policy.ticket.roles import agreed_roles, decide_roles

ROTA = "Commanders"
MEI = RoleHolder(name="Mei Tanaka", by=FilledBy.LINE, how="", user="U9", address="mei@qrpay.example")


def rules(**more: Any) -> Rulebook:
    roles = {
        "commander": {"schedule": ROTA, "address": "lead@qrpay.example"},
        "communications_lead": {},
        "scribe": {},
    }
    return book(roles={**roles, **more})


def known(**more: Any) -> Case:
    """The incident after its schedule was read; Ben was on it."""
    facts = {"on_call": {ROTA: (BEN,)}, "named": {"Mei": MEI}, **more.pop("roles", {})}
    return case(more.pop("happened", None), **{"roles": RoleFacts.model_validate(facts), **more})


def names(of: Case, rules_: Rulebook | None = None) -> dict[str, str]:
    return {str(role): holder.name for role, holder in role_holders(of, rules_ or rules()).items()}


def test_a_line_comes_before_the_acknowledge_and_that_before_schedule_and_address() -> None:
    assert names(case()) == {"commander": "lead@qrpay.example"}
    assert names(known()) == {"commander": "Ben"}
    assert names(known(roles={"acknowledged": ANA})) == {"commander": "Ana"}
    lines = (note("commander: Mei"),)
    assert names(known(roles={"acknowledged": ANA}, notes=lines)) == {"commander": "Mei Tanaka"}


def test_the_latest_line_counts_and_one_without_a_name_takes_the_earlier_ones_back() -> None:
    first, second = note("Scribe: Mei"), note("scribe: somebody").model_copy(update={"id": "N2"})
    assert names(known(notes=(first,)))["scribe"] == "Mei Tanaka"
    assert names(known(notes=(first, second)))["scribe"] == "somebody"
    assert "scribe" not in names(known(notes=(first, second.model_copy(update={"text": "scribe:"}))))


@pytest.mark.parametrize(
    "text",
    ["communications-lead: Mei", "Communications Lead: Mei", "comms lead: Mei", "communications_lead: Mei"],
)
def test_a_role_is_written_in_several_ways(text: str) -> None:
    assert names(known(notes=(note(text),)))["communications_lead"] == "Mei Tanaka"


def test_a_name_that_nobody_has_stays_as_text_and_says_so() -> None:
    unclear = RoleHolder(name="the boss", by=FilledBy.LINE, how="", unclear="syncd knows nobody of this name")
    of = known(roles={"named": {"the boss": unclear}}, notes=(note("scribe: the boss"),))
    holder = role_holders(of, rules())[Role.SCRIBE]
    assert (holder.name, holder.user, holder.address) == ("the boss", None, None)
    assert holder.unclear == "syncd knows nobody of this name"


def test_a_line_about_a_role_that_the_mapping_does_not_name_is_a_sentence() -> None:
    of = known(notes=(note("escalation: we called the provider"), note("scribe: Ines", 2)))
    assert names_to_look_up(of, rules()) == ("Ines",)
    assert names_to_look_up(of, rules(escalation={})) == ("we called the provider", "Ines")


def test_syncds_own_user_did_not_acknowledge_as_a_person() -> None:
    of = judged_people(known(roles={"acknowledged": ANA}), {ANA.id})
    assert names(of) == {"commander": "Ben"}


def test_who_acknowledged_after_a_user_who_is_no_person_acknowledged_first() -> None:
    later = ({"by": BEN, "at": NOW}, {"by": CYD, "at": NOW})
    facts = {"acknowledged": ANA, "acknowledged_at": NOW, "later": later}
    assert names(judged_people(known(roles=facts), {ANA.id})) == {"commander": "Ben"}
    robots = judged_people(known(roles=facts), {ANA.id, BEN.id})
    assert robots.roles.acknowledged == CYD
    nobody = judged_people(known(roles=facts), {ANA.id, BEN.id, CYD.id}).roles
    assert (nobody.acknowledged, nobody.acknowledged_at) == (None, None)


def test_a_service_has_its_own_roles() -> None:
    services = {"Alipay": {"roles": {"commander": {"address": "alipay@qrpay.example"}}}}
    of = case()
    assert names(of, book(roles={"commander": {"schedule": ROTA}}, services=services)) == {
        "commander": "alipay@qrpay.example"
    }


def test_a_schedule_is_read_once_and_only_while_it_matters() -> None:
    assert schedules_to_read(case(), rules()) == (ROTA,)
    assert schedules_to_read(known(), rules()) == ()
    assert schedules_to_read(known(roles={"on_call": {ROTA: ()}}), rules()) == ()
    assert schedules_to_read(case(incident(status="resolved")), rules()) == ()
    assert schedules_to_read(case(before_enforcement=True), rules()) == ()


def told(of: Case, **more: Any) -> Case:
    """The case with a ticket that tells who has which role now."""
    roles = agreed_roles(role_holders(of, rules()), rules())
    return of.model_copy(update={"ticket": ticket(agreed={**AGREED, ROLES: roles}, **more)})


def comment_of(of: Case) -> CommentOnTicket:
    (comment,) = decide_roles(of, rules()).operations
    assert isinstance(comment, CommentOnTicket)
    return comment


def test_several_changes_are_one_comment_and_the_same_people_none() -> None:
    before = told(known())
    assert decide_roles(before, rules()).operations == ()
    lines = (note("scribe: Mei"),)
    after = before.model_copy(
        update={"notes": lines, "roles": before.roles.model_copy(update={"acknowledged": ANA})}
    )
    comment = comment_of(after)
    assert "Incident commander: Ana (acknowledged first)." in comment.value
    assert "Scribe: Mei Tanaka (named by Ana)." in comment.value
    assert "Communications lead" not in comment.value
    assert decide_roles(told(after), rules()).operations == ()
    # whoever was on the schedule acknowledges: nobody else has the role
    on_duty = before.roles.model_copy(update={"acknowledged": BEN})
    assert decide_roles(before.model_copy(update={"roles": on_duty}), rules()).operations == ()


def moved(of: Case, rules_: Rulebook) -> tuple[int, str]:
    """How many comments a changed mapping causes, and whom the ticket's row names as commander then."""
    decision = decide_roles(of, rules_)
    after = of.ticket.agreed | decision.agreed if of.ticket else {}
    return len(decision.operations), str(after[ROLES]["commander"])


def test_a_changed_mapping_is_no_comment_and_leaves_nobody_without_the_role_they_had() -> None:
    renamed = rules(commander={"schedule": "Renamed"}, expert={"address": "mei@qrpay.example"})
    of = told(known())
    for happened in (of.incident, incident(status="resolved")):
        comments, commander = moved(of.model_copy(update={"incident": happened}), renamed)
        assert (comments, "user:U2" in commander) == (0, True)
    addressed = rules(commander={"address": "new@qrpay.example"})
    assert moved(of, addressed)[0] == 0
    assert names(of, addressed)["commander"] == "new@qrpay.example"
    over = of.model_copy(update={"incident": incident(status="resolved")})
    assert names(over, addressed)["commander"] == "Ben"


def test_a_line_after_the_end_is_no_comment() -> None:
    of = told(known()).model_copy(
        update={"incident": incident(status="resolved"), "notes": (note("scribe: Mei"),)}
    )
    decision = decide_roles(of, rules())
    assert decision.operations == ()
    assert ROLES in decision.agreed


def test_names_given_one_after_the_other_are_one_comment() -> None:
    second = note("comms lead: Mei", 2).model_copy(update={"created_at": NOW + timedelta(seconds=60)})
    of = told(known()).model_copy(update={"notes": (note("scribe: Mei"), second)})
    early = decide_roles(of.model_copy(update={"now": NOW + timedelta(seconds=150)}), rules())
    assert (early.operations, early.agreed, early.again) == ((), {}, 30.0)
    comment = comment_of(of.model_copy(update={"now": NOW + timedelta(seconds=180)}))
    assert (comment.subject, comment.text) == ("roles changed", "")
    assert "Communications lead: Mei Tanaka (named by Ana). Scribe: Mei Tanaka" in comment.value


def test_a_role_that_comes_back_is_told_again() -> None:
    of, keys = told(known()), set[str]()
    for notes in ((note("scribe: Mei"),), (), (note("scribe: Mei", 2),)):
        comment = comment_of(of.model_copy(update={"notes": notes}))
        keys.add(comment.key)
        of = told(of.model_copy(update={"notes": notes, "once": of.once | {comment.key}}))
    assert len(keys) == 3


@pytest.mark.parametrize("agreed", [{**AGREED, "stub": True}, AGREED])
def test_a_stub_and_a_ticket_that_syncd_did_not_write_get_no_comment(agreed: dict[str, Any]) -> None:
    of = known(ticket=ticket(agreed=agreed))
    assert decide_roles(of, rules()).operations == ()


def test_a_mention_in_a_comment_of_a_person_names_the_holder() -> None:
    ana = Account(id="acc-ana", name="Ana")
    spoken = Comment(id="1", author=ana, body="commander: [~accountid:x]", created_at=NOW + timedelta(1))
    of = known(ticket=ticket(issue(comments=(spoken,))))
    assert names_to_look_up(of, rules()) == ("[~accountid:x]",)
