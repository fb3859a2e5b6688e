"""How the tests of the sandbox ask its services in process."""

import base64
from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox.wire import Call, Reply


@dataclass
class Caller:
    """Asks a service in process, with the bot's credentials unless other headers are given."""

    service: Any
    headers: dict[str, str]
    root: str = ""
    last: Reply = field(default_factory=lambda: Reply(0))

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Any:
        call = Call.to(method, self.root + target, headers={**self.headers, **headers}, body=body)
        self.last = self.service.handle(call)
        return self.last.json() if self.last.body.startswith((b"{", b"[")) else None

    def get(self, target: str, **headers: str) -> Any:
        return self.ask("GET", target, **headers)

    def post(self, target: str, body: Any = None, **headers: str) -> Any:
        return self.ask("POST", target, body, **headers)

    def put(self, target: str, body: Any = None, **headers: str) -> Any:
        return self.ask("PUT", target, body, **headers)

    @property
    def status(self) -> int:
        return self.last.status


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def fields(summary: str, type_: str = "10101", /, **more: Any) -> dict[str, Any]:
    """Return the fields of an issue in OPS, an incident unless another type's id is given."""
    return {"project": {"key": "OPS"}, "issuetype": {"id": type_}, "summary": summary, **more}
