"""Requests that operators type at the command line, as the engine serves them."""

from __future__ import annotations

from syncd.domain.clock import Clock
from syncd.engine.runtime.brakes import print_of
from syncd.ledger.database.connection import Database
from syncd.ledger.requests import answers
from syncd.ledger.requests.answers import (
    ADOPT,
    RELOAD,
    REPORT,
    RESYNC,
    Served,
    answer_of,
    ask,
    finish_job,
    report_job_progress,
    request_of,
    requeue_jobs,
    take_job,
)
from syncd.ledger.requests.waivers import Result


def serve(ledger: Database, clock: Clock) -> Served:
    """Answer the waiting requests that are no jobs; return what they leave to do."""
    return answers.serve(ledger, clock, print_of)


__all__ = [
    "ADOPT",
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
