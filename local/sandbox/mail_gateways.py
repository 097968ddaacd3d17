"""The gateways' side of an e-mail: posts in the shape of SendGrid and of Azure Communication Services.

Both check what the real ones check (credentials, required fields) and put the e-mail into the mailbox.
"""

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from uuid import UUID

from local.sandbox.mailbox import Mailbox
from local.sandbox.wire import Answer


def receive_sendgrid(mailbox: Mailbox, headers: Mapping[str, str], body: bytes, *, key: str) -> Answer:
    """Answer `POST /v3/mail/send`: 202 without a body, 401 without the key, 400 for what is not in its shape."""
    given = {name.lower(): value for name, value in headers.items()}
    if given.get("authorization") != f"Bearer {key}":
        return _refused(401, "authorization required")
    try:
        content = json.loads(body)
        (personalization,) = content["personalizations"]
        (recipient,) = (one["email"] for one in personalization["to"])
        parts = {part["type"]: part["value"] for part in content["content"]}
        message = {
            "from": content["from"]["email"],
            "to": recipient,
            "subject": content["subject"],
            "text": parts["text/plain"],
            "html": parts["text/html"],
            "messageId": content.get("headers", {}).get("Message-ID", ""),
            "via": "sendgrid",
        }
    except (ValueError, KeyError, TypeError) as error:
        return _refused(400, type(error).__name__)
    return _kept(mailbox, message, Answer(status=202))


def receive_communication_services(
    mailbox: Mailbox, path_and_query: str, headers: Mapping[str, str], body: bytes, *, access_key: str
) -> Answer:
    """Answer `POST /emails:send`: 202 with the operation, 401 when the signature is wrong, 400 for a wrong shape.

    `path_and_query` is the request's target as it was sent; `access_key` is base64.
    """
    given = {name.lower(): value for name, value in headers.items()}
    if not _is_signed("POST", path_and_query, given, body, access_key):
        return _refused(401, "the signature is wrong")
    try:
        content = json.loads(body)
        operation = str(UUID(given["operation-id"]))
        (recipient,) = (one["address"] for one in content["recipients"]["to"])
        message = {
            "from": content["senderAddress"],
            "to": recipient,
            "subject": content["content"]["subject"],
            "text": content["content"]["plainText"],
            "html": content["content"]["html"],
            "messageId": content.get("headers", {}).get("Message-ID", ""),
            "via": "communication-services",
        }
    except (ValueError, KeyError, TypeError) as error:
        return _refused(400, type(error).__name__)
    accepted = json.dumps({"id": operation, "status": "Running"}).encode()
    return _kept(mailbox, message, Answer(accepted, 202))


def tell_scopes(headers: Mapping[str, str], *, key: str) -> Answer:
    """Answer `GET /v3/scopes`: what the key may do, 401 without it."""
    given = {name.lower(): value for name, value in headers.items()}
    if given.get("authorization") != f"Bearer {key}":
        return _refused(401, "authorization required")
    return Answer(json.dumps({"scopes": ["mail.send"]}).encode())


def tell_operation(path_and_query: str, headers: Mapping[str, str], *, access_key: str) -> Answer:
    """Answer `GET /emails/operations/{id}`: 404, since none is kept; 401 when the signature is wrong."""
    given = {name.lower(): value for name, value in headers.items()}
    if not _is_signed("GET", path_and_query, given, b"", access_key):
        return _refused(401, "the signature is wrong")
    return _refused(404, "no such operation")


def _kept(mailbox: Mailbox, message: dict[str, str], accepted: Answer) -> Answer:
    code = mailbox.failure_of(message["to"])
    if code:
        return _refused(code, "on demand")
    mailbox.keep(message)
    return accepted


def _is_signed(method: str, path_and_query: str, headers: Mapping[str, str], body: bytes, access_key: str) -> bool:
    content_hash = b64encode(sha256(body).digest()).decode()
    date, host = headers.get("x-ms-date", ""), headers.get("host", "")
    text = f"{method}\n{path_and_query}\n{date};{host};{content_hash}"
    signature = b64encode(hmac.digest(b64decode(access_key), text.encode(), sha256)).decode()
    expected = f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}"
    return headers.get("x-ms-content-sha256") == content_hash and headers.get("authorization") == expected


def _refused(status: int, message: str) -> Answer:
    return Answer(json.dumps({"error": message}).encode(), status)
