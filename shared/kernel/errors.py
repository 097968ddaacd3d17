"""Errors by who must act: caller (4xx), operator (configuration), partner, or us. Retries read the type alone.

HubError
|- CallerError              the caller must change the request
|  |- InvalidRequest 400 · Unauthenticated 401 · Forbidden 403 · NotFound 404 · MethodNotAllowed 405
|  |- Conflict 409 · PreconditionFailed 412 · TooLarge 413 · PreconditionRequired 428
|- ConfigurationError       an operator must change a setting
|  |- CredentialsRefused    a partner does not know us by them; tried again when they were rotated
|- DataRefused              the data itself is unfit; a person must look at it
|- PartnerError             a partner system failed
|  |- PartnerUnavailable    passing: retried
|  |  |- NetworkFailure · PartnerTimeout · ServerFailure · RateLimited · MalformedResponse
|  |- PartnerRefused        lasting: the partner says 4xx
|  |- ContractBroken        lasting: the partner does something that the contract forbids
|- CircuitOpen              calls are held back; the work is delayed, not failed
|- Busy                     somebody else is at it; the work is delayed, not failed
|- StorageRefused           our own storage refuses a request for good: a right is missing, or the request is wrong
|- StorageUnavailable       our own storage is away or overloaded; the work is delayed, not failed
"""

import traceback
from dataclasses import dataclass


class HubError(Exception):
    """An error with a message for a person and a code for a program."""

    code = "InternalError"
    retryable = False
    """Whether the same work may succeed later without anybody acting."""

    def __init__(self, message: str) -> None:
        """Keep the message: what happened, to which record, and what to do."""
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one field of a request."""

    field: str
    message: str


class CallerError(HubError):
    """The caller must change the request."""

    status = 400

    def __init__(self, message: str, details: tuple[FieldProblem, ...] = ()) -> None:
        """Keep the message and what is wrong field by field."""
        super().__init__(message)
        self.details = details


class InvalidRequest(CallerError):
    """The request does not parse or breaks a rule."""

    code = "InvalidRequest"


class Unauthenticated(CallerError):
    """There is no valid access token."""

    code, status = "Unauthenticated", 401


class Forbidden(CallerError):
    """The token is valid and lacks the role or scope."""

    code, status = "Forbidden", 403


class NotFound(CallerError):
    """There is no such resource for this tenant."""

    code, status = "NotFound", 404


class MethodNotAllowed(CallerError):
    """The resource is there and does not answer this method; `allowed` are those that it answers."""

    code, status = "MethodNotAllowed", 405

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        """Keep what is allowed, for the header `Allow`."""
        super().__init__(f"{method} is not supported here: {', '.join(allowed)} are")
        self.allowed = allowed


class Conflict(CallerError):
    """The resource is in a state that does not allow this."""

    code, status = "Conflict", 409


class PreconditionFailed(CallerError):
    """The resource is not what the caller saw of it; the details say what it is now (RFC 9110, 15.5.13)."""

    code, status = "PreconditionFailed", 412


class PreconditionRequired(CallerError):
    """The caller has to say what was seen of the resource; the details say what it is now (RFC 6585, 3)."""

    code, status = "PreconditionRequired", 428


class TooLarge(CallerError):
    """The body is larger than allowed."""

    code, status = "TooLarge", 413


class ConfigurationError(HubError):
    """A setting is missing or wrong; names the settings, never their values."""

    code = "ConfigurationError"

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        """Keep the problem of each setting."""
        super().__init__("; ".join(f"setting {problem.field}: {problem.message}" for problem in problems))
        self.problems = problems


class CredentialsRefused(ConfigurationError):
    """A partner does not accept our credentials: they are wrong, or were rotated since they were read."""


class DataRefused(HubError):
    """The data is unfit as a whole; running again on the same data gives the same refusal."""

    code = "DataRefused"


class PartnerError(HubError):
    """A partner system failed. `partner` is its adapter ID."""

    code = "PartnerError"

    def __init__(self, partner: str, message: str) -> None:
        """Keep which partner it was."""
        super().__init__(f"{partner}: {message}")
        self.partner = partner


class PartnerUnavailable(PartnerError):
    """A passing failure; `retry_after` is the partner's own wish in seconds, where it gave one."""

    code = "PartnerUnavailable"
    retryable = True

    def __init__(self, partner: str, message: str, *, retry_after: float | None = None) -> None:
        """Keep the wish to wait."""
        super().__init__(partner, message)
        self.retry_after = retry_after


class NetworkFailure(PartnerUnavailable):
    """No connection, or it broke."""

    code = "NetworkFailure"


class PartnerTimeout(PartnerUnavailable):
    """No answer in time."""

    code = "PartnerTimeout"


class ServerFailure(PartnerUnavailable):
    """The partner answered 5xx."""

    code = "ServerFailure"


class RateLimited(PartnerUnavailable):
    """The partner, or our own rate limit for it, says: slower."""

    code = "RateLimited"


class MalformedResponse(PartnerUnavailable):
    """The answer is torn, no JSON, or contradicts itself; the same request may well be answered right next time."""

    code = "MalformedResponse"


class PartnerRefused(PartnerError):
    """The partner answered 4xx: the same request will be refused again."""

    code = "PartnerRefused"

    def __init__(self, partner: str, message: str, *, status: int) -> None:
        """Keep the HTTP status."""
        super().__init__(partner, message)
        self.status = status


class ContractBroken(PartnerError):
    """The partner does what the contract forbids (redirects elsewhere, sends far too much): nothing is retried."""

    code = "ContractBroken"


class CircuitOpen(PartnerError):
    """The partner's circuit is open; `retry_after` seconds from now it may be tried again."""

    code = "CircuitOpen"
    retryable = True

    def __init__(self, partner: str, retry_after: float) -> None:
        """Keep when to come back."""
        super().__init__(partner, f"circuit is open, next try in {retry_after:.0f} s")
        self.retry_after = retry_after


class Busy(HubError):
    """Somebody else holds the lease of this work; come back after `retry_after` seconds."""

    code = "Busy"
    retryable = True

    def __init__(self, message: str, *, retry_after: float) -> None:
        """Keep when to come back."""
        super().__init__(message)
        self.retry_after = retry_after


class StorageUnavailable(HubError):
    """Our own storage does not answer, fails, or asks for slower requests. What was asked for may have been done.

    Nothing can be kept meanwhile, not even a dead letter. `retry_after` is for whoever asks us.
    """

    code = "StorageUnavailable"
    retryable = True
    retry_after = 30.0

    def __init__(self, service: str, message: str) -> None:
        """Keep which service it was: tables, blobs or queues."""
        super().__init__(f"storage ({service}): {message}")
        self.service = service


class StorageRefused(HubError):
    """Our own storage refuses a request, and would refuse it again. `status` is that of its answer, 0 without one."""

    code = "StorageRefused"

    def __init__(self, service: str, message: str, status: int = 0) -> None:
        """Keep which service it was: tables, blobs or queues."""
        super().__init__(f"storage ({service}): {message}")
        self.service = service
        self.status = status


def raised_at(error: BaseException) -> str:
    """Return where an error was raised, for logs. Its text stays out of them: it can hold anything."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name}, line {frames[-1].lineno} of {frames[-1].filename}" if frames else ""
