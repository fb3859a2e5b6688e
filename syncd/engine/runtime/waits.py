"""Store with each operation what it waits for and since when; log each cause once.

The ledger is written only when the reason changes, not at each try. The reason is a few words that follow
"waits for": they hold no text of a person or a service.
"""

from __future__ import annotations

from threading import Lock

from syncd.domain.base import SERVICE_NAMES
from syncd.domain.clock import Clock
from syncd.domain.operation import OperationBase
from syncd.ledger.open import Ledger
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.lookups import display_name
from syncd.ledger.store.names import log_about
from syncd.ledger.store.operation_states import wait
from syncd.remote.errors import Cause, RemoteError

STOPPED = "a mapping that fits: `syncd status` says why its team is stopped"
"""The operations of a stopped team wait for this."""
UNMAPPED = "a mapping that names its service, or its team"
"""The operations of an incident that no mapping claims any more wait for this."""
TAKEN_TOO_LONG = "another try: too much time passed between its claim and its request"
"""An operation that the sender gave back waits for this."""
LOGGED_AGAIN = 900.0
"""Seconds after which a cause that came to an end is news again."""
_NAMES = {**SERVICE_NAMES, "mail": "the mail server"}
_OUTAGES = (
    Cause.PAUSED,
    Cause.UNREACHABLE,
    Cause.REDIRECT,
    Cause.TIMEOUT,
    Cause.BROKEN,
    Cause.SERVER,
)


class Waits:
    """The waits of operations; safe to use from any thread."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lock = Lock()
        self._logged: dict[str, float] = {}

    def store(self, operation: OperationRecord, why: str, changed: OperationBase | None = None) -> None:
        """Store what an operation waits for; `changed` replaces the decided write."""
        news = self._is_news(why)
        if operation.waits_for == why and changed is None:
            return
        wait(self._ledger, operation, self._clock.now(), why, changed)
        if news:
            log_about(self._ledger, operation.incident_id).info(
                "{}: {} (operation {}) waits for {}; `syncd outbox` lists what else waits",
                display_name(self._ledger, operation.incident_id),
                operation.kind.replace("_", " "),
                operation.id,
                why,
            )

    def _is_news(self, why: str) -> bool:
        now = self._clock.boottime()
        with self._lock:
            self._logged = {cause: at for cause, at in self._logged.items() if now - at < LOGGED_AGAIN}
            known = why in self._logged
            self._logged[why] = now
        return not known


def awaited(service: str, cause: Cause | None, request: str = "") -> str:
    """Return what an operation waits for after a failure of a service, in words that follow "waits for"."""
    name = _NAMES.get(service, service)
    if cause is Cause.LIMITED:
        return f"the rate budget of {name}"
    if cause is Cause.CREDENTIALS:
        return f"{name} to accept the credentials of syncd"
    if cause in _OUTAGES or not request:
        return f"{name} to answer"
    return f"{name}, which refuses a request that it needs ({request})"


def awaited_after(error: RemoteError) -> str:
    """Return what an operation waits for after this failure, in words that follow "waits for"."""
    return awaited(error.service, error.cause, error.request)
