"""Requests to Azure Tables through the SDK's pipeline (signing, retries, hosts), without its costly entity model."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from shared.adapters.storage_account import StorageAccount
from shared.adapters.storage_errors import away, lasting, passes, passing_named, refused
from shared.kernel.errors import HubError

SERVICE = "tables"

_HEADERS = {
    "Accept": "application/json;odata=minimalmetadata",
    "Content-Type": "application/json",
    "DataServiceVersion": "3.0",
    "MaxDataServiceVersion": "3.0;NetFx",
}


@dataclass(frozen=True)
class Answer:
    """What Azure Tables answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def succeeded(self) -> bool:
        """Whether the request took effect."""
        return 200 <= self.status < 300

    @property
    def etag(self) -> str:
        """The ETag of the row written or read."""
        return self.headers.get("ETag", "")

    @property
    def failure(self) -> "Failure":
        """What was wrong with a request that did not succeed."""
        return Failure(self.status, *_error(self.body))


@dataclass(frozen=True)
class Failure:
    """Why Azure Tables refused a request, or a transaction because of one of its operations."""

    status: int
    code: str
    message: str

    @property
    def index(self) -> int:
        """The number of the operation that failed in a transaction; Azure writes it before the message."""
        number = re.match(r"(\d+):", self.message)
        return int(number[1]) if number else 0


class TableRequests:
    """Sends requests to the table service of an account."""

    def __init__(self, account: StorageAccount) -> None:
        """Keep the account; nothing is connected yet."""
        self._account = account

    @property
    def endpoint(self) -> str:
        """The URL of the service, as operations inside a transaction must name it."""
        return self._account.tables.url.rstrip("/")

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Send a request and return the answer. StorageUnavailable when there is none, or one that passes.

        StorageRefused where the request cannot be made at all.
        """
        from azure.core.exceptions import AzureError
        from azure.core.rest import HttpRequest

        service = self._account.tables
        url = f"{self.endpoint}/{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        fixed = _HEADERS | {"x-ms-version": service.api_version}
        request = HttpRequest(method, url, headers=fixed | dict(headers or {}), content=content)
        # The SDK offers no public way to send a request of one's own; `stream` keeps it from decoding the body too.
        try:
            with passing_named(SERVICE):
                response = service._client.send_request(request, stream=True)
                answer = Answer(response.status_code, response.headers, response.read())
        except AzureError as error:
            raise refused(SERVICE, error) from None
        if passes(answer.status):
            raise away(SERVICE, answer.status, answer.failure.code)
        return answer

    def create_table(self, name: str) -> None:
        """Create a table unless it is there."""
        answer = self.send("POST", "Tables", content=json.dumps({"TableName": name}).encode())
        if not answer.succeeded and answer.failure.code != "TableAlreadyExists":
            raise unexpected(answer.failure)


def unexpected(failure: Failure) -> HubError:
    """Return the error for an answer that the port has no name for: a row of a transaction throttled, forbidden."""
    if passes(failure.status):
        return away(SERVICE, failure.status, failure.code)
    # One line: Azure's own message continues with request ID and time.
    return lasting(SERVICE, failure.status, failure.code, failure.message.partition("\n")[0])


def read_failure(status: int, body: bytes) -> Failure:
    """Return the failure that a body describes."""
    return Failure(status, *_error(body))


def _error(body: bytes) -> tuple[str, str]:
    try:
        error: Any = json.loads(body)["odata.error"]
        return str(error["code"]), str(error["message"]["value"])
    except (ValueError, KeyError, TypeError):
        return "", body[:200].decode(errors="replace")
