"""The comments and labels of syncd on a postmortem, beside those of people."""

from __future__ import annotations

from typing import Any

from rig import Rig

from engine.cast import nothing_more_is_written
from engine.postmortem_rig import later, live, on, postmortem
from syncd.domain.operation import CommentOnPostmortem, EditPostmortem, Kind
from syncd.domain.operation.keys import comment_key
from syncd.engine.act.executor import Executor
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import outbox
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.lookups import open_operations_in
from syncd.ledger.store.tables import PostmortemRow
from syncd.sandbox import faults, presets


def test_in_a_service_project_what_we_say_on_it_is_internal(make_rig: Any) -> None:
    rig = on(make_rig, lambda world: presets.service_desk(world.jira.site))
    made = live(rig)
    later(rig)
    say(rig, made.id)
    rig.settle(2)
    issue = rig.world.jira.site.find(postmortem(rig)["key"])
    assert issue is not None
    assert [comment.public for comment in issue.comments] == [False]
    assert issue.comments[0].body.startswith("Postmortem: due soon, see \\{html\\}")
    nothing_more_is_written(rig)


def say(rig: Rig, incident: str) -> None:
    """Record a comment on the postmortem, as the rules on duties do."""
    comment = CommentOnPostmortem(
        key=comment_key(incident, "paper", 1),
        incident=incident,
        subject="postmortem",
        text="due soon, see",
        value="{html}",
        reason="test",
    )
    with rig.ledger.write() as session:
        outbox.add(session, [comment], rig.clock.now())
    rig.loop.work_queue.submit([incident])


def test_a_comment_whose_answer_was_lost_is_found_by_its_mark(make_rig: Any) -> None:
    rig = on(make_rig)
    made = live(rig)
    later(rig)
    rig.world.faults.add(faults.lose_answer(), service="jira", method="POST", path="/comment$", times=1)
    say(rig, made.id)
    rig.settle(4)
    assert len(postmortem(rig)["comments"]) == 1
    assert rig.operations("unknown", "pending") == []
    nothing_more_is_written(rig)


def test_labels_are_added_and_removed_beside_those_of_people(make_rig: Any) -> None:
    rig = on(make_rig)
    made = live(rig)
    later(rig)
    key = postmortem(rig)["key"]
    rig.world.jira.edit(key, "Ines Carvalho", labels=[*postmortem(rig)["fields"]["labels"], "theirs", "old"])
    rig.settle(2)
    labels = [{"add": "postmortem-overdue"}, {"remove": "old"}]
    edit = EditPostmortem(
        key="postmortem/edit",
        incident=made.id,
        aspect="labels",
        issue=postmortem(rig)["id"],
        fields={},
        update={"labels": [*labels]},
        agree={},
        reason="test",
    )
    with rig.ledger.write() as session:
        outbox.record(session, [edit], rig.clock.now(), "test", waiting=open_operations_in(session, made.id))
        row = next(
            operation
            for operation in open_operations_in(session, made.id)
            if operation.kind == Kind.EDIT_POSTMORTEM
        )
        edit_it = record_of(OperationRecord, row)
    Executor(rig.context).attempt(edit_it)
    shown = set(postmortem(rig)["fields"]["labels"])
    assert {"theirs", "postmortem-overdue", "syncd-postmortem"} <= shown
    assert "old" not in shown
    with rig.ledger.read() as session:
        kept = session.get(PostmortemRow, made.id)
        assert kept is not None and kept.snapshot is not None
        assert "postmortem-overdue" in kept.snapshot["labels"]
