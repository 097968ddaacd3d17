"""What the partners' routes have in common: requests, JSON answers, faults that any route can have."""

import json
import time
from typing import Any

from local.sandbox.faults import Fault
from local.sandbox.wire import Answer


def as_json(content: object, status: int = 200, **headers: str) -> Answer:
    """Return a JSON answer."""
    return Answer(json.dumps(content, ensure_ascii=False).encode(), status, headers=headers)


class Request:
    """A request as the routes see it. A route that wants its answer broken on the wire says so in `broken`."""

    def __init__(self, query: dict[str, str], headers: dict[str, str], body: bytes, target: str = "") -> None:
        """Keep query, headers, body, and path with query as they came."""
        self.query = query
        self.headers = headers
        self.body = body
        self.target = target
        self.broken: Fault | None = None

    def json(self) -> Any:  # noqa: ANN401 - JSON
        """Return the body, {} when there is none. ValueError."""
        return json.loads(self.body or b"{}")

    def bearer(self) -> str:
        """Return the access token."""
        return self.headers.get("Authorization", "").removeprefix("Bearer ")


def refused_token() -> Answer:
    """Return what a partner answers to a token that is none of its own, or stale."""
    return as_json({"error": "invalid_token"}, 401, **{"WWW-Authenticate": 'Bearer error="invalid_token"'})


def with_fault(request: Request, answer: Answer, fault: Fault) -> Answer:
    """Return the answer with a fault that any route can have."""
    match fault.kind:
        case "status":
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return as_json({"error": "on demand"}, fault.status, **headers)
        case "slow":
            time.sleep(fault.seconds)
            return answer
        case "cut-json":
            return Answer(answer.body[: len(answer.body) // 2])
        case "not-json":
            return Answer(b"<html><body>Bad gateway</body></html>", content_type="text/html")
        case "wrong-content-type":
            return Answer(answer.body, content_type="text/plain")
        case "redirect":
            return Answer(status=302, headers={"Location": fault.location})
        case _:
            request.broken = fault
            return answer
