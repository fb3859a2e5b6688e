"""Run the loop once in the caller's thread, for commands: a whole cycle, a plan, or the work of a request."""

from __future__ import annotations

from syncd.engine.context import SERVICES
from syncd.engine.loop import ControlLoop, CycleResult
from syncd.ledger.store.key_values import reads_of_runs, store_reads_of_run


def once(loop: ControlLoop, *, parallel: int = 0, whole: bool = False) -> CycleResult:
    """Run one cycle in the caller's thread: read, and work until nothing more can leave now.

    With `whole` everything runs that is due by the ledger, as in a daemon that runs all the time.
    """
    loop.make_first_contact()
    before = reads_of_runs(loop.context.ledger, SERVICES)
    loop.recover()
    if whole:
        loop.mail_schedule.operator.count_from_record()
    if parallel:
        loop.work_queue.start(parallel)
    result = loop.cycle()
    loop.run_until_idle()
    # a resync's repairs leave within the same run
    if loop.jobs.run_jobs():
        loop.run_until_idle()
    if whole:
        loop.tick()
        loop.jobs.due()
        loop.work_on_notices()
        loop.run_until_idle()
    loop.jobs.reports()
    if whole:
        loop.work_queue.submit(loop.mail_schedule.due(at_once=True))
    loop.run_until_idle()
    loop.mail_schedule.operator.events.wait()
    if whole:
        store_reads_of_run(loop.context.ledger, loop.good_reads.latest(), before)
    if parallel:
        loop.work_queue.stop(1)
    return result
