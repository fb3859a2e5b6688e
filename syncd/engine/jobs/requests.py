"""What people asked for at the command line, as the engine serves it."""

from __future__ import annotations

from syncd.domain.clock import Clock
from syncd.engine.runtime.brakes import print_of
from syncd.ledger.database.connection import Transactions
from syncd.ledger.requests import answers
from syncd.ledger.requests.answers import (
    RELOAD,
    REPORT,
    RESYNC,
    answer_of,
    ask,
    finish_job,
    report_job_progress,
    request_of,
    requeue_jobs,
    take_job,
)
from syncd.ledger.requests.waivers import Result


def serve(ledger: Transactions, clock: Clock) -> list[str]:
    """Answer what was asked, jobs aside; return the incidents to look at."""
    return answers.serve(ledger, clock, print_of)


__all__ = [
    "RELOAD",
    "REPORT",
    "RESYNC",
    "Result",
    "answer_of",
    "ask",
    "finish_job",
    "report_job_progress",
    "request_of",
    "requeue_jobs",
    "serve",
    "take_job",
]
